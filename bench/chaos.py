"""Kills a working daemon again and again, and counts what was lost, done twice or left behind.

    python -m bench.chaos                     40 tasks, 60 kills
    python -m bench.chaos --kills 10 --tasks 6 --seed 3

A real daemon works on code tasks with real git, the real sandbox and a scripted model server that answers with a delay.
SIGKILL ends it at random moments, also while it starts: in turn the daemon alone, and the daemon with every process it
started, as in a power failure. It is started again each time, and after the last kill it runs until all tasks have
ended. The exit code is 1 if a count that should be zero is not.

This cannot show what happens if a disk loses data that was not synced; for that the daemon relies on SQLite and git.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil
from pydantic import BaseModel
from sqlalchemy import make_url

from memory import ENDED, TaskStatus
from tests.orchestrator.house import Daemon, House, children, git, make_repository
from tests.orchestrator.scripts import team
from tests.support import Answer, Reply, Request, ScriptedModelServer

_SHORTEST, _LONGEST = 0.3, 6.0
"""Seconds a daemon lives before it is killed; its start takes about two of them."""
_ANSWER_SECONDS = (0.1, 0.8)
_ARRIVED_SECONDS = 1.0
"""An answer sent at least this long before a kill counts as arrived, even if it is not in the ledger."""
_ON_ITS_WAY_SECONDS = 0.5
"""A request received this soon after a kill was sent before it, since no daemon starts so fast."""
_PATIENCE = 900.0
_ENDING_SECONDS = 5.0
_IDLE_SECONDS = 60.0
_PARTS = 20
"""Modules of the repository: so few that the model works without tools and that several tasks change the same one."""
_TRAILERS = "--format=%(trailers:key=Task-Id,valueonly,separator=)|%(trailers:key=Stage,valueonly,separator=)"


class Chaos(BaseModel):
    """The counts. All from `not_completed` on should be zero."""

    tasks: int
    kills: int
    killed_alone: int
    killed_with_all: int
    restarts_seconds: float
    """Seconds from the first start of the daemon to its last end."""
    completed: int = 0
    model_calls: int = 0
    repeated_unanswered: int = 0
    """Calls repeated because a kill came before their answer arrived."""
    not_completed: int = 0
    landed_not_once: int = 0
    """Tasks that do not have exactly one commit of tests and one of code on the landing branch."""
    landing_branch_red: int = 0
    answered_calls_repeated: int = 0
    processes_left: int = 0
    worktrees_left: int = 0
    branches_left: int = 0
    locks_left: int = 0
    folders_left: int = 0
    databases_broken: int = 0
    unfinished_jobs: int = 0
    """Jobs that the engine had not finished some time after all tasks had ended."""
    in_words: list[str] = []
    """What was left behind, unfinished or repeated, one line each."""

    @property
    def faults(self) -> dict[str, int]:
        """The counts that should be zero and are not."""
        names = list(type(self).model_fields)
        counts = {name: int(getattr(self, name)) for name in names[names.index("not_completed") : -1]}
        return {name: count for name, count in counts.items() if count}


class _Script:
    """The scripted model: gives right answers, but for every fourth task only at the second request."""

    def __init__(self, seed: int) -> None:
        self._chooser = random.Random(seed)
        self._team = team(code=self._code)
        self._first: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            answer, seconds = self._team(request), self._chooser.uniform(*_ANSWER_SECONDS)
        reply = answer if isinstance(answer, Reply) else Reply.text(answer) if isinstance(answer, str) else None
        return (reply or Reply.json(answer)).after(seconds)  # type: ignore[arg-type]  # no other kinds here

    def _code(self, request: Request) -> Answer:
        number = int(re.findall(r"# Task: Add add_(\d+)", request.prompt)[0])
        first = self._first.setdefault(str(number), request.prompt)
        amount = number + 1 if number % 4 == 0 and request.prompt == first else number
        part = _part(number)
        present = {other for other in map(int, re.findall(r"def add_(\d+)\(", request.prompt)) if _part(other) == part}
        functions = [_function(other, other) for other in sorted(present - {number})] + [_function(number, amount)]
        return (
            f"### part_{part}.py\n```python\n{_module(part)}" + "".join(f"\n\n{each}" for each in functions) + "```\n"
        )


def chaos(folder: Path, *, tasks: int, kills: int, seed: int, data: Path | None = None) -> Chaos:
    """Run it in an empty `folder`; `data` may be a folder that already has the project environments."""
    chooser = random.Random(seed)
    files = {f"part_{part}.py": _module(part) for part in range(_PARTS)}
    with ScriptedModelServer(_Script(seed)) as server:
        repository = make_repository(folder / "repository", files)
        settings: dict[str, dict[str, object]] = {"orchestrator": {"task_timeout": 3600}}
        house = House(folder, repository, server.url, data or folder / "data", settings, cold=True)
        ids = [house.submit(_task(number), f"Add add_{number}") for number in range(1, tasks + 1)]
        started, done = time.monotonic(), list[_Kill]()
        for number in range(kills):
            with house.daemon() as daemon:
                with suppress(subprocess.TimeoutExpired):
                    daemon.wait(chooser.uniform(_SHORTEST, _LONGEST))
                    raise AssertionError(f"the daemon ended by itself:\n{(folder / 'daemon.log').read_text()[-3000:]}")
                done.append(_kill(daemon, with_all=number % 2 == 1))
        with house.daemon() as daemon:
            house.wait(lambda store: all(store.tasks.get(one).status in ENDED for one in ids), _PATIENCE)
            # Before SIGTERM, because an idle daemon may start a round of the CEO, which would stay unfinished.
            unfinished = _settled(lambda: _unfinished_jobs(house), _IDLE_SECONDS)
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
        alone = sum(not kill.with_all for kill in done)
        result = Chaos(
            tasks=tasks,
            kills=kills,
            killed_alone=alone,
            killed_with_all=kills - alone,
            restarts_seconds=round(time.monotonic() - started, 1),
            unfinished_jobs=len(unfinished),
        )
        repeated, calls = _calls(house, server, done)
        left, litter = _litter(house)
        words = [f"left: {each}" for each in left] + [f"unfinished: {each}" for each in unfinished] + repeated
        return result.model_copy(update=calls | _work(house, ids) | litter | {"in_words": words})


class _Kill(NamedTuple):
    """When it began and when the daemon was gone (monotonic seconds); work done in between leaves no record."""

    began: float
    ended: float
    with_all: bool


def _kill(daemon: Daemon, *, with_all: bool) -> _Kill:
    began = time.monotonic()
    started = children(daemon) if with_all else []
    for process in started:  # all are stopped first, so that none can react to the end of another
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    daemon.kill()
    for process in started:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    daemon.wait(30)
    return _Kill(began, time.monotonic(), with_all)


def _calls(house: House, server: ScriptedModelServer, kills: Sequence[_Kill]) -> tuple[list[str], dict[str, int]]:
    """The needlessly repeated calls, one line each, and the counts of calls.

    Repeating a call is right if a kill came before its answer arrived. An answer had arrived if it is in the ledger or
    was sent well before the kill.
    """
    database = Path(str(make_url(house.paths.database_url).database))
    stored = _rows(database, "SELECT prompt, created_at FROM model_calls WHERE outcome = 'ok'")
    last: dict[str, Request] = {}
    cut, repeated = 0, []
    for request in server.requests:
        question = repr(sorted(request.body.items()))
        if before := last.get(question):
            until = min(request.received_at, (server.sent_at(before) or request.received_at) + _ARRIVED_SECONDS)
            lost = any(before.received_at < kill.ended + _ON_ITS_WAY_SECONDS and kill.began < until for kill in kills)
            asked_again = datetime.fromtimestamp(time.time() - time.monotonic() + request.received_at, UTC)
            lost = lost and not any(
                request.prompt in prompt and datetime.fromisoformat(at).replace(tzinfo=UTC) < asked_again
                for prompt, at in stored
            )
            cut += lost
            if not lost:
                times = [before.received_at, server.sent_at(before) or 0, request.received_at]
                around = [kill for kill in kills if times[0] - 3 < kill.began < times[2]]
                repeated.append(f"repeated: received, sent, again {times}, kills {around}: {request.prompt[:200]!r}")
        last[question] = request
    counts = {"model_calls": len(server.requests), "repeated_unanswered": cut, "answered_calls_repeated": len(repeated)}
    return repeated, counts


def _work(house: House, ids: Sequence[str]) -> dict[str, int]:
    """How the tasks ended, and whether the suite passes on the landing branch."""
    statuses = [house.task(one).status for one in ids]
    completed = sum(status is TaskStatus.COMPLETED for status in statuses)
    stages = Counter(git(house.repository, "log", _TRAILERS, "main..agents/integration").splitlines())
    once = sum(stages[f"{one}|tests"] == 1 == stages[f"{one}|code"] for one in ids)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["git", "clone", "-q", "--branch", "agents/integration", str(house.repository), folder], check=True
        )
        suite = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
                               cwd=folder, capture_output=True, text=True)  # fmt: skip
    return {
        "completed": completed,
        "not_completed": len(ids) - completed,
        "landed_not_once": len(ids) - once,
        "landing_branch_red": int(suite.returncode != 0),
    }


def _litter(house: House) -> tuple[list[str], dict[str, int]]:
    """What is left behind although no task is open and no daemon runs: names, and counts."""
    paths = house.paths
    processes = _processes(str(house.folder))
    branches = git(
        paths.clone, "for-each-ref", "--format=%(refname)", "refs/heads/agents/task", "refs/agents/candidates"
    )
    databases = [Path(str(make_url(url).database)) for url in (paths.database_url, paths.engine_url)]
    return [*processes, *branches.split()], {
        "processes_left": len(processes),
        "worktrees_left": len(list(paths.workspace.glob("worktrees/*")))
        + git(paths.clone, "worktree", "list", "--porcelain").count("\n\nworktree"),
        "branches_left": len(branches.split()),
        "locks_left": sum(path.parent.name != "agents" for path in paths.clone.rglob("*.lock")),
        "folders_left": len(list(house.temporary.iterdir())),
        "databases_broken": sum(_rows(file, "PRAGMA integrity_check") != [("ok",)] for file in databases),
    }


def _processes(here: str) -> list[str]:
    """Command lines of processes that the daemons started and that still run after a few seconds."""

    def found() -> list[str]:
        commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        return [command for command in commands if here in command]

    return _settled(found, _ENDING_SECONDS)


def _settled(look: Callable[[], list[str]], seconds: float) -> list[str]:
    """What `look` still returns after `seconds`; returns early once that is nothing."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _unfinished_jobs(house: House) -> list[str]:
    database = Path(str(make_url(house.paths.engine_url).database))
    names = "SELECT workflow_uuid FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
    return [name for (name,) in _rows(database, names)]


def _rows(database: Path, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def _part(number: int) -> int:
    return number % _PARTS


def _module(number: int) -> str:
    return f'"""Part {number}."""\n\n\ndef double_{number}(x: int) -> int:\n    """Twice `x`."""\n    return 2 * x\n'


def _function(number: int, amount: int) -> str:
    return f'def add_{number}(x: int) -> int:\n    """`x` and {number}."""\n    return x + {amount}\n'


def _task(number: int) -> str:
    return (
        f"Add `add_{number}(x: int) -> int` to part_{_part(number)}.py. "
        f"`add_{number}(1)` returns `{number + 1}` and `add_{number}(-1)` returns `{number - 1}`."
    )


def main() -> int:
    """Run it and print the counts; 1 if one that should be zero is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        result = chaos(Path(folder), tasks=chosen.tasks, kills=chosen.kills, seed=chosen.seed)
    if chosen.json:
        print(result.model_dump_json(indent=2))
    else:
        for name, count in result.model_dump(exclude={"in_words"}).items():
            print(f"{name.replace('_', ' '):26} {count:>8}{'   <-- should be 0' if name in result.faults else ''}")
        print("".join(f"{each}\n" for each in result.in_words), end="")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
