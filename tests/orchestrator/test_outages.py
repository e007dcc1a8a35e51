"""Model servers that fail in many ways, and tasks that are cancelled or take too long."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from memory import FailureReason, MemoryStore, TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import eventually, stop
from tests.orchestrator.scripts import APPROVED, GOOD_ADD, QUESTIONS, Held, asked, team
from tests.support import Answer, Reply, Request, ScriptedModelServer


def test_what_a_server_gets_wrong_for_a_while_costs_time_only(make_house: MakeHouse) -> None:
    script: dict[str, list[Answer]] = {
        "assertions": [Reply.text("I would test the sum."), {"tests": ["no"]}, {"assertions": []}],
        "code": [Reply.status(429, retry_after=1), Reply.cut(GOOD_ADD), GOOD_ADD],
        "review": [Reply.garbage(), Reply.status(503), APPROVED],
    }
    works = team()
    house, server = make_house(
        lambda request: script[asked(request)].pop(0) if asked(request) in script else works(request)
    )
    task_id = house.submit()
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    questions = [asked(request) for request in server.requests]
    assert questions == [kind for kind in QUESTIONS for _ in range(3 if kind in script else 1)]
    told = [request.messages[-1].text for request in server.requests]
    assert "not valid" in told[1]
    assert "not valid" in told[2]
    limited, after = server.requests[3:5]
    assert after.received_at - limited.received_at >= 1
    with house.store() as store:
        assert len(store.evidence.attempts(task_id)) == 1


@pytest.mark.long
def test_a_server_that_stays_away_is_waited_for_over_kills_and_no_answer_is_asked_for_twice(
    make_house: MakeHouse,
) -> None:
    away: dict[str, Reply] = {}
    works = team()
    answered: list[str] = []

    def rule(request: Request) -> Answer:
        if asked(request) == "assertions":
            away["reply"] = Reply.status(500, "out of order")  # from the next request on
        elif "reply" in away:
            return away["reply"]
        answered.append(asked(request))
        return works(request)

    house, server = make_house(rule, llm={"timeout": 5, "max_retries": 0, "outage_retry": 0.5})
    task_id = house.submit()
    for trouble, told in [
        (Reply.status(500, "out of order"), "out of order"),
        (Reply.status(401, "revoked"), "does not accept the key"),
    ]:
        with house.daemon() as daemon:
            house.wait(lambda store: any(call.task_id == task_id for call in store.budgets.waiting_calls()))
            away["reply"] = trouble
            house.wait(waits_for(told))
            daemon.kill()
    with house.daemon() as daemon:
        server.stop()
        house.wait(waits_for("onnect"))
        shown = json.loads(house.cli("status", "--json").stdout)
        assert [(call["agent"], call["task_id"]) for call in shown["waiting"]] == [("developer", task_id)]
        assert "paused" in house.cli("status").stdout
        assert "tried again at" in house.cli("task", "show", task_id).stdout
        assert house.task(task_id).status is TaskStatus.IN_PROGRESS
        assert stop(daemon) == 0  # waiting calls do not hold up the end
    away.clear()
    with ScriptedModelServer(rule, port=server.port), house.daemon():
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert sorted(answered) == sorted(QUESTIONS)
    assert len(house.landed()) == 2
    assert '"kind": "provider"' in house.log()


def waits_for(told: str) -> Callable[[MemoryStore], bool]:
    """A condition: some call waits, and `told` is part of the reason."""
    return lambda store: any(told in call.reason for call in store.budgets.waiting_calls())


def test_a_task_that_waits_can_be_cancelled(make_house: MakeHouse) -> None:
    house, _ = make_house(lambda _: Reply.status(503), llm={"max_retries": 0})
    with house.daemon():
        task_id = house.submit()
        house.wait(lambda store: store.budgets.waiting_calls())
        house.tell("cancel", task_id)
        house.wait_for(task_id, TaskStatus.CANCELLED)
        house.wait(lambda store: not store.budgets.waiting_calls())
    assert "stage failed" not in house.log()


def test_until_idle_a_server_that_stays_away_fails_the_task(make_house: MakeHouse) -> None:
    house, _ = make_house(lambda _: Reply.status(500, "out of order"), llm={"max_retries": 0})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.FAILED, FailureReason.PROVIDER_ERROR)
    assert "500" in task.reason_detail and len(task.reason_detail.splitlines()) == 1
    assert "Traceback" not in house.log()


@pytest.mark.long
def test_a_cancelled_task_can_be_tried_again_and_its_late_answer_changes_nothing(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    script.hold("assertions")
    with house.daemon():
        task_id = house.submit()
        server.wait_for(1)
        assert house.cli("task", "cancel", task_id).returncode == 0
        house.wait_for(task_id, TaskStatus.CANCELLED)
        assert house.cli("task", "cancel", task_id).returncode == 1

        house.tell("retry", task_id)
        script.release()
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
        assert task.run == 1
        house.tell("cancel", task_id)  # too late: it has ended
        eventually(lambda: house.log().count('"command": "cancel"') == 2, "the daemon takes the command")
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert len(house.landed()) == 2
    with house.store() as store:
        told = [activity.activity for activity in store.journal.activity(task_id=task_id)]
    assert told.count("task cancelled") == 1
    assert "stage failed" not in house.log()


@pytest.mark.long
def test_a_task_over_its_time_is_failed(make_house: MakeHouse) -> None:
    house, _ = make_house(lambda _: Reply.hang(60), orchestrator={"task_timeout": 1})
    with house.daemon():
        task_id = house.submit()
        task = house.wait_for(task_id, TaskStatus.FAILED)
    assert task.reason is FailureReason.TIMEOUT
    assert "over 1 second" in task.reason_detail


def test_a_goal_that_cannot_be_planned_is_no_success(make_house: MakeHouse) -> None:
    house, server = make_house(team(), llm={"max_retries": 0})
    server.stop()
    done = house.run_until_idle("--goal", "Make it a full calculator")
    assert done.returncode == 1
    assert "nothing listens" in done.stderr
    assert "nothing to do" not in done.stderr


def test_a_cancelled_task_lets_go_of_its_model_call(make_house: MakeHouse) -> None:
    works = team()

    def rule(request: Request) -> Answer:
        return Reply.hang(300) if "Stuck" in request.prompt else works(request)

    house, server = make_house(rule, llm={"timeout": 300})
    with house.daemon():
        stuck = house.submit(title="Stuck")
        server.wait_for(1)
        next_one = house.submit()
        house.tell("cancel", stuck)
        house.wait_for(next_one, TaskStatus.COMPLETED)  # QA and the developer are free again at once
    assert house.task(stuck).status is TaskStatus.CANCELLED
    assert "stage failed" not in house.log()
    printed = (house.folder / "daemon.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in printed if not line.startswith("{")] == [], "only JSON, and no traceback"
