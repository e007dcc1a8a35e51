"""Settings by which an owner gives up some of the safety: said at each start, by `doctor`, and in the audit trail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from config.settings import DEFAULT_PROTECTED, Settings

_ADDRESSES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
"""What the libraries of the providers read by themselves."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def weakened(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Setting, with its value -> what it gives up, in words for the owner. Passwords in addresses are left out."""
    found = {}
    if settings.sandbox.mode != "required":
        found[f"sandbox.mode: {settings.sandbox.mode}"] = (
            "code of the repository and of models may run unconfined, with the rights of its user"
        )
    named = {"llm.base_url": settings.llm.base_url or ""} | {name: environ.get(name, "") for name in _ADDRESSES}
    for name, address in named.items():
        parts = urlsplit(address)
        if address and parts.hostname not in _THIS_MACHINE:
            found[f"{name}: {parts.hostname}"] = "prompts, which hold parts of the repository, and the key go there"
            if parts.scheme == "http":
                found[f"{name}: {parts.hostname}"] += ", unencrypted"
    if hosts := settings.testing.setup_hosts:
        found[f"testing.setup_hosts: {', '.join(hosts)}"] = "code that runs while packages are installed reaches them"
    if opened := sorted(set(DEFAULT_PROTECTED) - set(settings.file_system.protected)):
        found[f"file_system.protected: without {', '.join(opened)}"] = "agents may write such files"
    if files := settings.git.may_hold_secrets:
        found[f"git.may_hold_secrets: {', '.join(files)}"] = "what agents write there is not searched for secrets"
    return found
