"""What the owner wants to be asked for waits for them, is done only at their word, and expires without being done."""

from __future__ import annotations

import json

import pytest

from memory import FailureReason, Task, TaskStatus, TaskType
from orchestrator.workbench.commits import Commits
from orchestrator.workbench.workbench import Workbench
from tests.cli.commands import entries, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, git
from tests.orchestrator.in_process import services_of
from tests.orchestrator.players import WITH_TOOLS
from tests.orchestrator.scripts import FROM_CODE, asked, team
from tests.orchestrator.test_decisions import IDEA, board, calls
from tests.orchestrator.test_planning import GOAL, LOOK, asked_ceo, finish, works
from tests.orchestrator.test_project_start import QUIET, Company, begin, parts_of

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
        pytest.param("approve_landing", "it expires on", 1, marks=pytest.mark.long),
        pytest.param({"code": "full", "feature": "approve_landing"}, "it expires on", 1, marks=pytest.mark.long),
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


@pytest.mark.long
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
        eventually(lambda: any("nothing was done" in line for line in alerts(house, task_id)), "the owner is told")
    assert (task.reason, house.landed()) == (FailureReason.APPROVAL_EXPIRED, [])
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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
    report = look(house, "task", "report", plan.id).stdout
    assert "Both are missing." in report and "- Sum up two numbers (" in report


@pytest.mark.long
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


@pytest.mark.long
def test_a_project_is_shown_and_made_at_the_owners_word(make_house: MakeHouse) -> None:
    house, server = make_house(Company(), project=QUIET, orchestrator={"autonomy": {"project": "suggest"}})
    project = begin(house)
    house.run_until_idle()
    assert (house.task(project).result["waiting_for"], house.landed()) == ("land", [])
    assert "(a suggestion)" in waits(house, project)
    look(house, "approvals", "approve", project)
    house.run_until_idle()
    assert (house.task(project).result["waiting_for"], len(house.landed())) == ("plan", 1)
    assert "Add add" in waits(house, project) and not parts_of(house, project)
    asked_for = len(server.requests)
    look(house, "approvals", "approve", project)
    assert house.run_until_idle().returncode == 0
    assert house.landed()[:2] == ["Add add", "Test: Add add"]
    assert [asked(request) for request in server.requests[asked_for:]] == ["assertions", "code", "review"]
    assert not alerts(house, project)


@pytest.mark.long
def test_an_approval_is_for_the_change_that_was_seen(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), orchestrator={"autonomy": "approve_landing"})
    task_id = house.submit()
    house.run_until_idle()
    with house.store() as store:
        waiting = store.tasks.get(task_id)
        again = waiting.result | {"approved": ["land"], "waiting_for": "", "visit": 100}
        store.tasks.transition(task_id, TaskStatus.IN_PROGRESS, stage="review", result=again | {"approved_change": "x"})
    house.run_until_idle()
    with house.store() as store:
        task = store.tasks.get(task_id)
        assert (task.status, task.result["approved"]) == (TaskStatus.WAITING_APPROVAL, [])
        assert task.result["approved_change"] == waiting.result["approved_change"]
        store.tasks.transition(task_id, TaskStatus.IN_PROGRESS, stage="review", result=again | {"visit": 200})
    assert house.run_until_idle().returncode == 0
    assert house.landed() == ["Add add", "Test: Add add"]


def test_a_change_is_known_on_another_base_and_by_all_that_it_changes(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.submit()
    with services_of(house) as services:
        (task,) = services.store.tasks.select()
        bench, commits = Workbench(services, task), Commits(services, task)

        def fingerprint(name: str, content: bytes) -> str:
            base = bench.open().base
            worktree = services.git.worktrees.get(task.id)
            path = worktree.path / name
            path.write_bytes((path.read_bytes() if path.exists() else b"") + content)
            return commits.fingerprint(commits.commit_code(services.git.trees.write(worktree), base))

        first = fingerprint("calc.py", b"\n\nONE = 1\n")
        assert fingerprint("calc.py", b"\n\nONE = 2\n") != first
        assert fingerprint("other.py", b"\n\nONE = 1\n") != first
        assert fingerprint("picture", b"\0one") != fingerprint("picture", b"\0two")
        calc = house.repository / "calc.py"
        calc.write_text(f'"""Sums."""\n\n{calc.read_text()}', encoding="utf-8")
        git(house.repository, "commit", "-qam", "above")
        assert fingerprint("calc.py", b"\n\nONE = 1\n") == first


_ADD = "Add `add(a: int, b: int)` to calc.py. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`."
