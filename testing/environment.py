"""A project's dependencies, installed once per content of its dependency files and kept outside its sources.

An environment is built in the sandbox with network and no secrets, at the paths it will always have there (/env, with
the sources at /work), then made read-only to sandboxed code. A build that is cut short leaves nothing that counts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from monitoring import get_logger
from testing.dependencies import Dependencies, read_dependencies, version_variables
from testing.errors import EnvironmentSetupError
from testing.generated import keep_generated, lay_generated, listing
from testing.index_settings import IndexSettings, index_settings
from testing.limits import SETUP_LIMITS, SandboxLimits
from testing.mounts import Mount, base_interpreter
from testing.ownership import discard
from testing.sandbox import Sandbox, SandboxResult
from testing.setup_plan import (
    FRAMEWORK_PACKAGES,
    PYTHON,
    VENV,
    Framework,
    Installation,
    catalogue_commands,
    create_venv,
    has_module,
    install,
    installations,
    uv_mount,
)

_log = get_logger(__name__)

_RECIPE = 1  # part of every key: raise it when an environment is built differently
_SETUP_SECONDS = 900.0
_TAIL = 4000
_BUILDING = ".building-"

Progress = Callable[[str], None]


class Environment(BaseModel):
    """An environment that is ready; its record lies in it as `ready.json`."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """Its folder on the host: `venv/`, `generated/`, `setup.log`, `ready.json`."""
    key: str
    python: str = PYTHON
    """The interpreter's path inside the sandbox."""
    framework: Framework
    editable: bool
    """The project itself is installed, pointing to /work."""
    generated: list[str]
    """Files its installation wrote among the sources, relative to /work."""
    notes: list[str]
    """What the environment lacks and what was left out, for the owner."""
    seconds: float

    @property
    def mount(self) -> Mount:
        return Mount(self.path / "venv", VENV)

    def lay_generated(self, run_folder: Path) -> None:
        """Copy the generated files into `run_folder` where it has none of that name."""
        lay_generated(self.path / "generated", self.generated, run_folder)

    def has_module(self, module: str) -> bool:
        """Whether a top-level package of that name is installed."""
        return has_module(self.path / "venv", module)


class EnvironmentManager:
    """Makes environments and hands out those that are there. Safe between threads and processes."""

    def __init__(
        self,
        data_path: Path,
        sandbox: Sandbox,
        *,
        timeout: float = _SETUP_SECONDS,
        limits: SandboxLimits = SETUP_LIMITS,
    ) -> None:
        """Environments live in `data_path/environments`; `timeout` and `limits` are those of one set-up step."""
        self.root = data_path.resolve() / "environments"
        self._sandbox = sandbox
        self._timeout = timeout
        self._limits = limits

    def key(self, source: Path, framework: Framework = "pytest", setup_command: str | None = None) -> str:
        """What the environment of the sources at `source` is kept under."""
        return self._key(read_dependencies(source), source, framework, setup_command)

    def ensure(
        self,
        source: Path,
        *,
        framework: Framework = "pytest",
        setup_command: str | None = None,
        progress: Progress | None = None,
        label: str = "",
    ) -> Environment:
        """The environment for the sources at `source` (an exported tree, left as it is), built if need be.

        `setup_command` runs by `sh` at /work, with network and the environment's programs first on PATH, in place of
        what the dependency files say. `progress` is told each step; `label` is what `Sandbox.kill` knows the build by.

        Raises EnvironmentSetupError when it cannot be built, SandboxUnavailable when nothing may be run.
        """
        needs = read_dependencies(source)
        key = self._key(needs, source, framework, setup_command)
        ready = self._ready(key)
        if ready is not None:
            return ready
        say = progress or (lambda message: None)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o711)  # 0711: entered by the sandbox user in tier 4
        with self._locked(key, say):
            ready = self._ready(key)
            if ready is not None:
                return ready
            self._sweep(key)
            build = self.root / f"{_BUILDING}{key}-{os.getpid()}"
            try:
                setup = _Setup(self._sandbox, build, needs, framework, self._timeout, self._limits, say, label)
                environment = setup.build(source, key, setup_command, self.root / key)
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

    def _key(self, needs: Dependencies, source: Path, framework: Framework, setup_command: str | None) -> str:
        parts = (
            str(_RECIPE),
            base_interpreter().identity,
            framework,
            FRAMEWORK_PACKAGES[framework][1],
            setup_command or "",
            needs.content_hash(source),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]

    def _ready(self, key: str) -> Environment | None:
        record = self.root / key / "ready.json"
        if not record.is_file():
            return None
        return Environment.model_validate_json(record.read_text()).model_copy(update={"path": record.parent})

    @contextmanager
    def _locked(self, key: str, say: Progress) -> Iterator[None]:
        locks = self.root / ".locks"
        locks.mkdir(exist_ok=True)
        with (locks / key).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for the same environment to be made by another task")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _sweep(self, own: str) -> None:
        """Delete builds that were cut short: those whose lock nobody holds."""
        for folder in self.root.glob(f"{_BUILDING}*"):
            key = folder.name.removeprefix(_BUILDING).partition("-")[0]
            with (self.root / ".locks" / key).open("w") as lock, suppress(BlockingIOError):
                if key != own:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                discard(folder)

    def _keep_log(self, build: Path, key: str) -> None:
        """A failed build's log stays beside the environments."""
        log = build / "setup.log"
        if log.is_file():
            shutil.move(log, self._failed_log(key))

    def _failed_log(self, key: str) -> Path:
        return self.root / f"{key}.failed.log"


@dataclass
class _Setup:
    """One build."""

    sandbox: Sandbox
    build_folder: Path
    needs: Dependencies
    framework: Framework
    timeout: float
    limits: SandboxLimits
    say: Progress
    label: str
    index: IndexSettings = field(default_factory=lambda: index_settings(os.environ))
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.env_folder = self.build_folder / "env"
        self.work_folder = self.build_folder / "work"
        self.log = self.build_folder / "setup.log"
        self.cache = self.build_folder.parent / ".cache"
        self.uv = uv_mount()

    def build(self, source: Path, key: str, setup_command: str | None, destination: Path) -> Environment:
        """Make the environment and move it to `destination` in one rename."""
        started = time.monotonic()
        self._prepare(source)
        before = listing(self.work_folder)
        self._step("creating the virtual environment", create_venv(with_pip=setup_command is not None), cwd="/env")
        editable = self._setup_command(setup_command) if setup_command else self._installations()
        self._framework()
        self._catalogues()
        environment = Environment(
            path=destination,
            key=key,
            framework=self.framework,
            editable=editable,
            generated=self._take_over(before),
            notes=self.notes,
            seconds=time.monotonic() - started,
        )
        (self.env_folder / "ready.json").write_text(environment.model_dump_json(indent=2))
        shutil.move(self.log, self.env_folder / "setup.log")
        discard(destination)
        self.env_folder.rename(destination)
        return environment

    def _prepare(self, source: Path) -> None:
        self.build_folder.mkdir(mode=0o755)
        for folder in (self.env_folder, self.env_folder / ".tmp", self.env_folder / ".home", self.cache):
            folder.mkdir(exist_ok=True)
        shutil.copytree(source, self.work_folder, symlinks=True)
        self.sandbox.hand_over(self.env_folder)
        self.sandbox.hand_over(self.work_folder)
        if self.cache.stat().st_uid != self.sandbox.identity.uid:
            self.sandbox.hand_over(self.cache)
        self.log.touch(mode=0o644)
        for name in self.index.withheld:
            self._note(f"the package index setting {name} holds credentials and was left out")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        with self.log.open("a") as log:
            log.write(f"NOTE: {text}\n")

    # ---- steps

    def _setup_command(self, command: str) -> bool:
        self._step("running testing.setup_command", ["sh", "-e", "-c", command])
        return any((self.env_folder / "venv").glob("lib/python*/site-packages/__editable__*"))

    def _installations(self) -> bool:
        """Install what the repository asks for, falling back; whether the project itself is in."""
        choices = installations(self.needs)
        for number, choice in enumerate(choices, start=1):
            failed = self._install(choice, last=number == len(choices))
            if failed is None:
                if choice.falls_short:
                    self._note(choice.falls_short)
                return choice.editable
        return False

    def _install(self, choice: Installation, *, last: bool) -> SandboxResult | None:
        return self._step(choice.title, install(choice.arguments, self.index), required=last)

    def _framework(self) -> None:
        module, package = FRAMEWORK_PACKAGES[self.framework]
        if not has_module(self.env_folder / "venv", module):
            self._step(f"installing {package}", install((package,), self.index))

    def _catalogues(self) -> None:
        for command in catalogue_commands(self.work_folder):
            if self._step("compiling the project's translations", command, required=False) is not None:
                self._note(f"the translations in {command[-3]} could not be compiled")

    def _step(
        self, title: str, command: list[str], *, cwd: str = "/work", required: bool = True
    ) -> SandboxResult | None:
        """Run one command and log it; gives its result when it failed and was not `required`, else None."""
        self.say(title)
        result = self.sandbox.run(
            command,
            mounts=self._mounts(),
            cwd=cwd,
            env=self._variables(),
            timeout=self.timeout,
            network=True,
            label=self.label,
            limits=self.limits,
        )
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{result.output}\n[{result.seconds:.1f} s, exit {result.exit_code}]\n")
        if result.exit_code == 0 and result.killed_reason is None:
            return None
        if required or result.killed_reason == "cancelled":
            raise self._failure(title, result)
        return result

    def _failure(self, title: str, result: SandboxResult) -> EnvironmentSetupError:
        end = f"stopped by its limit of {result.killed_reason}" if result.killed_reason else f"exit {result.exit_code}"
        remedy = (
            "see that the dependency files install by `pip install` in an empty environment on this machine's Python, "
            "or set testing.setup_command to the command that prepares this repository."
        )
        return EnvironmentSetupError(
            f"The project's environment could not be made: {title}: {end} after {result.seconds:.0f} s.",
            result.output[-_TAIL:],
            remedy,
        )

    def _mounts(self) -> list[Mount]:
        return [
            Mount(self.env_folder, "/env", writable=True),
            Mount(self.work_folder, "/work", writable=True),
            Mount(self.cache, "/cache", writable=True),
            self.uv,
            *self.index.mounts,
        ]

    def _variables(self) -> dict[str, str]:
        return {
            "PATH": f"{VENV}/bin:/opt/uv:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": VENV,
            "HOME": "/env/.home",
            "TMPDIR": "/env/.tmp",  # /tmp is in memory and small
            "UV_CACHE_DIR": "/cache/uv",
            "PIP_CACHE_DIR": "/cache/pip",
            "UV_LINK_MODE": "copy",  # the cache is another mount
            "UV_COMPILE_BYTECODE": "1",  # test runs cannot write any
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **version_variables(self.work_folder),
            **self.index.env,
        }

    # ---- the end

    def _take_over(self, before: set[str]) -> list[str]:
        """Make what was built the daemon's, read-only to the sandbox; gives the generated files."""
        for scratch in (".tmp", ".home"):
            discard(self.env_folder / scratch)
        self.sandbox.take_back(self.env_folder)
        self.sandbox.take_back(self.work_folder)
        generated = keep_generated(self.work_folder, before)
        self.work_folder.rename(self.env_folder / "generated")
        return generated
