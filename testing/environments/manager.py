"""A project's dependencies, installed once per content of its dependency files and kept outside its sources.

An environment is built in the sandbox with network and no secrets, at the paths it will always have there (/env, with
the sources at /work), then made read-only to sandboxed code. A build that is cut short leaves nothing that counts.

What a set-up runs it may leave behind in the environment. So one that many runs share is made of sources that have
landed, and one of other dependency files than theirs is made for a single tree, apart from all others.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from monitoring import get_logger
from testing.environments.compiled_setup import GoSetup, RustSetup
from testing.environments.environment import Environment
from testing.environments.javascript_setup import NodeSetup
from testing.environments.python_dependencies import content_hash
from testing.environments.python_setup import PythonSetup
from testing.environments.setup import Progress, Setup
from testing.environments.toolchains import Language
from testing.errors import EnvironmentSetupError
from testing.frameworks.registry import FRAMEWORKS, language_of
from testing.sandbox.limits import SETUP_LIMITS, SandboxLimits
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.supervisor import end_orphans
from testing.sandbox.user import discard

_log = get_logger(__name__)

_RECIPE = 3  # part of every key: raise it when an environment is built differently
_SETUP_SECONDS = 900.0
_MOST_STEPS = 5
_LOOK = 0.2
"""Seconds between two looks whether another process has made an environment."""
_BUILDING = ".building-"
_SETUPS: dict[Language, type[Setup]] = {setup.language: setup for setup in (PythonSetup, NodeSetup, GoSetup, RustSetup)}


@dataclass(frozen=True)
class _Job:
    """How one environment is made."""

    framework: str
    setup_command: str | None
    release: str
    say: Progress
    label: str
    place: str


class EnvironmentManager:
    """Makes environments and hands out those that are there. Safe between threads and processes."""

    def __init__(
        self,
        data_path: Path,
        sandbox: Sandbox,
        *,
        timeout: float = _SETUP_SECONDS,
        limits: SandboxLimits = SETUP_LIMITS,
        hosts: Sequence[str] = (),
    ) -> None:
        """Environments live in `data_path/environments`; `timeout` and `limits` are those of one set-up step. `hosts`:
        what a set-up may reach beside package indexes, each `HOST` or `HOST:PORT`."""
        self.root = data_path.resolve() / "environments"
        self._sandbox = sandbox
        self._timeout = timeout
        self._limits = limits
        self._hosts = [*hosts]

    def key(
        self,
        source: Path,
        framework: str = "pytest",
        setup_command: str | None = None,
        release: str = "",
        place: str = "",
    ) -> str:
        """What the environment of the project in the folder `place` of the sources at `source` is kept under."""
        project = source / place
        setup = _SETUPS[language_of(framework, project)]
        parts = (
            str(_RECIPE),
            *setup.identity(FRAMEWORKS[framework]),
            setup_command or "",
            content_hash(project, setup.files(project)),
            *setup.versions(project, release)[:1],
            *([place] if place else []),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    def ensure(
        self,
        source: Path,
        *,
        framework: str = "pytest",
        setup_command: str | None = None,
        release: str = "",
        progress: Progress | None = None,
        label: str = "",
        landed: Callable[[], AbstractContextManager[Path]] | None = None,
        tree: str = "",
        place: str = "",
    ) -> Environment:
        """The environment for the sources at `source` (an exported tree, left as it is), built if need be; that of the
        project in their folder `place`.

        `landed` lays out the sources that have landed, None if `source` is that: with the same dependency files, they
        are what is built. With others, the environment is for the tree with the hash `tree` alone.

        `setup_command` runs by `sh` at /work, with network and the environment's programs first on PATH, in place of
        what the dependency files say. `release`: the project's version by its newest tag. `progress` is called with
        each step; `label` is what `Sandbox.kill` knows the build by.

        Raises EnvironmentSetupError when it cannot be built, SandboxUnavailable when nothing may be run.
        """
        key = self.key(source, framework, setup_command, release, place)
        ready = self._ready(key)
        if ready is not None:
            return ready
        job = _Job(framework, setup_command, release, progress or (lambda message: None), label, place)
        if landed is None:
            return self._made(key, source, job)
        with landed() as sources:
            if (sources / place).is_dir() and self.key(sources, framework, setup_command, release, place) == key:
                return self._made(key, sources, job)
        _log.info("the dependency files have not landed: an environment for this tree alone", tree=tree)
        return self._made(hashlib.sha256(f"{key}\0{tree}".encode()).hexdigest()[:20], source, job)

    def _made(self, key: str, source: Path, job: _Job) -> Environment:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o711)  # 0711: entered by the sandbox user in tier 4
        with self._locked(key, job.say):
            ready = self._ready(key)
            if ready is not None:
                return ready
            self._sweep(key)
            build = self.root / f"{_BUILDING}{key}-{os.getpid()}"
            project = source / job.place
            kind = _SETUPS[language_of(job.framework, project)]
            try:
                setup = kind(
                    self._sandbox,
                    build,
                    FRAMEWORKS[job.framework],
                    timeout=self._timeout,
                    limits=self._limits,
                    say=job.say,
                    label=job.label,
                    versions=kind.versions(project, job.release),
                    hosts=self._hosts,
                    place=job.place,
                )
                environment = setup.build(source, key, job.setup_command, self.root / key)
                self._failed_log(key).unlink(missing_ok=True)
            except OSError as error:
                raise EnvironmentSetupError(
                    f"The project's environment could not be written below {self.root}: {error}.",
                    "",
                    "see that its disk has space and that the daemon may write there.",
                ) from error
            finally:
                self._keep_log(build, key)
                discard(build)
        _log.info("environment ready", key=key, seconds=round(environment.seconds, 1), notes=environment.notes)
        return environment

    def find(
        self, source: Path, framework: str, setup_command: str | None, release: str, place: str = ""
    ) -> Environment | None:
        """The environment for the sources at `source`, if it is there."""
        record = self.root / self.key(source, framework, setup_command, release, place) / "ready.json"
        return _read(record) if record.is_file() else None

    def forget_unused(self, days: float) -> int:
        """Remove environments that nothing has used for `days`; returns how many. Only while no test runs here."""
        removed = 0
        oldest = time.time() - days * 86_400
        for record in self.root.glob("[!.]*/ready.json"):
            key = record.parent.name
            with (self.root / ".locks" / key).open("w") as lock, suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if record.stat().st_mtime < oldest:
                    record.unlink()  # first: without it the rest is not an environment
                    discard(record.parent)
                    removed += 1
        return removed

    def _ready(self, key: str) -> Environment | None:
        record = self.root / key / "ready.json"
        if not record.is_file():
            return None
        with suppress(OSError):  # another user's, or a full disk
            os.utime(record)  # when it was last used
        return _read(record)

    @contextmanager
    def _locked(self, key: str, say: Progress) -> Iterator[None]:
        locks = self.root / ".locks"
        locks.mkdir(exist_ok=True)
        with (locks / key).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for the same environment to be made by another task")
                self._wait_for(lock.fileno(), key)
            yield

    def _wait_for(self, lock: int, key: str) -> None:
        """Wait for who makes the environment, no longer than all steps of a set-up may take."""
        longest = _MOST_STEPS * self._timeout
        deadline = time.monotonic() + longest
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(_LOOK)
        raise EnvironmentSetupError(
            f"Another process has been making the same environment for over {longest:g} s.",
            f"It holds {self.root / '.locks' / key}.",
            "see which process that is (`fuser` shows it), end it if it hangs, then retry the task.",
        )

    def _sweep(self, own: str) -> None:
        """Delete builds that were cut short: those whose lock nobody holds."""
        for folder in self.root.glob(f"{_BUILDING}*"):
            key = folder.name.removeprefix(_BUILDING).partition("-")[0]
            with (self.root / ".locks" / key).open("w") as lock, suppress(BlockingIOError):
                if key != own:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                end_orphans(str(folder))
                discard(folder)

    def _keep_log(self, build: Path, key: str) -> None:
        """A failed build's log stays beside the environments."""
        log = build / "setup.log"
        if log.is_file():
            shutil.move(log, self._failed_log(key))

    def _failed_log(self, key: str) -> Path:
        return self.root / f"{key}.failed.log"


def _read(record: Path) -> Environment:
    return Environment.model_validate_json(record.read_text()).model_copy(update={"path": record.parent})
