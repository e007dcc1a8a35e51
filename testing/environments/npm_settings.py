"""Where npm's packages come from on this machine, told to the set-up sandbox without telling it any secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testing.sandbox.mounts import Mount

_TOLD = re.compile(
    r"registry|@[\w.-]+:registry|proxy|https-proxy|noproxy|cafile|strict-ssl|fetch-timeout|fetch-retries"
)
_CREDENTIALS = re.compile(r"://[^/\s]*@|\$\{")
_VISIBLE = ("/usr", "/etc/ssl/certs")


@dataclass
class NpmSettings:
    """Variables and mounts for the set-up sandbox."""

    env: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)


def npm_settings(environ: Mapping[str, str]) -> NpmSettings:
    """The settings in force for a process with `environ`: the machine's and the owner's npmrc, then npm_config_*.

    Tokens and passwords are settings of their own and are left out, as is an address that holds some.
    """
    home = Path(environ.get("HOME", "/nonexistent"))
    files = [Path("/etc/npmrc"), Path(environ.get("npm_config_userconfig") or home / ".npmrc")]
    values = {name: value for file in files for name, value in _settings(file)}
    for name, value in environ.items():
        if name.lower().startswith("npm_config_"):
            values[name[len("npm_config_") :].lower().replace("_", "-")] = value
    found = NpmSettings()
    for name, value in values.items():
        if _TOLD.fullmatch(name) and value and not _CREDENTIALS.search(value):
            found.env[f"npm_config_{name}"] = value
    certificates = Path(found.env.get("npm_config_cafile", "/usr"))
    if not any(certificates.is_relative_to(folder) for folder in _VISIBLE) and certificates.is_file():
        found.mounts.append(Mount(certificates, os.fspath(certificates)))
    return found


def _settings(file: Path) -> list[tuple[str, str]]:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", ";")))
    return [(name.strip(), value.strip().strip("\"'")) for name, equals, value in lines if equals]
