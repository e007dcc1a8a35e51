"""What each free repair adds: the recorded answers of a run applied with it and without it, and judged by the set.

    python -m bench.repairs HOME SET     HOME as given to `bench.coding --home`, SET the file of its tasks

No model is asked. Every answer of the developer is put into the repository as it was, once as it is done and once with
each repair switched off (`bench/switches.py`). Where that makes a difference, the set's own tests say which is right.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from agents import Requirements
from bench.switches import SWITCHES, switched_off
from bench.task_sets import BenchTask, TaskSet, read_task_set
from orchestrator.applying import apply_answer
from testing import EnvironmentManager, Sandbox, TestRunner


@dataclass
class Effect:
    """What a repair did to the answers of a run."""

    changed: int = 0
    """Answers that come out otherwise without it."""
    right_with: int = 0
    right_without: int = 0
    """Of these, those that pass the set's tests."""
    tasks: set[str] = field(default_factory=set)
    """Tasks with an answer that is right because of it."""


def effects(home: Path, chosen: TaskSet) -> tuple[int, dict[str, Effect]]:
    """How many answers were looked at, and what each repair did to them."""
    repairs = [name for name, switch in SWITCHES.items() if switch.kind == "repair"]
    found = {name: Effect() for name in repairs}
    sandbox, looked_at = Sandbox(), 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        judge = _Judge(Path(folder), EnvironmentManager(Path(folder), sandbox), TestRunner(sandbox))
        for task, requirements, answer in _answers(home, chosen):
            looked_at += 1
            files = chosen.repositories[task.repository]
            done = _applied(files, requirements, answer, task)
            for name in repairs:
                with switched_off([name]):
                    undone = _applied(files, requirements, answer, task)
                if undone == done:
                    continue
                effect, right = found[name], judge.passes(task, done)
                effect.changed += 1
                effect.right_with += right
                effect.right_without += (still := judge.passes(task, undone))
                if right and not still:
                    effect.tasks.add(task.id)
    return looked_at, found


class _Judge:
    """Runs a set's own tests; the same files are judged once."""

    def __init__(self, folder: Path, environments: EnvironmentManager, runner: TestRunner) -> None:
        self._folder = folder
        self._environments = environments
        self._runner = runner
        self._known: dict[str, bool] = {}

    def passes(self, task: BenchTask, files: Mapping[str, str] | None) -> bool:
        """Whether the tests of `task` pass; never for an answer that could not be applied."""
        if files is None:
            return False
        path, tests = (task.hidden_file, task.hidden) if task.hidden else (task.tests_file, task.tests)
        key = json.dumps([files, path, tests], sort_keys=True)
        if key not in self._known:
            with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as name:
                work = Path(name) / "work"
                _write(work, {**files, path: tests})
                environment = self._environments.ensure(work)
                self._known[key] = self._runner.run_tests(work, environment, selection=[path]).passed
        return self._known[key]


def _answers(home: Path, chosen: TaskSet) -> Iterator[tuple[BenchTask, Requirements, str]]:
    """The developer's answers of a run, from the results of its durable steps."""
    for name in chosen.repositories:
        tasks = [task for task in chosen.tasks if task.repository == name]
        numbered = {f"bench-{number}": task for number, task in enumerate(tasks, start=1)}
        for folder in sorted((home / "data").glob("repository-*")):
            with (
                closing(sqlite3.connect(folder / "agents.db")) as ours,
                closing(sqlite3.connect(folder / "engine.db")) as engine,
            ):
                rows = ours.execute("SELECT id, title, result FROM tasks").fetchall()
                known = {one: json.loads(result).get("requirements") for one, title, result in rows
                         if one in numbered and numbered[one].title == title}  # fmt: skip
                steps = "SELECT workflow_uuid, function_name, output FROM operation_outputs ORDER BY rowid"
                for workflow, step, output in engine.execute(steps):
                    task_id = workflow.partition(".")[0]
                    if known.get(task_id) and re.fullmatch(r"draft \d+|write [\d.]+", step):
                        answer = json.loads(output).get("value") or {}
                        if answer.get("text") and not answer.get("cut"):
                            requirements = Requirements.model_validate(known[task_id])
                            yield numbered[task_id], requirements, answer["text"]


def _applied(
    files: Mapping[str, str], requirements: Requirements, answer: str, task: BenchTask
) -> dict[str, str] | None:
    """The files with the answer in them; None when it cannot be applied."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write(root, files)
        if apply_answer(root, [], requirements, answer, small=True, tests=task.tests):
            return None
        return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
                for path in sorted(root.rglob("*")) if path.is_file()}  # fmt: skip


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--docstring", action="store_true", help="HumanEval: as in the run")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    looked_at, found = effects(chosen.home, read_task_set(chosen.set, visible=not chosen.docstring))
    print(f"{looked_at} answers")
    print(f"{'repair':18}{'changed':>9}{'right with':>12}{'without':>9}{'tasks':>7}")
    for name, effect in found.items():
        row = (effect.changed, effect.right_with, effect.right_without, len(effect.tasks))
        print(f"{name:18}{row[0]:>9}{row[1]:>12}{row[2]:>9}{row[3]:>7}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
