"""What the owner wants to be asked for waits for them, is done only at their word, and expires without being done."""

from __future__ import annotations

import json

import pytest

from memory import FailureReason, Task, TaskStatus, TaskType
from tests.cli.commands import entries, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import FROM_CODE, House, asked, team
from tests.orchestrator.players import WITH_TOOLS
from tests.orchestrator.test_decisions import IDEA, board, calls
from tests.orchestrator.test_planning import GOAL, LOOK, asked_ceo, finish, works

__all__ = ["make_house"]

SHORT = 1e-6
"""Days that are over at once."""


def alerts(house: House, task_id: str) -> list[str]:
    lines = [json.loads(line) for line in house.log().splitlines() if '"message": "alert"' in line]
    return [str(line) for line in lines if task_id in str(line)]


def waits(house: House, task_id: str) -> str:
    """How a task waits, in the owner's list."""
    return next(str(row["detail"]) for row in entries(house, "approvals", "list") if row["id"] == task_id)


@pytest.mark.parametrize(
    ("autonomy", "detail", "told"),
    [
        ({"code": "suggest", "default": "full"}, "(a suggestion)", 0),
        ("approve_landing", "it expires on", 1),
        ({"code": "full", "feature": "approve_landing"}, "it expires on", 1),
    ],
)
def test_a_verified_change_lands_at_the_owners_word_alone(
    make_house: MakeHouse, autonomy: object, detail: str, told: int
) -> None:
    house, server = make_house(team(), orchestrator={"autonomy": autonomy})
    with house.store() as store:
        assert store.tasks.add(Task(id="t-add", title="Add add", description=_ADD, kind="feature"))
    assert house.run_until_idle().returncode == 1
    task = house.task("t-add")
    assert (task.status, house.landed()) == (TaskStatus.WAITING_APPROVAL, [])
    assert detail in waits(house, task.id)
    assert len(alerts(house, task.id)) == told
    assert "def add" in look(house, "task", "diff", task.id).stdout
    asked_for = len(server.requests)
    look(house, "approvals", "approve", task.id)
    assert house.run_until_idle().returncode == 0
    assert house.landed() == ["Add add", "Test: Add add"]
    assert len(server.requests) == asked_for


def test_what_is_more_than_was_said_of_its_type_is_not_asked(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), orchestrator={"autonomy": {"decision": "suggest", "documentation": "suggest"}})
    house.submit()
    assert house.run_until_idle().returncode == 0
    assert len(house.landed()) == 2


def test_an_approval_that_does_not_come_expires_without_landing_and_can_be_asked_for_again(
    make_house: MakeHouse,
) -> None:
    house, server = make_house(team(), orchestrator={"autonomy": "approve_landing", "approval_days": SHORT})
    task_id = house.submit()
    with house.daemon():
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    assert (task.reason, house.landed()) == (FailureReason.APPROVAL_EXPIRED, [])
    assert any("nothing was done" in line for line in alerts(house, task_id))
    assert "nothing was done" in waits(house, task_id)
    asked_for = len(server.requests)
    house.write_config(orchestrator={"approval_days": 30})
    with house.daemon():
        look(house, "task", "retry", task_id)
        house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert house.landed() == []
        look(house, "approvals", "approve", task_id)
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert house.landed() == ["Add add", "Test: Add add"]
    assert len(server.requests) == asked_for, "what was verified is not made anew"


def test_an_expired_task_is_done_anew_with_the_owners_words(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(), orchestrator={"autonomy": "approve_landing", "approval_days": SHORT}, llm={"cache_ttl": 0}
    )
    task_id = house.submit()
    with house.daemon():
        house.wait_for(task_id, TaskStatus.BLOCKED)
        look(house, "approvals", "approve", task_id, "--note", "Say in a docstring what it gives.")
        house.wait(lambda store: (task := store.tasks.get(task_id)).run == 1 and task.status is TaskStatus.BLOCKED)
    assert [asked(request) for request in server.requests][-len(FROM_CODE) :] == [*FROM_CODE]
    assert "docstring" in house.task(task_id).description
    assert house.landed() == []


@pytest.mark.parametrize("autonomy", ["approve_plan", {"decision": "suggest"}])
def test_an_idea_becomes_work_at_the_owners_word_and_stays_rejected_by_theirs(
    make_house: MakeHouse, autonomy: object
) -> None:
    house, server = make_house(board(), orchestrator={"autonomy": autonomy, "v_team": ["cfo"]})
    wish = "Use one of any kind, also fractions and the like."
    first = house.submit(f"{IDEA} Say in whole numbers.", "Sums of whole numbers?", type=TaskType.DECISION)
    second = house.submit(f"{IDEA} {wish}", f"Sums {wish}", type=TaskType.DECISION)
    house.run_until_idle()
    with house.store() as store:
        assert not store.tasks.select(type=TaskType.CODE)
    assert "Add add" in waits(house, first)
    look(house, "approvals", "approve", first)
    look(house, "approvals", "reject", second)
    house.run_until_idle()
    assert house.task(first).result["outcome"] == "approved"
    assert house.landed() == ["Add add", "Test: Add add"]
    again = house.submit(f"{IDEA} {wish}", f"Sums {wish}", type=TaskType.DECISION)
    made = len(calls(server, "decision"))
    house.run_until_idle()
    assert house.task(again).result["outcome"] == "rejected before"
    assert "you did not" in str(house.task(again).result["reasons"])
    assert len(calls(server, "decision")) == made


def test_an_idea_that_the_owner_let_expire_is_not_rejected(make_house: MakeHouse) -> None:
    house, server = make_house(
        board(), orchestrator={"autonomy": "approve_plan", "approval_days": SHORT, "v_team": ["cfo"]}
    )
    first = house.submit(IDEA, "Sums?", type=TaskType.DECISION)
    with house.daemon():
        house.wait_for(first, TaskStatus.BLOCKED)
        again = house.submit(IDEA, "Sums?", type=TaskType.DECISION)
        house.wait_for(again, TaskStatus.BLOCKED)
    assert len(calls(server, "decision")) == 2


def test_a_plan_becomes_tasks_at_the_owners_word(make_house: MakeHouse) -> None:
    house, server = make_house(
        works((LOOK, (finish(),))), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []},
        orchestrator={"autonomy": {"plan": "approve_plan"}},
    )  # fmt: skip
    house.run_until_idle()
    with house.store() as store:
        (plan,) = store.tasks.select()
    assert (plan.status, plan.type, asked_ceo(server)) == (TaskStatus.WAITING_APPROVAL, TaskType.PLAN, 2)
    assert "Sum up two numbers" in waits(house, plan.id)
    look(house, "approvals", "approve", plan.id)
    assert house.run_until_idle().returncode == 0
    assert (len(house.landed()), asked_ceo(server)) == (4, 2)


def test_what_the_team_finds_by_itself_is_begun_at_the_owners_word(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(), {"more.py": 'def twice(n: int) -> int:\n    # TODO: `twice(2)` returns `4`\n    return 0\n'},
        orchestrator={"autonomy": "approve_plan"}, project={"tasks_from": ["todo"]}, llm={"profile": "small"},
    )  # fmt: skip
    house.run_until_idle()
    with house.store() as store:
        (found,) = store.tasks.select()
    assert (found.status, found.source, server.requests) == (TaskStatus.WAITING_APPROVAL, "facts", ())
    house.submit()
    assert house.run_until_idle().returncode == 1
    assert house.landed() == ["Add add", "Test: Add add"], "what the owner gives is their wish already"


_ADD = "Add `add(a: int, b: int)` to calc.py. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`."
