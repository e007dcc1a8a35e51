"""Whether the daemon grows or slows down over a thousand tasks, and what it costs while it is idle.

    python -m bench.endurance                     1,000 tasks; three quarters of an hour
    python -m bench.endurance --tasks 100
    python -m bench.endurance --idle 600          a daemon without work for ten minutes

The daemon, git and the sandbox are real; a scripted model server answers at once. Every task sets a number in one of
twenty modules and comes with its test, so the last task finds the same repository as the first, except for its history.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel

from memory import ENDED, Task, TaskStatus, new_task_id
from tests.orchestrator.house import Daemon, House, make_repository
from tests.orchestrator.scripts import team
from tests.support import Request, ScriptedModelServer

_MODULES = 20
_POLL = 0.5
_MIB = 1024 * 1024


class Endurance(BaseModel):
    """The figures of a run of many tasks. Seconds per task are those from one landing to the next."""

    tasks: int
    completed: int
    seconds: float
    first_tenth: float
    """Median seconds per task."""
    last_tenth: float
    ratio: float
    """`last_tenth` divided by `first_tenth`."""
    memory_after_first_tenth: int
    """MiB of the daemon's own process (unique set size)."""
    memory_at_end: int
    growth: float
    memory_by_tenth: list[int]
    """MiB; shows whether the memory keeps growing."""
    database_bytes_per_task: int
    """All databases together, journals included."""


class Idleness(BaseModel):
    """What a daemon without work used after its first round of the CEO."""

    seconds: float
    model_calls: int
    cores: float
    """Share of one core, children included."""
    memory_before: int
    memory_after: int


def many_tasks(folder: Path, count: int) -> Endurance:
    """Land `count` tasks, one after the other."""
    with ScriptedModelServer(team(code=answer_value)) as server:
        house = house_of(folder, server.url)
        ids = [submit_value(house, number) for number in range(1, count + 1)]
        with house.daemon() as daemon, house.store() as store:
            started, process = time.monotonic(), psutil.Process(daemon.pid)
            memory: dict[int, int] = {}
            ended = 0
            while ended < count:
                time.sleep(_POLL)
                ended = sum(number for status, number in store.tasks.count_by_status().items() if status in ENDED)
                memory[ended] = process.memory_full_info().uss
                if daemon.poll() is not None:
                    sys.exit(f"the daemon ended by itself:\n{(folder / 'daemon.log').read_text()[-3000:]}")
            seconds = time.monotonic() - started
            tasks = [store.tasks.get(one) for one in ids]
            end(daemon)
        finished = sorted(task.finished_at.timestamp() for task in tasks if task.finished_at)
        steps = [later - earlier for earlier, later in itertools.pairwise(finished)]
        tenth = max(count // 10, 1)
        first, last = statistics.median(steps[:tenth]), statistics.median(steps[-tenth:])
        by_tenth = [
            statistics.median(found)
            for start in range(0, count, tenth)
            if (found := [size for done, size in memory.items() if start <= done < start + tenth])
        ]
        early = statistics.median([size for done, size in memory.items() if tenth <= done <= 2 * tenth])
        late = statistics.median([size for done, size in memory.items() if done >= count - tenth])
        size = sum(file.stat().st_size for file in house.paths.state.glob("*.db*"))
        return Endurance(
            tasks=count,
            completed=sum(task.status is TaskStatus.COMPLETED for task in tasks),
            seconds=round(seconds, 1),
            first_tenth=round(first, 2),
            last_tenth=round(last, 2),
            ratio=round(last / first, 2),
            memory_after_first_tenth=round(early / _MIB),
            memory_at_end=round(late / _MIB),
            growth=round(late / early - 1, 3),
            memory_by_tenth=[round(size / _MIB) for size in by_tenth],
            database_bytes_per_task=size // count,
        )


def idle(folder: Path, seconds: float) -> Idleness:
    """Measure an idle daemon, whose goal is reached, after its first round."""
    with ScriptedModelServer(team()) as server:
        house = house_of(folder, server.url, project={"goal": "Keep the numbers as they are."})
        with house.daemon() as daemon:
            server.wait_for(1, 60)  # the CEO's first round
            time.sleep(20)
            calls, before, started = len(server.requests), _cpu_seconds(daemon), time.monotonic()
            memory = psutil.Process(daemon.pid).memory_full_info().uss
            time.sleep(seconds)
            elapsed = time.monotonic() - started
            result = Idleness(
                seconds=round(elapsed, 1),
                model_calls=len(server.requests) - calls,
                cores=round((_cpu_seconds(daemon) - before) / elapsed, 4),
                memory_before=round(memory / _MIB),
                memory_after=round(psutil.Process(daemon.pid).memory_full_info().uss / _MIB),
            )
            end(daemon)
    return result


def house_of(folder: Path, url: str, **settings: dict[str, object]) -> House:
    """A house whose repository has twenty modules with a number each."""
    files = {f"part_{number}.py": _module(0) for number in range(_MODULES)}
    orchestrator: dict[str, object] = {"check_interval": 60}
    repository = make_repository(folder / "repository", files)
    return House(folder, repository, url, folder / "data", {"orchestrator": orchestrator, **settings}, cold=True)


def submit_value(house: House, number: int) -> str:
    """Add the task that sets one of these numbers; gives its id."""
    module = f"part_{number % _MODULES}"
    task = Task(
        id=new_task_id(),
        title=f"Value {number} in {module}.py",
        description=f"`value()` in {module}.py returns `{number}`.",
        tests_file=f"tests/test_{module}.py",
        tests=f"from {module} import value\n\n\ndef test_value() -> None:\n    assert value() == {number}\n",
    )
    with house.store() as store:
        store.tasks.add(task)
    return task.id


def answer_value(request: Request) -> str:
    """What the developer writes for such a task."""
    number, module = re.findall(r"Value (\d+) in (part_\d+)\.py", request.prompt)[0]
    return f"### {module}.py\n```python\n{_module(int(number))}```\n"


def _module(number: int) -> str:
    return f'"""A number."""\n\n\ndef value() -> int:\n    """The number."""\n    return {number}\n'


def _cpu_seconds(daemon: Daemon) -> float:
    """CPU seconds so far of the daemon and of its children that have ended."""
    times = psutil.Process(daemon.pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def end(daemon: Daemon) -> None:
    """Stop a daemon and wait until it has ended."""
    daemon.send_signal(signal.SIGTERM)
    daemon.wait(60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="measure a daemon without work")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        result = idle(Path(name), chosen.idle) if chosen.idle else many_tasks(Path(name), chosen.tasks)
    print(json.dumps(result.model_dump(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
