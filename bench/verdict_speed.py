"""What the controls of a verdict cost: a whole verdict, compared with the run of the suite alone.

    python -m bench.verdict_speed              medians of 10, for suites of 3 and of 300 tests; goal: under 1.35 ×
    python -m bench.verdict_speed --times 20 --json

A project with a right change and three new tests; both kinds of verdict alternate, so that other work on the machine
affects both. The exit code is 1 if the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from config import FileSystemSettings, GitSettings, LLMSettings, ProjectPaths, Settings
from memory import Task, TaskStatus, TaskType, new_task_id
from orchestrator.services import open_services
from orchestrator.workbench.commits import Commits
from orchestrator.workbench.verdict import Judge
from orchestrator.workbench.workbench import Workbench
from testing import discard_folder

GOAL = 1.35
_CODE = "def double(x):\n    return 2 * x\n"
_CHANGE = f"{_CODE}\n\ndef add(a, b):\n    return a + b\n"
_TESTS = "from calc import add\n\n\n" + "\n\n".join(
    f"def test_add_{number}():\n    assert add({number}, 2) == {number + 2}\n" for number in range(3)
)
_FILE = "tests/test_add.py"


@dataclass(frozen=True)
class Figures:
    """Medians in seconds; `load` is the machine's load average of the last minute."""

    tests: int
    """Tests that the suite has before."""
    times: int
    without: float
    with_controls: float
    load: float

    @property
    def ratio(self) -> float:
        return self.with_controls / self.without


def measure(tests: int, times: int, folder: Path) -> Figures:
    """Both kinds of verdict in turns, with files below `folder`."""
    repository = folder / "repository"
    (repository / "tests").mkdir(parents=True)
    (repository / "calc.py").write_text(_CODE, encoding="utf-8")
    old = "".join(f"\n\ndef test_{n}():\n    assert double({n}) == {2 * n}\n" for n in range(tests))
    (repository / "tests/test_calc.py").write_text(f"from calc import double\n{old}", encoding="utf-8")
    git = ["git", "-C", str(repository), "-c", "user.name=Owner", "-c", "user.email=owner@localhost"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "calc"]):
        subprocess.run([*git, *command], check=True)
    settings = Settings(
        llm=LLMSettings(provider="openai_compatible", base_url="http://127.0.0.1:9/v1", model="none"),
        git=GitSettings(repository_url=str(repository)),
        file_system=FileSystemSettings(workspace_path=folder / "workspace", data_path=folder / "data"),
    )
    services = open_services(settings, ProjectPaths.of(settings, folder))
    try:
        task = Task(id=new_task_id(), title="Add add", description="Add add(a, b).", type=TaskType.CODE)
        services.store.tasks.add(task)
        services.store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
        bench, judge = Workbench(services, task), Judge(services, task)
        base = bench.open().base
        commit = Commits(services, task).commit_tests(_FILE, _TESTS, base)
        tree = bench.tree_with(commit, {"calc.py": _CHANGE})
        ids = [f"{_FILE}::test_add_{number}" for number in range(3)]
        before = services.suite.baseline(base, task.id)

        def without() -> None:
            whole = services.suite.whole(tree, task.id)
            assert services.suite.compare(tree, before, task.id, whole).holds

        def with_controls() -> None:
            trial = judge.verdict(tree, ids, since=commit, likely=True)
            assert trial.green, trial.evidence

        taken: dict[str, list[float]] = {"without": [], "with_controls": []}
        for number in range(times + 1):  # the first round is a warm-up
            for name, work in (("without", without), ("with_controls", with_controls)):
                started = time.perf_counter()
                work()
                if number:
                    taken[name].append(time.perf_counter() - started)
    finally:
        services.close()
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return Figures(tests=tests, times=times, load=round(os.getloadavg()[0], 2), **medians)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    found = []
    for tests in (3, 300):
        folder = Path(tempfile.mkdtemp(prefix="ai-agents-bench-"))
        folder.chmod(0o755)
        try:
            found.append(measure(tests, chosen.times, folder))
        finally:
            discard_folder(folder)
    if chosen.json:
        print(json.dumps([asdict(figures) | {"ratio": figures.ratio} for figures in found], indent=2))
    else:
        for figures in found:
            took = f"{figures.without:.2f} s without, {figures.with_controls:.2f} s with controls"
            print(
                f"{figures.tests:4} tests: {took}, "
                f"{figures.ratio:.2f} x (medians of {figures.times}, load {figures.load})"
            )
    return 0 if all(figures.ratio < GOAL for figures in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
