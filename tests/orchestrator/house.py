"""A whole daemon for tests: a real repository, a scripted model server, and `main.py` in its own process.

A house is a repository with its configuration, in a folder of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import psutil
import yaml

from config import load_settings
from config.paths import ProjectPaths
from memory import MemoryStore, Priority, Task, TaskStatus, TaskType, new_task_id
from memory.database.schema import tasks
from tests.orchestrator.scripts import ADD_TASK, CALC, CALC_TESTS
from tests.warm import WarmProcess

ROOT = Path(__file__).parents[2]

Daemon: TypeAlias = "subprocess.Popen[bytes] | WarmProcess"


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return its output."""
    identity = ["-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "safe.directory=*"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_repository(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A repository with a module, its test, and the given files."""
    folder.mkdir(parents=True)
    for path, text in ({"calc.py": CALC, "tests/test_calc.py": CALC_TESTS} | (files or {})).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@dataclass
class House:
    """A configuration, a repository and a way to start daemons on them."""

    folder: Path
    repository: Path
    server_url: str
    data: Path
    settings: dict[str, dict[str, object]] = field(default_factory=dict)
    cold: bool = False
    """Whether its processes start as an owner starts them, instead of being forked with everything imported."""

    def __post_init__(self) -> None:
        self.write_config()

    def write_config(self, **sections: dict[str, object]) -> None:
        """Write config.yaml; `sections` replace single keys."""
        values: dict[str, dict[str, object]] = {
            "llm": {
                "provider": "openai_compatible", "base_url": self.server_url, "model": "scripted", "api_key": "k-test",
                "timeout": 20, "max_retries": 2, "profile": "strong", "capabilities": {"tools": False},
            },
            "git": {"repository_url": str(self.repository)},
            "file_system": {"workspace_path": str(self.folder / "workspace"), "data_path": str(self.data)},
            "orchestrator": {"check_interval": 1, "shutdown_grace": 1},
            "monitoring": {"logs_path": str(self.folder / "logs")},
            "api": {"enabled": False, "port": 0},
        }  # fmt: skip
        for source in (self.settings, sections):
            for section, changes in source.items():
                values.setdefault(section, {}).update(changes)
        self.config.write_text(yaml.safe_dump(values), encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def paths(self) -> ProjectPaths:
        return ProjectPaths.of(load_settings(self.config), self.folder)

    @property
    def typed(self) -> str:
        """What hints say to type before a subcommand."""
        return f"python main.py --config {self.config}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "main.py"), *self._arguments(*arguments)]

    def cli(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command until it ends."""
        environment = self._environment()
        if self.cold or stdin is not None:
            command = self.command(*arguments)
            return subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=250, env=environment)
        with TemporaryDirectory(dir=self.folder) as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            process = WarmProcess(self._arguments(*arguments), environment, output, errors)
            try:
                code = process.wait(250)
            finally:
                process.kill()
            return subprocess.CompletedProcess(arguments, code, output.read_text("utf-8"), errors.read_text("utf-8"))

    def run_until_idle(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.cli("run", "--until-idle", *arguments)

    @contextmanager
    def daemon(self, *arguments: str) -> Iterator[Daemon]:
        """A running daemon; killed at the end of the block if it still runs."""
        path = self.folder / "daemon.log"
        with path.open("a", encoding="utf-8") as log:
            process: Daemon = (
                subprocess.Popen(self.command("run", *arguments), stdout=log, stderr=log, env=self._environment())
                if self.cold
                else WarmProcess(self._arguments("run", *arguments), self._environment(), path, path)
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(120)

    @contextmanager
    def store(self) -> Iterator[MemoryStore]:
        store = MemoryStore(self.paths.database_url)
        try:
            store.migrate()
            yield store
        finally:
            store.close()

    def submit(
        self,
        description: str = ADD_TASK,
        title: str = "Add add",
        *,
        type: TaskType = TaskType.CODE,
        priority: int = Priority.MEDIUM,
        depends_on: Sequence[str] = (),
    ) -> str:
        """Like `task add`, but without starting a process."""
        task_id, after = new_task_id(), list(depends_on)
        task = Task(id=task_id, title=title, description=description, type=type, priority=priority, depends_on=after)
        with self.store() as store:
            assert store.tasks.add(task)
        return task_id

    def tell(self, command: str, task_id: str) -> None:
        """Like `task cancel|retry|approve`, but without starting a process."""
        with self.store() as store:
            store.commands.send(command, task_id)

    def shift_start(self, task_id: str, *, hours: float) -> None:
        """Move the start of a task by `hours`, since no test can wait that long."""
        moved = datetime.now(UTC) + timedelta(hours=hours)
        with self.store() as store, store._database.write() as connection:
            connection.execute(tasks.update().where(tasks.c.id == task_id).values(started_at=moved))

    def task(self, task_id: str) -> Task:
        with self.store() as store:
            return store.tasks.get(task_id)

    def wait_for(self, task_id: str, *statuses: TaskStatus, seconds: float = 200) -> Task:
        """Wait until the task has one of `statuses` and return it."""
        return self.wait(lambda store: (task := store.tasks.get(task_id)).status in statuses and task, seconds)

    def wait(self, condition: Callable[[MemoryStore], object], seconds: float = 200) -> Task:
        """Wait until `condition` is true and return its result; polls, since another process makes it true."""
        deadline = time.monotonic() + seconds
        with self.store() as store:
            while time.monotonic() < deadline:
                if found := condition(store):
                    return found  # type: ignore[return-value]  # callers that use the result return a task
                time.sleep(0.05)
            listed = [(task.id, task.status, task.stage, task.reason_detail) for task in store.tasks.select()]
        raise AssertionError(f"not within {seconds} s; tasks: {listed}")

    def landed(self, branch: str = "agents/integration") -> list[str]:
        """Subjects of the commits on the landing branch of the owner's repository, newest first, without the base."""
        if not git(self.repository, "branch", "--list", branch):
            return []
        return git(self.repository, "log", "--format=%s", f"main..{branch}").splitlines()

    def log(self) -> str:
        """The text of the daemon's log file."""
        return (self.folder / "logs" / "agents.log").read_text(encoding="utf-8")

    def litter(self) -> list[str]:
        """Processes, worktrees and locks that are left although no task is at work and no daemon runs."""
        clone, here = self.paths.clone, str(self.folder)
        found = [f"process {process.info['cmdline']}" for process in psutil.process_iter(["cmdline"])
                 if any(here in part for part in process.info["cmdline"] or [])]  # fmt: skip
        found += [str(path) for path in self.paths.workspace.glob("worktrees/*")]
        found += git(clone, "worktree", "list", "--porcelain").split("\n\n")[1:]
        found += [str(path) for path in clone.rglob("*.lock") if path.parent.name != "agents"]
        return found

    @property
    def temporary(self) -> Path:
        """The daemon's $TMPDIR, where its test runs create their folders."""
        return self.folder / "tmp"

    def _arguments(self, *arguments: str) -> list[str]:
        return ["--config", str(self.config), *arguments]

    def _environment(self) -> dict[str, str]:
        kept = ("PATH", "HOME", "LANG", "PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
        self.temporary.mkdir(exist_ok=True)
        return {name: os.environ[name] for name in kept if name in os.environ} | {"TMPDIR": str(self.temporary)}


def eventually(holds: Callable[[], object], what: str, seconds: float = 200) -> None:
    """Wait until `holds` is true, by polling; for conditions without an event, such as those of other processes.

    It rests at least as long as it looked: a look may walk all processes, and what is awaited needs the processor, too.
    """
    deadline = time.monotonic() + seconds
    looked = time.monotonic()
    while not holds():
        now = time.monotonic()
        assert now < deadline, f"not within {seconds} s: {what}"
        time.sleep(max(0.01, now - looked))
        looked = time.monotonic()


def children(process: Daemon) -> list[psutil.Process]:
    """All processes that a daemon started, directly or indirectly."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def in_sandbox(process: Daemon) -> bool:
    """Whether a daemon is running something in the sandbox at this moment."""
    for child in children(process):
        with suppress(psutil.NoSuchProcess):
            if child.name() == "bwrap":
                return True
    return False


def all_end(processes: Sequence[psutil.Process]) -> bool:
    """Whether these processes end within a minute."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


def stop(process: Daemon, sent: signal.Signals = signal.SIGTERM) -> int:
    """Send a daemon a signal and wait for its end; returns the exit code."""
    process.send_signal(sent)
    return process.wait(120)
