"""The environments of Go and Rust projects: what they depend on, downloaded once and used offline by the runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from testing.environments.setup import Setup
from testing.environments.toolchains import require_toolchain
from testing.frameworks.framework import TestFramework
from testing.sandbox.confinement import Mount


class _FetchSetup(Setup):
    """A folder of downloads, and the one command that fills it."""

    title: ClassVar[str]
    command: ClassVar[Sequence[str]]
    patterns: ClassVar[Sequence[str]]

    @classmethod
    def identity(cls, framework: TestFramework) -> tuple[str, ...]:
        """The toolchain's version."""
        return require_toolchain(cls.language).version, framework.name

    @classmethod
    def files(cls, source: Path) -> Sequence[str]:
        """What names the dependencies."""
        found = {path for pattern in cls.patterns for path in source.glob(pattern)}
        return sorted(path.relative_to(source).as_posix() for path in found if path.is_file() and not path.is_symlink())

    def install(self, setup_command: str | None) -> bool:
        """Run `setup_command`, or fetch what the files name."""
        (self.env_folder / "downloads").mkdir()
        self._sandbox.hand_over(self.env_folder / "downloads")
        if setup_command:
            self.step("running testing.setup_command", ["sh", "-e", "-c", setup_command])
        elif self.files(self.project_folder):
            self.step(self.title, list(self.command))
        return False

    def mounts(self) -> Sequence[Mount]:
        """The toolchain, where it does not lie in a folder that every sandbox sees."""
        return require_toolchain(self.language).mounts

    def variables(self) -> dict[str, str]:
        """Where the downloads go."""
        path = f"{require_toolchain(self.language).path}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "GOMODCACHE": "/env/downloads", "CARGO_HOME": "/env/downloads"}


class GoSetup(_FetchSetup):
    """One build of a module cache."""

    language = "go"
    title = "downloading the modules"
    command = ("go", "mod", "download")
    patterns = ("go.mod", "go.sum", "go.work", "*/go.mod")
    remedy = "see that `go mod download` works in a fresh checkout, or set testing.setup_command."


class RustSetup(_FetchSetup):
    """One build of a cargo home."""

    language = "rust"
    title = "fetching the crates"
    command = ("cargo", "fetch")
    patterns = ("Cargo.lock", "**/Cargo.toml")
    remedy = "see that `cargo fetch` works in a fresh checkout, or set testing.setup_command."
