"""Compilers and runtimes of other languages that this machine has, as a sandbox sees them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from testing.errors import EnvironmentSetupError, ToolchainMissing
from testing.sandbox.confinement import Mount

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
# How a toolchain names its own folder, and node its program: the programs of rustup, volta and others are only proxies.
_PLACE = {"node": ("-p", "process.execPath"), "go": ("env", "GOROOT"), "rust": ("--print", "sysroot")}


@dataclass(frozen=True)
class Toolchain:
    """A toolchain that is there. `path`: the folders of its programs as PATH has them, the same inside the sandbox."""

    language: Language
    version: str
    path: str
    mounts: tuple[Mount, ...]


def find_toolchain(language: Language) -> Toolchain | None:
    """The toolchain that the daemon's PATH names. None where there is none, or it does not answer."""
    try:
        return require_toolchain(language)
    except EnvironmentSetupError:
        return None


@cache  # keeps what is returned, so that one that was missing or slow is looked for again
def require_toolchain(language: Language) -> Toolchain:
    """As `find_toolchain`; raises ToolchainMissing with the remedy where there is none."""
    found = shutil.which(_PROGRAMS[language])
    version = _ask(found, *_VERSION[language]) if found else ""
    if not found or not version:
        raise ToolchainMissing(
            f"Cannot run this project's tests: {_PROGRAMS[language]} is not on PATH.", "", remedy_for(language)
        )
    program, place = Path(found).resolve(), _ask(found, *_PLACE[language])
    if language == "node":
        folders, mounts = _node(Path(place).resolve() if place else program)
    else:
        root = Path(place).resolve() if place else program.parent.parent
        folders, mounts = [root / "bin"], _shown({root: root})
    return Toolchain(language, version.splitlines()[0], ":".join(map(os.fspath, folders)), mounts)


def _node(program: Path) -> tuple[list[Path], tuple[Mount, ...]]:
    """The folders of node, which is `program`, and of npm, and only these two: beside them may lie a whole home folder.

    `npm` itself is a link, which a mount would resolve; so npm's programs stand in for the scripts, made for Windows,
    that its package has under their names.
    """
    npm = program.parent.parent / "lib" / "node_modules" / "npm"
    if program.is_relative_to(_SYSTEM) or not npm.is_dir():
        return [program.parent], _shown({program: program})
    scripts = {npm / "bin" / f"{name}-cli.js": npm / "bin" / name for name in ("npm", "npx")}
    return [program.parent, npm / "bin"], _shown({program: program, npm: npm} | scripts)


def _shown(places: Mapping[Path, Path]) -> tuple[Mount, ...]:
    """Mounts of the sources that no sandbox sees anyway, each with its target."""
    seen = {source: target for source, target in places.items() if not source.is_relative_to(_SYSTEM)}
    return tuple(Mount(source, os.fspath(target)) for source, target in seen.items())


def remedy_for(language: Language) -> str:
    """What an owner does to get the toolchain."""
    return _REMEDIES[language]


def _ask(program: str, *arguments: str) -> str:
    """What the machine's own program prints; empty when it fails.

    In a repository a file such as rust-toolchain.toml or go.mod would choose another program, or have one downloaded.
    """
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=_ASK_SECONDS, cwd="/", env=env
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
