"""Compilers and runtimes of other languages that this machine has, as a sandbox is shown them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from testing.errors import EnvironmentSetupError
from testing.mounts import Mount

Language = Literal["python", "node", "go", "rust"]

_ASK_SECONDS = 20
_SYSTEM = Path("/usr")
_PROGRAMS = {"node": "node", "go": "go", "rust": "rustc"}
_REMEDIES = {
    "node": "install Node.js 20 or newer with npm on the daemon's PATH (apt-get install nodejs npm).",
    "go": "install Go on the daemon's PATH (apt-get install golang-go).",
    "rust": "install Rust with cargo on the daemon's PATH (rustup, or apt-get install cargo).",
}
_VERSION = {"node": ("--version",), "go": ("version",), "rust": ("--version",)}
# What a toolchain that is not below /usr calls its own folder; rustup's programs are only proxies of it.
_ROOT = {"go": ("env", "GOROOT"), "rust": ("--print", "sysroot")}


@dataclass(frozen=True)
class Toolchain:
    """A toolchain that is there. `path` is the folder of its programs, the same inside the sandbox."""

    language: Language
    version: str
    path: str
    mounts: tuple[Mount, ...]


@cache
def find_toolchain(language: Language) -> Toolchain | None:
    """The toolchain that the daemon's PATH names; asked once. None where there is none, or it does not answer."""
    found = shutil.which(_PROGRAMS[language])
    version = _ask(found, *_VERSION[language]) if found else ""
    if not found or not version:
        return None
    root = Path(found).resolve().parent.parent
    if language in _ROOT:
        root = Path(_ask(found, *_ROOT[language]) or root).resolve()
    mounts = () if root.is_relative_to(_SYSTEM) else (Mount(root, os.fspath(root)),)
    return Toolchain(language, version.splitlines()[0], os.fspath(root / "bin"), mounts)


def require_toolchain(language: Language) -> Toolchain:
    """As `find_toolchain`; raises EnvironmentSetupError with the remedy where it is missing."""
    found = find_toolchain(language)
    if found is None:
        raise EnvironmentSetupError(
            f"Cannot run this project's tests: {_PROGRAMS[language]} is not on PATH.", "", remedy_for(language)
        )
    return found


def remedy_for(language: Language) -> str:
    """What an owner does to have the toolchain."""
    return _REMEDIES[language]


def _ask(program: str, *arguments: str) -> str:
    """What the machine's own program prints; empty when it fails."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
