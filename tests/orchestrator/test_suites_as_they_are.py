"""Suites in the wild: tests that fail before, flaky ones, tests in odd places, environments that lack something."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from memory import FailureReason, TaskStatus
from orchestrator.baseline import Baseline
from orchestrator.suite import Suite, Whole
from orchestrator.workbench.new_tests import place_of_tests
from testing import Failure, TestCounts, TestResult
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git
from tests.orchestrator.scripts import asked, team

RATIO = "def ratio(a: float, b: float) -> float:\n    return a / b\n"
GOOD_RATIO = "### calc.py\n```python\ndef ratio(a: float, b: float) -> float:\n    return a / b if b else 0.0\n```\n"
TESTS = "from calc import ratio\n\n\ndef test_ratio() -> None:\n    assert ratio(4, 2) == 2\n"


def test_the_crash_that_a_task_reports_is_a_right_reason_to_be_red(make_house: MakeHouse) -> None:
    house, _ = make_house(team(code=[GOOD_RATIO]), files={"calc.py": RATIO, "tests/test_calc.py": TESTS})
    task_id = house.submit("In calc.py `ratio(1, 0)` crashes; mend it. `ratio(1, 0)` returns `0.0`.", "Mend ratio")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert "ratio(1, 0)" in git(house.repository, "show", "agents/integration~1")


@pytest.mark.long
def test_new_tests_stand_where_the_suite_collects_them(make_house: MakeHouse) -> None:
    good = "### lib/core.py\n```python\n" + RATIO + "\n\ndef half(x: float) -> float:\n    return x / 2\n```\n"
    files = {
        "lib/__init__.py": "",
        "lib/core.py": RATIO,
        "lib/tests/__init__.py": "",
        "lib/tests/test_core.py": TESTS.replace("calc", "lib.core"),
        "tests/README.md": "data of tests\n",
        "pytest.ini": "[pytest]\ntestpaths = lib\n",
    }
    house, _ = make_house(team(code=[good]), files=files)
    task_id = house.submit("Add `half(x: float) -> float` to lib/core.py. `half(4)` returns `2`.", "Add half")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert "lib/tests/test_half.py" in git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration")


def test_what_failed_before_is_no_evidence_against_the_change(make_house: MakeHouse) -> None:
    failing = "\n\ndef test_of_long_ago() -> None:\n    assert ratio(1, 1) == 'never'\n"
    both = TESTS + failing
    bad = GOOD_RATIO.replace("a / b if b", "a // b + 1 if b")
    house, _ = make_house(
        team(code=[bad, GOOD_RATIO]), files={"calc.py": RATIO, "tests/test_calc.py": both, "tests/test_other.py": TESTS}
    )
    task_id = house.submit("Mend ratio in calc.py. `ratio(1, 0)` returns `0.0`.", "Mend ratio")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED
    with house.store() as store:
        first, _ = store.evidence.attempts(task_id)
    assert "test_ratio" in first.evidence
    assert "test_of_long_ago" not in first.evidence


@pytest.mark.long
def test_a_test_file_that_was_broken_before_holds_up_nothing(make_house: MakeHouse) -> None:
    files = {"calc.py": RATIO, "tests/test_calc.py": TESTS, "tests/test_broken.py": "def test_it(:\n"}
    house, _ = make_house(team(code=[GOOD_RATIO]), files=files)
    task_id = house.submit("Mend ratio in calc.py. `ratio(1, 0)` returns `0.0`.", "Mend ratio")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED


def test_a_file_name_that_is_not_utf8_holds_up_nothing(make_house: MakeHouse) -> None:
    house, _ = make_house(team(code=[GOOD_RATIO]), files={"calc.py": RATIO, "tests/test_calc.py": TESTS})
    (house.repository / os.fsdecode(b"na\xffme.txt")).write_text("odd\n")
    (house.repository / os.fsdecode(b"od\xffd.py")).write_text("x = 1\n")
    git(house.repository, "add", "-A")
    git(house.repository, "commit", "-q", "-m", "odd names")
    task_id = house.submit("Mend ratio in calc.py. `ratio(1, 0)` returns `0.0`.", "Mend ratio")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert b"na\\377me.txt" in git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").encode()


@pytest.mark.long
def test_an_answer_with_half_a_character_is_one_that_failed(make_house: MakeHouse) -> None:
    house, _ = make_house(
        team(code=[GOOD_RATIO.replace("return a", "# \ud83d\n    return a"), GOOD_RATIO]),
        files={"calc.py": RATIO, "tests/test_calc.py": TESTS},
    )
    task_id = house.submit("Mend ratio in calc.py. `ratio(1, 0)` returns `0.0`.", "Mend ratio")
    assert house.run_until_idle().returncode == 0, house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED


def test_nothing_is_spent_where_no_test_can_pass(make_house: MakeHouse) -> None:
    lacking = "import no_such_package_at_all\n\n\ndef test_it() -> None:\n    assert no_such_package_at_all\n"
    house, server = make_house(team(), files={"calc.py": RATIO, "tests/test_calc.py": lacking})
    task_id = house.submit("Add `half(x)` to calc.py. `half(4)` returns `2`.", "Add half")
    assert house.run_until_idle().returncode == 1
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.TESTS_FAILED)
    assert "no_such_package_at_all" in task.reason_detail
    assert "testing.setup_command" in task.reason_detail
    assert task.reason_detail.endswith("such as: pip install no-such-package-at-all")
    assert {asked(request) for request in server.requests} <= {"ideas"}


@pytest.mark.parametrize(
    ("target", "collected", "place"),
    [
        ("calc.py", [], None),
        ("calc.py", ["tests/test_calc.py"], ("tests", "test_", "")),
        ("calc.py", ["test_calc.py"], ("", "test_", "")),
        ("lib/core.py", ["lib/tests/test_core.py", "tests/test_a.py", "tests/test_b.py"], ("lib/tests", "test_", "")),
        (
            "src/lib/core.py",
            ["tests/unit/test_core.py", "tests/test_a.py", "tests/test_b.py"],
            ("tests/unit", "test_", ""),
        ),
        ("src/lib/new.py", ["tests/unit/test_core.py", "tests/test_a.py", "tests/test_b.py"], ("tests", "test_", "")),
        ("app/a.py", ["app/a_test.py", "app/b_test.py"], ("app", "", "_test")),
    ],
)
def test_the_place_of_a_new_test_file(
    target: str, collected: Sequence[str], place: tuple[str, str, str] | None
) -> None:
    assert place_of_tests(target, collected) == place


A, B, OLD = "tests/test_a.py::test_a", "tests/test_a.py::test_b", "tests/test_a.py::test_old"
BEFORE = Baseline(key="k", tree="t", passed=[A, B], failed=[OLD], seconds=1.0)


def result(failed: Sequence[str], passed: Sequence[str]) -> TestResult:
    failures = [Failure(test_id=test_id, kind="assertion", message="no", traceback="") for test_id in failed]
    return TestResult(
        passed=not failed, test_count=len(failed) + len(passed), failures=failures, problem=None,
        counts=TestCounts(passed=len(passed), failed=len(failed)), test_ids=[*failed, *passed],
        passed_ids=list(passed), skipped_ids=[], duration=0.1, exit_code=1, tier=1, output_tail="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "worse", "flaky"),
    [
        ([result([OLD], [A, B])], [], []),  # as before
        ([result([A, OLD], [B]), result([A], []), result([A], [])], [A], []),  # fails alone, too
        ([result([A, OLD], [B]), result([], [A]), result([OLD], [A, B])], [], [A]),  # once only
        ([result([A, OLD], [B]), result([A], []), result([], [A]), result([OLD], [A, B])], [], [A]),
        ([result([A, OLD], [B]), result([], [A]), result([A, OLD], [B])], [A], []),  # with the others it fails again
        ([result([OLD], [A]), result([], []), result([], [])], [B], []),  # gone
    ],
)
def test_a_newly_failing_test_is_run_again_before_it_is_blamed(
    runs: list[TestResult], worse: list[str], flaky: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(runs)
    monkeypatch.setattr(Suite, "run", lambda *_: next(left))
    stored: list[Baseline] = []
    monkeypatch.setattr(Suite, "_store", lambda _, found: stored.append(found))
    found = object.__new__(Suite).compare("tree", BEFORE, "label", Whole(next(left), BEFORE))
    assert (found.worse, found.flaky, found.holds) == (worse, flaky, not worse)
    assert list(left) == []
    assert stored == ([] if worse or flaky else [BEFORE])  # what was flaky once is no state to begin with
