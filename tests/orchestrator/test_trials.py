"""The evidence that a developer gets of a test run: what it needs, but nothing about hidden tests."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.workbench.trial import Trial, evidence_without, listed
from testing import Failure, TestCounts, TestResult

FILE = "tests/test_f.py"
SHOWN, HIDDEN = f"{FILE}::test_shown", f"{FILE}::test_hidden"


def run(*failed: str, passed: Sequence[str] = (), problem: str | None = None, kind: str = "assertion") -> TestResult:
    failures = [
        Failure.model_validate({"test_id": test_id, "kind": kind, "message": f"of {test_id}", "traceback": ""})
        for test_id in failed
    ]
    return TestResult(
        passed=False, test_count=len(failed) + len(passed), failures=failures, problem=problem,
        counts=TestCounts(passed=len(passed), failed=len(failed)), test_ids=[*failed, *passed],
        passed_ids=list(passed), skipped_ids=[], duration=0.1, exit_code=1, tier=1, output_tail=f"printed by {HIDDEN}",
    )  # fmt: skip


def red(result: TestResult, *missing: str) -> Trial:
    return Trial.of(result, "tree").red(result, missing, {HIDDEN})


def test_a_file_that_cannot_be_imported_is_told_although_some_of_its_tests_are_hidden() -> None:
    trial = red(run(FILE, kind="collection"), SHOWN, HIDDEN)
    assert f"of {FILE}" in trial.evidence
    assert (trial.green, trial.overfitted) == (False, False)


def test_cases_of_a_shown_test_are_told_and_those_of_a_hidden_one_are_not() -> None:
    trial = red(run(f"{SHOWN}[1]", f"{HIDDEN}[1]", f"{HIDDEN}[2]"), f"{SHOWN}[1]", f"{HIDDEN}[1]", f"{HIDDEN}[2]")
    assert f"of {SHOWN}[1]" in trial.evidence
    assert "test_hidden" not in trial.evidence
    assert not trial.overfitted


def test_of_failures_that_are_all_hidden_no_more_than_their_number_is_told() -> None:
    trial = red(run(f"{HIDDEN}[1]", f"{HIDDEN}[2]", passed=[SHOWN]), f"{HIDDEN}[1]", f"{HIDDEN}[2]")
    assert trial.overfitted
    assert "2 that you were not shown" in trial.evidence
    assert "test_hidden" not in trial.evidence


def test_shown_tests_without_a_failure_of_their_own_are_named() -> None:
    assert red(run(HIDDEN), SHOWN, HIDDEN).evidence == f"these tests did not pass: {SHOWN}"


def test_neither_their_number_nor_what_hidden_tests_printed_is_told() -> None:
    many = [f"{FILE}::test_{number}" for number in range(6)]
    assert evidence_without(run(*many, HIDDEN), {HIDDEN}).endswith("… and 2 more failing tests")
    assert evidence_without(run(HIDDEN, problem="time over"), {HIDDEN}) == "time over"


def test_of_what_is_left_out_of_a_list_of_tests_the_number_is_told() -> None:
    many = [f"{FILE}::test_{number}" for number in range(5)]
    assert listed([*many[:2], f"{HIDDEN}[1]"], {HIDDEN}) == f"{many[0]}, {many[1]} and 1 that you were not shown"
    assert listed(many, most=1) == f"{many[0]} and 4 more"
    assert listed([HIDDEN], {HIDDEN}) == "1 that you were not shown"
