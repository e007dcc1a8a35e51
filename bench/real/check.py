"""Are the tasks themselves right? Each is tried outside the product, in a plain virtual environment.

The judge fails on the library as it is and passes after the right change; the right tests fail before it (where the
kind of work wants that) and pass after it; of the library's own tests none fails or is missing that passed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from bench.real.real_tasks import RED_FIRST, FileChange, Library, RealTask, apply
from bench.real.sources import SuiteRun, Workplace


def check(task: RealTask, library: Library) -> list[str]:
    """What is wrong with the task; empty if it is right."""
    place = _workplace(library)
    place.reset()
    problems = []
    before = place.judge(task.judge)
    if not before.outcomes or not before.failed:
        problems.append(f"the judge does not fail on the library as it is:\n{before.output[-1500:]}")
    baseline = _baseline(library)
    try:
        apply(task.tests, place.tree)
        files = _files(task.tests)
        red = place.suite(*files) if files else None
        apply(task.change, place.tree)
    except ValueError as problem:
        return [*problems, str(problem)]
    problems += _red(task, red, baseline)
    whole = place.suite()
    problems += _suite(task, whole, baseline)
    after = place.judge(task.judge)
    if not after.outcomes or after.failed:
        problems.append(f"the judge does not pass after the right change:\n{after.output[-2500:]}")
    green = place.suite(*files) if files else None
    if green is not None and (not green.passed or green.failed - baseline.failed):
        problems.append(f"the right tests do not pass after the right change:\n{green.output[-2500:]}")
    elif green is not None and task.tests and not green.passed <= whole.passed:
        missing = sorted(green.passed - whole.passed)
        problems.append(f"the suite does not collect the right tests: {missing[:5]}")
    return problems


def _red(task: RealTask, red: SuiteRun | None, baseline: SuiteRun) -> list[str]:
    if red is None:
        return ["there are no right tests"] if task.kind in RED_FIRST else []
    failing = bool(red.failed - baseline.failed) or not red.outcomes
    if task.kind in RED_FIRST and not failing:
        return ["the right tests do not fail before the change"]
    if task.kind in ("tests", "refactoring") and failing:
        return [f"the right tests fail before the change:\n{red.output[-2500:]}"]
    return []


def _suite(task: RealTask, whole: SuiteRun, baseline: SuiteRun) -> list[str]:
    """Tests that passed before and do not now. A changed test may be gone: its new form has an id of its own."""
    if not baseline.passed:
        return [f"no test of the library passes:\n{baseline.output[-2500:]}"]
    changed = tuple(each.test.rpartition("::")[2] for each in task.changed_tests)
    lost = {test for test in baseline.passed - whole.passed if not test.rpartition("::")[2].startswith(changed)}
    if not changed:
        lost = baseline.passed - whole.passed
    return [f"passed before the change and not after it: {sorted(lost)[:10]}\n{whole.output[-1500:]}"] if lost else []


def _files(changes: Sequence[FileChange]) -> list[str]:
    """The test files among the changed ones (not conftest.py or data)."""
    paths = [change.move_to or change.path for change in changes if not change.delete]
    return [
        path for path in paths if path.endswith(".py") and "test" in path.rpartition("/")[2] and "conftest" not in path
    ]


@cache
def _workplace(library: Library) -> Workplace:
    return Workplace(library)


@cache
def _baseline(library: Library) -> SuiteRun:
    place = _workplace(library)
    place.reset()
    return place.suite()
