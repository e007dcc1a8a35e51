"""A task the team cannot do goes to the tech lead once, then to the owner; lessons reach later prompts."""

from __future__ import annotations

import json
import signal

import pytest
from pydantic import JsonValue

from memory import FailureReason, MemoryStore, Task, TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, eventually, stop
from tests.orchestrator.scripts import (
    ADD_TASK,
    BAD_ADD,
    GIVEN_UP,
    GOOD_ADD,
    REJECTED,
    SHARES_TASK,
    SMALL,
    Held,
    asked,
    team,
)
from tests.support import Answer, Request, ScriptedModelServer

HALF_PART: JsonValue = {
    "title": "Add half",
    "description": "Add `half(n: int) -> int` to calc.py. `half(4)` returns `2` and `half(0)` returns `0`.",
}
SAME_PART: JsonValue = {"title": "Add add", "description": "The whole task once more, as it was."}
SPLIT: dict[str, JsonValue] = {
    "action": "split",
    "reason": "Halving comes first.",
    "parts": [HALF_PART, SAME_PART, HALF_PART],
    "lesson": "Halve before you add\nin calc.",
}
CLEARER: dict[str, JsonValue] = {
    "action": "rewrite",
    "reason": "It was vague.",
    "title": "Add the sum",
    "description": "Add `add(a, b)` to calc.py, which gives a plus b. `add(5, 5)` returns `10`.",
}
ONCE: dict[str, object] = {"max_approaches": 1}


def escalations(server: ScriptedModelServer) -> list[Request]:
    return [request for request in server.requests if asked(request) == "escalation"]


def of(house: House, source: str) -> Task:
    with house.store() as store:
        (task,) = store.tasks.select(source=source)
    return task


def with_function(request: Request, function: str) -> str:
    """The answer that adds `function` to the present calc.py."""
    current = request.prompt.split("# File `calc.py`\n```\n")[1].split("\n```")[0]
    return f"### calc.py\n```python\n{current}\n\n\n{function}\n```\n"


def test_the_tech_lead_splits_a_task_and_it_is_done_after_its_parts(make_house: MakeHouse) -> None:
    def code(request: Request) -> Answer:
        if "Add half\n" in request.prompt:
            return with_function(request, "def half(n: int) -> int:\n    return n // 2")
        if "def half" not in request.prompt.split("# The files as they stand now")[-1]:
            return BAD_ADD
        return with_function(request, "def add(a: int, b: int) -> int:\n    return a + b")

    house, server = make_house(team(code=code, escalations=[SPLIT]), orchestrator=ONCE)
    task_id = house.submit()
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr

    task, part = house.task(task_id), of(house, "tech_lead")
    assert (task.status, task.run, task.depends_on) == (TaskStatus.COMPLETED, 1, [part.id])
    # Of the proposed parts, one repeats the task itself and one is a duplicate, so a single part is left.
    assert (part.title, part.parent_id, part.status) == ("Add half", task_id, TaskStatus.COMPLETED)
    assert [subject for subject in house.landed() if not subject.startswith("Test:")] == ["Add add", "Add half"]

    (request,) = escalations(server)
    assert "loop_detected" in request.prompt
    assert "assert add(1, 2) == 3" in request.prompt
    assert "approach 1, attempt 1 (write): failed" in request.prompt
    with house.store() as store:
        (decision,) = store.journal.decisions(decision_type="escalation")
    assert (decision.decision_data["action"], decision.decision_data["parts"]) == ("split", [part.id])
    # The lesson of the answer is shown, in one line, to the tasks that it may help.
    told = [request.prompt for request in server.requests if "- Halve before you add in calc." in request.prompt]
    assert told
    assert all("Add half\n" in prompt or "# Task: Add add" in prompt for prompt in told)


@pytest.mark.long
def test_a_task_whose_parts_did_all_of_it_is_completed_without_code(make_house: MakeHouse) -> None:
    part: JsonValue = {
        "title": "Provide the sum of two numbers",
        "description": "Put `add(a, b)` into calc.py. `add(2, 2)` returns `4`, `add(9, 1)` returns `10`.",
    }

    def code(request: Request) -> Answer:
        return GOOD_ADD if "Provide" in request.prompt.partition("# The files as they stand now")[0] else BAD_ADD

    split: dict[str, JsonValue] = {"action": "split", "reason": "First the sum.", "parts": [part]}
    house, server = make_house(team(code=code, escalations=[split]), orchestrator=ONCE)
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert len(house.landed()) == 2, "nothing but what the part brought"
    assert house.litter() == []
    assert len(escalations(server)) == 1


@pytest.mark.long
def test_clearer_words_keep_the_owners_and_after_them_it_is_the_owners_turn(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[BAD_ADD], escalations=[CLEARER]), orchestrator=ONCE)
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    task = house.task(task_id)
    assert (task.title, task.status, task.run) == ("Add the sum", TaskStatus.BLOCKED, 1)
    assert task.description.startswith("Add `add(a, b)` to calc.py, which")
    assert task.description.endswith(ADD_TASK)
    assert len(escalations(server)) == 1, "once a task"
    tests = [request.prompt for request in server.requests if asked(request) == "code"][-1]
    assert "assert add(5, 5) == 10" in tests, "what the new words state is tested"
    assert "assert add(1, 2) == 3" in tests, "and so is what the owner stated"
    alerts = [json.loads(line) for line in house.log().splitlines() if '"message": "alert"' in line]
    assert [(told["kind"], told["key"]) for told in alerts] == [("loop", task_id)]


@pytest.mark.long
def test_killed_while_the_tech_lead_is_asked(make_house: MakeHouse) -> None:
    script = Held(team(code=[BAD_ADD], escalations=[CLEARER]))
    house, server = make_house(script, orchestrator=ONCE)
    task_id = house.submit()
    script.hold("escalation")
    with house.daemon() as daemon:
        eventually(lambda: escalations(server), "the tech lead is asked", seconds=60)
        stop(daemon, signal.SIGKILL)
    script.release()
    assert house.run_until_idle().returncode == 1

    assert (house.task(task_id).title, house.task(task_id).run) == ("Add the sum", 1)
    assert len(escalations(server)) == 2, "no answer had arrived"
    with house.store() as store:
        assert len(store.journal.decisions(decision_type="escalation")) == 1


@pytest.mark.long
def test_developer_and_reviewer_who_do_not_agree_are_stopped_and_the_owner_can_help(make_house: MakeHouse) -> None:
    versions = [GOOD_ADD.replace("return a + b", f"return a + b + {number} * 0") for number in range(3)]

    def rule(request: Request) -> Answer:
        if asked(request) == "code" and "The sum, in a docstring." in request.prompt:
            return GOOD_ADD
        if asked(request) == "review" and "The sum, in a docstring." in request.prompt:
            return {"approved": True, "score": 9}
        return script(request)

    script = team(code=versions, reviews=[REJECTED], escalations=[GIVEN_UP])
    house, server = make_house(rule)
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.REVIEW_REJECTED)
    assert "rejected in 3 reviews" in task.reason_detail
    assert task.reason_detail.endswith("The tech lead gives it up: Say what add is to do.")
    assert [asked(request) for request in server.requests].count("review") == 3
    assert "Give add a docstring." in escalations(server)[0].prompt

    listed = json.loads(house.cli("approvals", "list", "--json").stdout)
    assert [(row["id"], row["kind"], row["reason"]) for row in listed] == [(task_id, "blocked", "review_rejected")]
    assert house.cli("approvals", "approve", task_id, "--note", "The sum, in a docstring.").returncode == 0
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    task = house.task(task_id)
    assert task.status is TaskStatus.COMPLETED
    assert "The owner adds:\n\nThe sum, in a docstring." in task.description
    assert len(escalations(server)) == 1


@pytest.mark.long
def test_a_small_model_is_not_asked_what_to_do_but_code_keeps_the_lesson(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=["```python\ndef shares(total, parts):\n    return 0\n```"]), **SMALL,
                               orchestrator=ONCE)  # fmt: skip
    task_id = house.submit(SHARES_TASK, "Shares")
    assert house.run_until_idle().returncode == 1

    assert house.task(task_id).status is TaskStatus.BLOCKED
    assert not escalations(server)

    def lessons(store: MemoryStore) -> list[str]:
        return [str(memory.value) for memory in store.journal.memories("global", "lesson/")]

    with house.store() as store:
        (lesson,) = lessons(store)
    assert "Not done (tests_failed): Shares" in lesson
    again = house.submit(SHARES_TASK.replace("shares", "parcels"), "Shares once more, as parcels")
    house.run_until_idle()
    assert house.task(again).status is TaskStatus.BLOCKED
    assert not any("Not done" in str(request.body) for request in server.requests)


@pytest.mark.long
def test_what_failed_at_first_is_a_lesson_of_what_landed(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[BAD_ADD, BAD_ADD, GOOD_ADD]))
    first = house.submit()
    assert house.run_until_idle().returncode == 0
    assert house.task(first).status is TaskStatus.COMPLETED

    asked_before = len(server.requests)
    house.submit("Add `add3(a, b, c)` to calc.py, with `add`. `add3(1, 2, 3)` returns `6`.", "Add add3")
    house.run_until_idle()
    later = [request for request in server.requests[asked_before:] if asked(request) in ("code", "assertions")]
    told = "`add` in calc.py: at first tests/test_add.py::test_add_1: AssertionError: assert -1 == 3; landed by write"
    assert later
    for request in later:
        blocks = request.prompt.split("<data>")[1:]
        assert any(told in block.partition("</data>")[0] for block in blocks)
