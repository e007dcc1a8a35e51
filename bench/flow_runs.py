"""Runs the tasks of a set through the real flow: one daemon for each repository, one or several tasks at a time."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from pydantic import BaseModel

from bench.task_sets import BenchTask, TaskSet
from config import ProjectPaths, load_settings
from memory import ENDED, MemoryStore, SuiteQuality, Task, TaskStatus
from testing import EnvironmentManager, Sandbox, TestRunner

ROOT = Path(__file__).resolve().parent.parent
_BRANCH = "agents/integration"
_POLL_SECONDS = 0.3
_STOP_SECONDS = 30


class TaskResult(BaseModel):
    """How one task of a set ended."""

    task: str
    repository: str
    status: TaskStatus
    reason: str = ""
    detail: str = ""
    landed: bool
    wrong: bool | None = None
    """Whether it landed although the hidden tests fail; None if it did not land or has no hidden tests."""
    strategy: str = ""
    approaches: int = 0
    attempts: dict[str, int] = {}
    """Strategy -> number of attempts."""
    mutants: int = 0
    killed: int = 0
    """`mutants`: small faults put into the accepted code; `killed`: those that its tests noticed."""
    generations: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    """From its start to its end, including the time spent on other tasks meanwhile."""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class DaemonDied(Exception):
    """The daemon under test ended by itself."""


def run_set(
    chosen: TaskSet,
    config: Mapping[str, Mapping[str, object]],
    *,
    parallel: int,
    without: Sequence[str] = (),
    seed: int = 0,
    home: Path | None = None,
) -> Iterator[TaskResult]:
    """Results in the order in which tasks end. Raises `DaemonDied` with the end of the daemon's log.

    `config`: sections as in `config.yaml`. `without`: parts to switch off (`bench/switches.py`). `seed` is added to the
    seed of every sample. Repositories, databases, logs and project environments stay in `home`, for inspection and for
    the next run; without `home` they are removed.
    """
    with ExitStack() as stack:
        root = home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, files in chosen.repositories.items():
            tasks = [task for task in chosen.tasks if task.repository == name]
            if tasks:
                house = _House(root / name, root / "data", files, config)
                with house.daemon(without, seed):
                    yield from house.solve(tasks, parallel)


class _House:
    """One repository, its configuration and its daemon."""

    def __init__(
        self, home: Path, data: Path, files: Mapping[str, str], config: Mapping[str, Mapping[str, object]]
    ) -> None:
        """`home` holds everything of this run except databases and project environments, which are in `data`."""
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self._home = home
        self._repository = home / "repository"
        for path, text in files.items():
            (self._repository / path).parent.mkdir(parents=True, exist_ok=True)
            (self._repository / path).write_text(text, encoding="utf-8")
        self._git("init", "-q", "-b", "main")
        self._git("add", "-A")
        self._git("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "commit", "-q", "-m", "As it was")
        own: dict[str, dict[str, object]] = {
            "git": {"repository_url": str(self._repository), "landing": "integration", "integration_branch": _BRANCH},
            "file_system": {"workspace_path": str(home / "workspace"), "data_path": str(data)},
            "monitoring": {"logs_path": str(home / "logs")},
            "database": {"url": ""},
            "project": {"goal": "", "tasks_from": []},
        }
        merged = {name: {**config.get(name, {}), **own.get(name, {})} for name in {*config, *own}}
        self._config = home / "config.yaml"
        self._config.write_text(yaml.safe_dump(merged), encoding="utf-8")
        self._paths = ProjectPaths.of(load_settings(self._config), home)
        shutil.rmtree(self._paths.state, ignore_errors=True)
        self._paths.state.mkdir(parents=True, mode=0o700)
        self._store = MemoryStore(self._paths.database_url)
        self._store.migrate()

    @contextmanager
    def daemon(self, without: Sequence[str], seed: int) -> Iterator[None]:
        log = (self._home / "daemon.log").open("w", encoding="utf-8")
        program = ["-m", "bench.switches", str(seed), *without, "--"] if seed or without else [str(ROOT / "main.py")]
        command = [sys.executable, *program, "--config", str(self._config), "run"]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=ROOT)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            log.close()
            self._store.close()

    def solve(self, tasks: Sequence[BenchTask], parallel: int) -> Iterator[TaskResult]:
        """Keep `parallel` tasks at work until all have ended."""
        waiting, open_ids = deque(tasks), dict[str, BenchTask]()
        while waiting or open_ids:
            while waiting and len(open_ids) < parallel:
                task = waiting.popleft()
                row = Task(
                    id=f"bench-{len(tasks) - len(waiting)}",
                    title=task.title,
                    description=task.instruction,
                    tests_file=task.tests_file,
                    tests=task.tests,
                )
                self._store.tasks.add(row)
                open_ids[row.id] = task
            time.sleep(_POLL_SECONDS)
            if self._process.poll() is not None:
                tail = (self._home / "daemon.log").read_text(encoding="utf-8")[-2000:]
                raise DaemonDied(f"exit code {self._process.returncode}:\n{tail}")
            for task_id in list(open_ids):
                ended = self._store.tasks.get(task_id)
                if ended.status in ENDED:
                    yield self._result(open_ids.pop(task_id), ended)

    def _result(self, task: BenchTask, ended: Task) -> TaskResult:
        landed = ended.status is TaskStatus.COMPLETED
        attempts = self._store.evidence.attempts(ended.id)
        usage = next(iter(self._store.ledger.usage("task", task_ids=[ended.id])), None)
        quality = SuiteQuality.model_validate(ended.result.get("quality") or {})
        started, finished = ended.started_at, ended.finished_at
        return TaskResult(
            task=task.id,
            repository=task.repository,
            status=ended.status,
            reason=ended.reason or "",
            detail=ended.reason_detail[:500],
            landed=landed,
            wrong=not self._passes_hidden_tests(task) if landed and task.hidden else None,
            strategy=str(ended.result.get("strategy", "")),
            approaches=max((attempt.approach for attempt in attempts), default=0),
            attempts=dict(Counter(attempt.strategy for attempt in attempts)),
            mutants=quality.mutants,
            killed=quality.killed,
            generations=usage.calls if usage else 0,
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
            cached_tokens=usage.cached_tokens if usage else 0,
            seconds=round((finished - started).total_seconds(), 1) if started and finished else 0.0,
        )

    def _passes_hidden_tests(self, task: BenchTask) -> bool:
        """Whether the landed code passes the hidden tests."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            files = Path(folder) / "work"
            subprocess.run(["git", "clone", "-q", "--branch", _BRANCH, str(self._repository), str(files)], check=True)
            shutil.rmtree(files / ".git")
            (files / task.hidden_file).write_text(task.hidden, encoding="utf-8")
            sandbox = Sandbox()
            environment = EnvironmentManager(self._paths.data, sandbox).ensure(files)
            return TestRunner(sandbox).run_specific_test(files, environment, task.hidden_file).passed

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(self._repository), *arguments], check=True)
