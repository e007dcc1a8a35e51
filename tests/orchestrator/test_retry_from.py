"""A task that has ended is tried again from a stage that it reached: what is before that stage is not done again."""

from __future__ import annotations

import shutil

import pytest

from memory import RetryStage, TaskStatus
from orchestrator.coding.state import CodeState
from orchestrator.flows.code_flow import back_to
from orchestrator.small_models.state import SmallState
from tests.cli.commands import error_of, look
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.scripts import BAD_ADD, GOOD_ADD, asked, team

ONCE = {"max_task_attempts": 1, "max_approaches": 1}


@pytest.mark.long
def test_a_task_goes_on_from_code_then_review_then_tests_and_lands(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(code=[BAD_ADD, GOOD_ADD]), orchestrator=ONCE, git={"auto_commit": False}, llm={"cache_ttl": 0}
    )
    task_id, known = house.submit(), 0
    error_of(house.cli("task", "retry", task_id), 1)

    def questions() -> list[str]:
        nonlocal known
        new, known = server.requests[known:], len(server.requests)
        return [asked(request) for request in new]

    with house.daemon():
        house.wait_for(task_id, TaskStatus.BLOCKED)
        assert questions() == ["assertions", "code", "escalation"]
        error_of(house.cli("task", "retry", task_id, "--from", "review"), 2)
        tests = house.task(task_id).result["tests_commit"]
        for stage, again in (("code", ["code", "review"]), ("review", ["review"])):
            done = look(house, "task", "retry", task_id, "--from", stage)
            assert done.exit_code == 0 and "kept" in done.stderr, done.stderr
            waits = house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
            assert (questions(), waits.result["tests_commit"], waits.run) == (again, tests, 0)
            house.tell("cancel", task_id)
            house.wait_for(task_id, TaskStatus.CANCELLED)
        assert look(house, "task", "retry", task_id, "--from", "tests").exit_code == 0
        house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert questions() == ["assertions", "code", "review"]
        house.tell("cancel", task_id)
        house.wait_for(task_id, TaskStatus.CANCELLED)
        for folder in (house.folder / "workspace").rglob(task_id):
            shutil.rmtree(folder, ignore_errors=True)
        house.tell("retry", f"{task_id} code")  # there is no worktree with its tests any more
        house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert house.task(task_id).run == 1 and questions()[0] == "assertions"
        house.tell("approve", task_id)
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert house.landed() and house.litter() == []


FULL = CodeState(
    visit=7, base="b", suite_size=3, approved=["run"], lessons="l", kind="feature", tests_commit="t", tests_ids=["a"],
    answer="x", code_commit="c", own=SmallState(drawn=3), seen=["s"], turns=2, earlier=3, loops=1, review_rounds=2,
    review_issues=["i"], model="m", behind=4, disputed=["a"], unfinished="u", landing_rounds=2,
)  # fmt: skip


def test_what_is_before_a_stage_is_kept_and_nothing_else() -> None:
    common = {"visit": 8, "base": "b", "suite_size": 3, "approved": ["run"], "lessons": "l", "earlier": 5, "loops": 1}
    tests = {"kind": "feature", "tests_commit": "t", "tests_ids": ["a"]}
    assert back_to(FULL, RetryStage.TESTS) == CodeState.model_validate(common)
    assert back_to(FULL, RetryStage.CODE) == CodeState.model_validate(common | tests)
    only_tests = back_to(FULL.model_copy(update={"kind": "tests"}), RetryStage.CODE)
    assert only_tests.code_commit == only_tests.tests_commit == "t", "it has no code of its own"
    again = back_to(FULL, RetryStage.REVIEW)
    assert (again.code_commit, again.answer, again.review_rounds, again.review_issues) == ("c", "x", 0, [])
    assert (again.visit, again.earlier, again.turns, again.landing_rounds) == (8, 5, 0, 0)
