"""Measures what single parts of the method for small models add, from the recorded answers of a run.

    python -m bench.recorded HOME SET     HOME as given to `bench.coding --home`, SET the file of its tasks

No model is asked; the set's own tests decide which answers are right.

- **Repairs**: every answer of the developer is applied to the original repository, once as usual and once with each
  repair switched off (`bench/switches.py`). Where the results differ, the tests show which one is right.
- **Agreement**: the first answer of each task that passed all of its run's tests. It would land without agreement.
- **Tests beyond the stated examples** (assertions of QA, properties, tests added for faults that went unnoticed): which
  answers that pass the examples fail these tests, and whether those answers are right.
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
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydantic import JsonValue, TypeAdapter

from agents import Requirements, TestCase, render_test_file
from bench.switches import REPAIRS, without
from bench.task_sets import BenchTask, TaskSet, read_task_set
from memory import Task
from orchestrator.coding.attempts import digest_of
from orchestrator.small_models.apply import apply_definitions
from orchestrator.small_models.state import ALL, Parts
from testing import EnvironmentManager, Sandbox, TestRunner

_ORIGINS = {"stated": "example", "assertions": "qa", "properties": "property", "strengthening": "mutant"}
_LONGEST_SECONDS = 20.0
"""Time limit for one answer; some loop for ever."""


@dataclass
class Effect:
    """How a repair changed the answers of a run."""

    changed: int = 0
    """Number of answers that give other files without it."""
    right_with: int = 0
    right_without: int = 0
    """How many of these pass the set's tests, with the repair and without it."""
    tasks: set[str] = field(default_factory=set)
    """Tasks with an answer that is right only with it."""


@dataclass
class Refused:
    """Which answers that pass the stated examples one kind of further tests rejects."""

    tests: int = 0
    tasks: int = 0
    """Number of tasks with such tests."""
    right: int = 0
    """Number of answers that fail these tests although they pass the set's tests."""
    wrong: int = 0
    """Number of answers that fail both."""
    saved: set[str] = field(default_factory=set)
    """Tasks with a wrong answer that these tests reject."""


@dataclass
class FirstGreen:
    """Tasks whose first passing answer is right, or wrong: it would have landed if passing the tests were enough."""

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def first_green(home: Path, chosen: TaskSet) -> FirstGreen:
    """Judge the first passing answer of each task; recombined code is not recorded and does not count."""
    found, settled = FirstGreen(), set[str]()
    passed = set(_passed(home, chosen))
    with _judge() as judge:
        for task, requirements, answer in _answers(home, chosen):
            if task.id not in settled and (task.id, digest_of(answer)) in passed:
                settled.add(task.id)
                files = _applied(chosen.repositories[task.repository], requirements, answer)
                (found.right if judge.passes(task, files) else found.wrong).append(task.id)
    return found


def effects(home: Path, chosen: TaskSet) -> tuple[int, dict[str, Effect]]:
    """The number of answers, and the effect of each repair on them."""
    found = {name: Effect() for name in REPAIRS}
    answers = 0
    with _judge() as judge:
        for task, requirements, answer in _answers(home, chosen):
            answers += 1
            files = chosen.repositories[task.repository]
            repaired = _applied(files, requirements, answer)
            for name in REPAIRS:
                unrepaired = _applied(files, requirements, answer, without([name]))
                if unrepaired == repaired:
                    continue
                effect, right = found[name], judge.passes(task, repaired)
                effect.changed += 1
                effect.right_with += right
                effect.right_without += (still := judge.passes(task, unrepaired))
                if right and not still:
                    effect.tasks.add(task.id)
    return answers, found


def refused(home: Path, chosen: TaskSet) -> tuple[int, dict[str, Refused]]:
    """The number of answers that pass their stated examples, and which of them each kind of further tests rejects."""
    found = {kind: Refused() for kind in _ORIGINS if kind != "stated"}
    cases = dict(_cases(home, chosen))
    for kind, further in found.items():
        groups = [group for by_kind in cases.values() if (group := by_kind[kind])]
        further.tests, further.tasks = sum(map(len, groups)), len(groups)
    passing, seen = 0, set[tuple[str, str]]()
    with _judge() as judge:
        for task, requirements, answer in _answers(home, chosen):
            known = cases.get(task.id)
            if not known or not known["stated"] or (task.id, digest_of(answer)) in seen:
                continue
            seen.add((task.id, digest_of(answer)))
            files = _applied(chosen.repositories[task.repository], requirements, answer)
            if not judge.passes(_testing(task, requirements, known["stated"]), files):
                continue
            passing += 1
            for kind, further in found.items():
                if known[kind] and not judge.passes(_testing(task, requirements, known[kind]), files):
                    right = judge.passes(task, files)
                    further.right, further.wrong = further.right + right, further.wrong + (not right)
                    if not right:
                        further.saved.add(task.id)
    return passing, found


def _testing(task: BenchTask, requirements: Requirements, cases: list[TestCase]) -> BenchTask:
    """The task with `cases` as the tests that judge it."""
    text = _rendered(task, requirements, cases)
    return task.model_copy(update={"hidden_file": "tests/test_recorded_cases.py", "hidden": text})


def _rendered(task: BenchTask, requirements: Requirements, cases: list[TestCase]) -> str:
    return render_test_file(Task(id=task.id, title=task.title), requirements, cases)


def _cases(home: Path, chosen: TaskSet) -> Iterator[tuple[str, dict[str, list[TestCase]]]]:
    """For each task the tests that its run settled, by kind."""
    for folder, known in _folders(home, chosen):
        for one, result in _rows(folder / "agents.db", "SELECT id, result FROM tasks"):
            if one in known:
                cases = _settled(json.loads(result))
                yield (
                    known[one][0].id,
                    {kind: [case for case in cases if case.origin == origin] for kind, origin in _ORIGINS.items()},
                )


@contextmanager
def _judge() -> Iterator[_Judge]:
    sandbox = Sandbox()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield _Judge(Path(folder), EnvironmentManager(Path(folder), sandbox), TestRunner(sandbox))


class _Judge:
    """Runs a set's own tests and remembers the verdicts, since many answers give the same files."""

    def __init__(self, folder: Path, environments: EnvironmentManager, runner: TestRunner) -> None:
        self._folder = folder
        self._environments = environments
        self._runner = runner
        self._known: dict[str, bool] = {}

    def passes(self, task: BenchTask, files: Mapping[str, str] | None) -> bool:
        """Whether the tests of `task` pass with `files`; False if the answer could not be applied (None)."""
        if files is None:
            return False
        path, tests = (task.hidden_file, task.hidden) if task.hidden else (task.tests_file, task.tests)
        key = json.dumps([files, path, tests], sort_keys=True)
        if key not in self._known:
            with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as name:
                work = Path(name) / "work"
                _write(work, {**files, path: tests})
                environment = self._environments.ensure(work)
                result = self._runner.run_specific_test(work, environment, path, timeout=_LONGEST_SECONDS)
                self._known[key] = result.passed
        return self._known[key]


def _answers(home: Path, chosen: TaskSet) -> Iterator[tuple[BenchTask, Requirements, str]]:
    """The developer's answers of a run in order, read from the results of its durable steps."""
    for folder, known in _folders(home, chosen):
        steps = "SELECT workflow_uuid, function_name, output FROM operation_outputs ORDER BY rowid"
        for workflow, step, output in _rows(folder / "engine.db", steps):
            task_id = workflow.partition(".")[0]
            if task_id in known and re.fullmatch(r"draft \d+|write [\d.]+", step):
                answer = json.loads(output).get("value") or {}
                if answer.get("text") and not answer.get("cut"):
                    yield *known[task_id], answer["text"]


def _passed(home: Path, chosen: TaskSet) -> Iterator[tuple[str, str]]:
    """The task and digest of every answer that passed the task's tests and the suite."""
    for folder, known in _folders(home, chosen):
        sql = "SELECT task_id, answer_hash FROM attempts WHERE outcome = 'passed'"
        for task_id, digest in _rows(folder / "agents.db", sql):
            if task_id in known:
                yield known[task_id][0].id, digest


def _folders(home: Path, chosen: TaskSet) -> Iterator[tuple[Path, dict[str, tuple[BenchTask, Requirements]]]]:
    """The folder with the databases of each repository of a run, and its tasks that got requirements, by their id."""
    for name in chosen.repositories:
        tasks = [task for task in chosen.tasks if task.repository == name]
        numbered = {f"bench-{number}": task for number, task in enumerate(tasks, start=1)}
        for folder in sorted((home / "data").glob("repository-*")):
            known = {}
            for one, title, result in _rows(folder / "agents.db", "SELECT id, title, result FROM tasks"):
                state = json.loads(result)
                if state.get("requirements") and one in numbered and numbered[one].title == title:
                    requirements = Requirements.model_validate(state["requirements"])
                    known[one] = (_with_tests(numbered[one], requirements, _settled(state)), requirements)
            if known:
                yield folder, known


def _settled(state: Mapping[str, JsonValue]) -> list[TestCase]:
    """The tests that a task's run settled."""
    return TypeAdapter(list[TestCase]).validate_python(state.get("cases", []))


def _with_tests(task: BenchTask, requirements: Requirements, cases: list[TestCase]) -> BenchTask:
    """The task with the tests that its run used: those given with it, else those that the run settled."""
    return task if task.tests or not cases else task.model_copy(update={"tests": _rendered(task, requirements, cases)})


def _rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def _applied(
    files: Mapping[str, str], requirements: Requirements, answer: str, parts: Parts = ALL
) -> dict[str, str] | None:
    """The files after applying the answer; None if it cannot be applied."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write(root, files)
        if apply_definitions(root, [], requirements, answer, parts):
            return None
        return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
                for path in sorted(root.rglob("*")) if path.is_file()}  # fmt: skip


def _write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def main() -> int:
    """Print the three measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--docstring", action="store_true", help="HumanEval: the run hid the tests")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    tasks = read_task_set(chosen.set, visible=not chosen.docstring)
    green = first_green(chosen.home, tasks)
    print(f"first answers that passed: {len(green.right)} right, {len(green.wrong)} wrong: {', '.join(green.wrong)}")
    answers, found = effects(chosen.home, tasks)
    print(f"{answers} answers")
    print(f"{'repair':18}{'changed':>9}{'right with':>12}{'without':>9}{'tasks':>7}")
    for name, effect in found.items():
        row = (effect.changed, effect.right_with, effect.right_without, len(effect.tasks))
        print(f"{name:18}{row[0]:>9}{row[1]:>12}{row[2]:>9}{row[3]:>7}")
    passing, further = refused(chosen.home, tasks)
    print(f"{passing} answers pass the stated examples")
    print(f"{'further tests':18}{'tests':>7}{'tasks':>7}{'rejected right':>16}{'wrong':>7}")
    for name, each in further.items():
        print(
            f"{name:18}{each.tests:>7}{each.tasks:>7}{each.right:>16}{each.wrong:>7}  {', '.join(sorted(each.saved))}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
