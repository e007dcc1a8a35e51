"""What waits, for the owner, a model or another task: how it is listed and answered."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from memory import Attempt, FailureReason, Task, TaskStatus, TaskType, utc_now
from memory.database.schema import attempts, reservations, tasks
from owner.stopped import stopped_tasks
from tests.cli.commands import entries, entry, following, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import Held, team

__all__ = ["make_house"]


def test_what_waits_for_the_owner_is_listed_and_answered(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    assert "Nothing waits" in look(house, "approvals", "list").stdout
    assert "Stopped" not in look(house, "status").stdout
    gate, blocked, other = (house.submit(title=title) for title in ("At the gate", "Hard [one]", "Open"))
    with house.store() as store:
        store.tasks.transition(gate, TaskStatus.WAITING_APPROVAL, stage="land", result={"waiting_for": "land"})
        store.tasks.transition(blocked, TaskStatus.IN_PROGRESS)
        store.evidence.record_attempt(
            Attempt(
                task_id=blocked, run=0, stage="code", approach=1, number=1, outcome="failed", tests_failed=1,
                evidence="test_add\nassert 1 == 2\n\nline three\nline four",
            )
        )  # fmt: skip
        told = "no answer of 3 passed\nlong\n\nThe tech lead gives it up: say what it is"
        store.tasks.transition(blocked, TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED, detail=told)

    rows = {row["id"]: row for row in entries(house, "approvals", "list")}
    assert set(rows) == {gate, blocked}
    assert (rows[gate]["kind"], rows[gate]["reason"]) == ("gate", "land")
    assert (rows[blocked]["kind"], rows[blocked]["reason"]) == ("blocked", "tests_failed")
    assert rows[blocked]["evidence"] == ["test_add", "assert 1 == 2", "line three", "line four"]
    shown = look(house, "approvals", "list").stdout
    assert "| line three" in shown
    assert "line four" not in shown
    assert "1 more line: " in shown and f"{house.config} approvals list --json" in shown
    assert all(part in shown for part in ("Hard [one]", "The tech lead gives it up: say what it is", "inbox answer"))
    status = look(house, "status").stdout.partition("Stopped until you decide:")[2]
    assert all(
        part in status for part in ("Hard [one]", "The tech lead gives it up: say what it is", "inbox answer", gate)
    )
    assert "line three" not in status
    assert entry(house, "status")["stopped"] == entries(house, "approvals", "list")

    def fails(*arguments: str) -> str:
        done = look(house, "approvals", *arguments)
        assert done.exit_code != 0
        return " ".join(done.stderr.split())

    assert "does not wait for you" in fails("approve", other)
    assert "a note is for tasks that begin anew" in fails("approve", gate, "--note", "so")
    assert look(house, "approvals", "approve", gate).exit_code == 0
    assert look(house, "approvals", "approve", blocked, "--note", " It is the sum. ").exit_code == 0
    assert look(house, "approvals", "reject", blocked).exit_code == 0
    with house.store() as store:
        sent = [(control.command, control.argument) for control in store.commands.pending()]
        assert store.tasks.get(blocked).description.endswith("The owner adds:\n\nIt is the sum.")
    assert sent == [("approve", f"{gate} 0.0"), ("retry", blocked), ("cancel", blocked)]


STOPPED = {
    FailureReason.TESTS_FAILED: [
        ('inbox answer {id} "…"', "is tried again, with your words"),
        ("task retry {id}", "is tried again"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.NEEDS_OWNER: [
        ('inbox answer {id} "…"', "is tried again, with your answer"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.BUDGET_EXHAUSTED: [
        ("task retry {id}", "is tried again, when the cause is gone"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.INTERNAL_ERROR: [
        ("task retry {id}", "is tried again, when the cause is gone"),
        ("approvals reject {id}", "is put aside"),
    ],
}


@pytest.mark.parametrize(("reason", "actions"), STOPPED.items())
def test_each_stopped_task_comes_with_what_can_be_done_about_it(
    make_house: MakeHouse, reason: FailureReason, actions: list[tuple[str, str]]
) -> None:
    house, _ = make_house(team())
    failed = reason is FailureReason.INTERNAL_ERROR
    task_id = house.submit()
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.FAILED if failed else TaskStatus.BLOCKED, reason=reason, detail="so")
    (row,) = entries(house, "approvals", "list")
    offered = row["actions"]
    assert isinstance(offered, list)
    assert (row["id"], row["kind"], row["reason"]) == (task_id, "failed" if failed else "blocked", reason.value)
    expected = [{"command": command.format(id=task_id), "effect": effect} for command, effect in actions]
    assert [{key: action[key] for key in ("command", "effect")} for action in offered] == expected
    for shown in (look(house, "status").stdout, look(house, "approvals", "list").stdout):
        told = [f"  so that it {action['effect']}:\n    {house.typed} {action['command']}\n" for action in expected]
        assert all(lines in shown for lines in told)
    for action in expected:  # what it says to type is right
        assert look(house, *shlex.split(action["command"])).exit_code == 0
    with house.store() as store:
        sent = {control.command for control in store.commands.pending()}
    assert sent == {"retry", "cancel"}


def test_a_failed_task_is_put_aside_by_the_daemon(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.FAILED, reason=FailureReason.TIMEOUT)
    assert look(house, "approvals", "reject", task_id).exit_code == 0
    with house.daemon():
        house.wait_for(task_id, TaskStatus.CANCELLED)
    assert "Nothing waits for you" in look(house, "approvals", "list").stdout


def test_status_names_a_few_stopped_tasks_and_says_how_many_more_there_are(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    for number in range(5):
        task_id = house.submit(title=f"Number {number}")
        with house.store() as store:
            store.tasks.transition(task_id, TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED)
    shown = look(house, "status").stdout
    assert [f"Number {number}" in shown for number in range(5)] == [False, False, True, True, True]
    assert f"… and 2 more: {house.typed} approvals list" in shown


def test_status_costs_the_same_with_thousands_of_stopped_tasks(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    now = utc_now()
    stopped = [
        Task(id=f"t-{number:012}", title=f"Number {number}", type=TaskType.CODE, status=TaskStatus.FAILED,
             run=1, reason=FailureReason.TIMEOUT, created_at=now + timedelta(seconds=number))
        for number in range(3000)
    ]  # fmt: skip
    tried = [
        {"task_id": task.id, "run": run, "stage": "code", "approach": 1, "number": number, "strategy": "",
         "outcome": "failed", "answer_hash": "", "tree": "", "tests_passed": 0, "tests_failed": 1, "seconds": 0.1,
         "evidence": f"run {run}, {number}" if number < 3 else "", "created_at": now}
        for task in stopped
        for run in (1, 0)
        for number in range(1, 4)
    ]  # fmt: skip
    statements: list[str] = []
    with house.store() as store:
        with store._database.write() as connection:
            connection.execute(tasks.insert(), [task.model_dump(exclude={"depends_on"}) for task in stopped])
            connection.execute(attempts.insert(), tried)
        event.listen(Engine, "before_cursor_execute", lambda *given: statements.append(str(given[2])))
        rows = stopped_tasks(store, 20)
    reading = [statement for statement in statements if "attempts" in statement]
    assert len(reading) == 1
    assert [row.title for row in rows] == [f"Number {number}" for number in range(2999, 2979, -1)]
    assert rows[0].evidence == ["run 1, 2"], "the last attempt with words, of the latest run"
    status = entry(house, "status")
    assert isinstance(status["stopped"], list)
    assert (len(status["stopped"]), status["stopped_count"]) == (20, 3000)
    assert f"… and 2997 more: {house.typed} approvals list" in look(house, "status").stdout
    shown = look(house, "approvals", "list", "--limit", "2").stdout
    assert "Number 2998" in shown
    assert "Number 2997" not in shown
    assert "… and 2998 more (--limit)" in shown


def test_a_model_that_is_awaited_is_shown_with_its_waiting_time(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, llm={"timeout": 200})
    script.hold("code")
    task_id = house.submit()
    with house.daemon() as daemon, ExitStack() as followers:
        server.wait_for(2)  # it waits for the developer's answer
        follower = followers.enter_context(following(house))
        with house.store() as store, store._database.write() as connection:  # no test can wait that long
            connection.execute(reservations.update().values(created_at=utc_now() - timedelta(minutes=2)))
        assert follower.stdout is not None
        line = next(line for line in map(json.loads, follower.stdout) if line["activity"] == "awaits its model")
        assert (line["id"], line["agent_name"], line["task_id"]) == (0, "developer", task_id)
        assert line["details"]["model"] == "openai_compatible:scripted"
        assert line["details"]["seconds"] >= 120
        status = entry(house, "status")
        assert isinstance(status["awaited"], list)
        (awaited,) = status["awaited"]
        assert (awaited["agent"], awaited["task_id"], awaited["model"]) == (
            "developer", task_id, "openai_compatible:scripted"
        )  # fmt: skip
        assert awaited["seconds"] >= 120
        shown = look(house, "status").stdout
        pattern = rf"model +The developer has waited 2 min \d+ s for openai_compatible:scripted \({task_id}\)\n"
        assert re.search(pattern, shown)
        daemon.kill()
        daemon.wait(120)
        assert entry(house, "status")["awaited"] == []  # nobody awaits what a killed daemon asked for
        assert "has waited" not in look(house, "status").stdout
        script.release()


def test_what_waits_for_a_task_that_stands_still_says_so_and_how_it_goes_on(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    needed, gone = house.submit(title="First of all"), house.submit(title="Given up")
    with house.store() as store:
        store.tasks.transition(needed, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
        store.tasks.transition(gone, TaskStatus.CANCELLED)
    added = entry(house, "task", "add", "Then this", "--after", needed)
    assert added["depends_on"] == [needed]
    waiting = str(added["id"])
    told = " ".join(look(house, "status").stdout.split())
    assert f"after {waiting} Then this: waits for {needed} (blocked); it goes on when you decide about {needed}" in told
    assert f"waits for {needed} (blocked)" in " ".join(look(house, "task", "show", waiting).stdout.split())
    listed = "".join(look(house, "task", "list").stdout.split())
    assert "waitsfor" in listed
    rest = {"id": needed, "title": "First of all", "status": "blocked"}
    assert entry(house, "status")["dependent"] == {waiting: [rest]}
    assert entry(house, "task", "show", waiting)["waits_for"] == [rest]
    refused = look(house, "task", "add", "Never", "--after", gone)
    assert refused.exit_code == 2
    assert f"{gone} is cancelled" in " ".join(refused.stderr.split())
