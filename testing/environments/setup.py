"""Builds one project environment: its folders, its steps in the set-up sandbox, its log, and its end."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from testing.environments.environment import Environment, listing, move_generated
from testing.environments.index_settings import IndexSettings, index_settings, package_hosts
from testing.environments.toolchains import Language
from testing.errors import EnvironmentSetupError
from testing.frameworks.framework import TestFramework
from testing.sandbox.confinement import Mount
from testing.sandbox.gateway import Gateway
from testing.sandbox.limits import SandboxLimits
from testing.sandbox.sandbox import Sandbox, SandboxResult
from testing.sandbox.user import discard, take

_TAIL = 4000
_OURS = ("ready.json", "setup.log", "generated", "packages")
"""What is written into the environment beside the set-up's own folders."""
_MOUNTED = ("venv", "downloads")

Progress = Callable[[str], None]


class Setup(ABC):
    """One build. What it makes lies in `env_folder`, /env in the sandbox; the sources are a copy at /work."""

    language: ClassVar[Language]
    remedy: ClassVar[str]
    """What an owner does when a step fails."""

    def __init__(
        self,
        sandbox: Sandbox,
        build_folder: Path,
        framework: TestFramework,
        *,
        timeout: float,
        limits: SandboxLimits,
        say: Progress,
        label: str,
        versions: Sequence[str] = (),
        hosts: Sequence[str] = (),
        place: str = "",
    ) -> None:
        self.framework = framework
        self.index: IndexSettings = index_settings(os.environ)
        self.notes: list[str] = []
        self.build_folder = build_folder
        self.env_folder = build_folder / "env"
        self.work_folder = build_folder / "work"
        self.place = place
        self.project_folder = self.work_folder / place
        """The project's own folder among the sources; steps run there."""
        self.log = build_folder / "setup.log"
        self.cache = build_folder / "cache"
        """Of this build alone: what one set-up writes there, no other may come to install."""
        self._sandbox = sandbox
        self._timeout = timeout
        self._limits = limits
        self._say = say
        self._label = label
        self._versions = [*versions]
        self._origins = package_hosts(os.environ, hosts)
        self._refused: dict[str, None] = {}

    @classmethod
    @abstractmethod
    def identity(cls, framework: TestFramework) -> tuple[str, ...]:
        """What an environment depends on beside the sources: versions of what it is made with."""

    @classmethod
    @abstractmethod
    def files(cls, source: Path) -> Sequence[str]:
        """Files of the sources, relative to them and sorted, whose content decides the environment."""

    @classmethod
    def versions(cls, source: Path, release: str) -> Sequence[str]:
        """Versions that the project is given in turn because it would ask git for its own; empty if it would not.
        `release`: that of its newest tag.
        """
        return ()

    @abstractmethod
    def install(self, setup_command: str | None) -> bool:
        """Install what the sources at /work need; whether the project itself is installed, pointing to /work."""

    @abstractmethod
    def variables(self) -> dict[str, str]:
        """Environment variables of each step."""

    def mounts(self) -> Sequence[Mount]:
        """What a step sees beside /env, /work and /cache."""
        return ()

    def packages(self) -> list[str]:
        """Folders of packages below /work that are to be kept; moved out of the sources here."""
        return []

    def build(self, source: Path, key: str, setup_command: str | None, destination: Path) -> Environment:
        """Make the environment and move it to `destination` in one rename."""
        started = time.monotonic()
        self._prepare(source)
        before = listing(self.work_folder)
        editable = self.install(setup_command)
        for scratch in (".tmp", ".home"):
            discard(self.env_folder / scratch)
        take(self.env_folder)
        take(self.work_folder)
        self._clear_planted()
        if self._refused:
            self.note(self._asked_for_others())
        packages = self.packages()
        environment = Environment(
            path=destination,
            key=key,
            framework=self.framework.name,
            language=self.language,
            place=self.place,
            editable=editable,
            packages=packages,
            generated=self._generated(before),
            notes=self.notes,
            seconds=time.monotonic() - started,
        )
        (self.env_folder / "ready.json").write_text(environment.model_dump_json(indent=2))
        shutil.move(self.log, self.env_folder / "setup.log")
        discard(destination)
        self.env_folder.rename(destination)
        return environment

    def note(self, text: str) -> None:
        """Record for the owner what the environment lacks."""
        self.notes.append(text)
        with self.log.open("a") as log:
            log.write(f"NOTE: {text}\n")

    def step(self, title: str, command: list[str], *, cwd: str = "", required: bool = True) -> SandboxResult | None:
        """Run one command and log it; returns its result when it failed and was not `required`, else None."""
        self._say(title)
        with Gateway(self._origins, os.environ | self.index.proxy) as gateway:
            result = self._sandbox.run(
                command,
                mounts=[
                    Mount(self.env_folder, "/env", writable=True),
                    Mount(self.work_folder, "/work", writable=True),
                    Mount(self.cache, "/cache", writable=True),
                    *self.mounts(),
                    *self.index.mounts,
                ],
                cwd=cwd or f"/work/{self.place}".rstrip("/"),
                env={"HOME": "/env/.home", "TMPDIR": "/env/.tmp"} | self.variables() | self.index.env,
                timeout=self._timeout,
                gateway=gateway,
                label=self._label,
                limits=self._limits,
            )
        self._refused |= dict.fromkeys(gateway.refused)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{result.output}\n[{result.seconds:.1f} s, exit {result.exit_code}]\n")
        if result.exit_code == 0 and result.killed_reason is None:
            return None
        if required:
            raise self._failure(title, result)
        return result

    def _prepare(self, source: Path) -> None:
        self.build_folder.mkdir(mode=0o755)
        for folder in (self.env_folder, self.env_folder / ".tmp", self.env_folder / ".home", self.cache):
            folder.mkdir(exist_ok=True)
        shutil.copytree(source, self.work_folder, symlinks=True)
        for folder in (self.env_folder, self.work_folder, self.cache):
            self._sandbox.hand_over(folder)
        self.log.touch(mode=0o644)
        for name in self.index.withheld:
            self.note(f"the package index setting {name} holds credentials and was left out")

    def _clear_planted(self) -> None:
        """Code in the set-up could leave links: what we write must not go through one, and none may be mounted."""
        for name in _OURS:
            place = self.env_folder / name
            if place.is_symlink():
                place.unlink()
            else:
                discard(place)
        for name in _MOUNTED:
            if (self.env_folder / name).is_symlink():
                raise EnvironmentSetupError(f"The set-up put a link in the place of /env/{name}.", "", self.remedy)

    def _generated(self, before: set[str]) -> list[str]:
        """Keep the files that were written among the sources."""
        return move_generated(self.work_folder, before, self.env_folder / "generated")

    def _failure(self, title: str, result: SandboxResult) -> EnvironmentSetupError:
        end = f"killed by a limit ({result.killed_reason})" if result.killed_reason else f"exit {result.exit_code}"
        return EnvironmentSetupError(
            f"The project's environment could not be made: {title}: {end} after {result.seconds:.0f} s.",
            result.output[-_TAIL:],
            f"{self._asked_for_others()}; or {self.remedy}" if self._refused else self.remedy,
        )

    def _asked_for_others(self) -> str:
        """What the owner is told of hosts that the set-up was not let through to."""
        names = ", ".join(self._refused)
        return (
            f"what was installed asked for hosts that are no package indexes ({names}) and was not let through: add "
            "one to testing.setup_hosts only if you know why it is asked for"
        )
