"""What `doctor` says of the forge: the token, its scopes, the repository, the label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from config import Settings
from forge import Access, ForgeError
from owner.forge_runner import forge_of

NEEDED = {
    "github": "a fine-grained token with Issues and Pull requests (read and write), Contents and Actions (read)",
    "gitlab": "a project token with the role Developer and the scope api",
    "gitea": "a token with issue and repository (read and write)",
}
"""The least that a token needs, if git pushes by a key or token of its own."""
_SCOPES = {"github": ("repo", "public_repo"), "gitlab": ("api",)}
"""Where a token has scopes, it needs one of these."""


def checked(settings: Settings) -> tuple[Literal["ok", "warning", "missing"], str, str]:
    """State, what was found, and what to do about it."""
    chosen, forge = settings.forge, forge_of(settings)
    try:
        access = forge.access()
        has_label = forge.has_label(chosen.label)
    except ForgeError as problem:
        return "missing", str(problem), f"the token needs: {NEEDED[chosen.provider or 'github']}"
    finally:
        forge.close()
    if problems := list(_problems(settings, access)):
        return "missing", "; ".join(problems), f"the token needs: {NEEDED[chosen.provider or 'github']}"
    if not has_label:
        told = f"{access.repository} has no label {chosen.label!r}, so no issue becomes a task"
        return "warning", told, "make the label there, or name another in forge.label"
    if not chosen.writers and not chosen.people:
        return "warning", "forge.writers is false and forge.people is empty: nobody's issues count", "name somebody"
    who = ", ".join([*chosen.people, *(["everybody who may push"] if chosen.writers else [])])
    return "ok", f"{access.repository} ({chosen.provider}); issues with {chosen.label!r} by {who}", ""


def _problems(settings: Settings, access: Access) -> Iterator[str]:
    chosen = settings.forge
    if chosen.token is None:
        yield "forge.token is not set, so nothing can be written there"
    wanted = _SCOPES.get(chosen.provider, ())
    if wanted and access.scopes and not set(wanted) & set(access.scopes):
        yield f"the token has the scopes {', '.join(access.scopes)}, not {' or '.join(wanted)}"
    if access.may_push is False and settings.git.landing == "pull_request":
        yield "the token may not push to the repository, so it can open no request from a branch there"
    for what, needed in access.lacks.items():
        yield f"{what} cannot be read; for them it needs {needed}"
