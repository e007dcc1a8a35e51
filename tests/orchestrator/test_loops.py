"""Work that goes in circles is stopped, pays for no request twice, and ends with that reason."""

from __future__ import annotations

import pytest

from memory import FailureReason, TaskStatus
from orchestrator.coding.attempts import lasting, signature
from orchestrator.workbench.trial import FailureNote, Trial
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, all_end, children, eventually, in_sandbox
from tests.orchestrator.scripts import BAD_ADD, GOOD_ADD, asked, team
from tests.support import Request, ScriptedModelServer

COMMENTED = BAD_ADD.replace("    return a - b", "    # at last\n    return a  -  b  # the difference")
OTHER = BAD_ADD.replace("a - b", "a * b")


def outcomes(house: House, task_id: str) -> list[tuple[int, int, str]]:
    with house.store() as store:
        return [(tried.approach, tried.number, tried.outcome) for tried in store.evidence.attempts(task_id)]


def questions(server: ScriptedModelServer) -> list[Request]:
    return [request for request in server.requests if asked(request) == "code"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<calc.A object at 0x7f3a1c> is not 3", "<calc.A object at 0x7f99ff> is not 3"),
        ("no file /tmp/run-1a/x.txt", "no file /tmp/run-2b/y/x.txt"),
        ("took 0.31 s in line 12", "took 4 s in line 99"),
        ("calc.py:12: at 2026-01-01 10:11:12", "calc.py:14: at 2026-01-02 09:11:10"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert lasting(one) == lasting(other)


def test_what_failed_and_what_it_said_does() -> None:
    def failing(*failed: tuple[str, str], problem: str = "") -> tuple[str, ...]:
        notes = [FailureNote(test_id=test_id, message=message, fair=True) for test_id, message in failed]
        return signature(Trial(applied=True, failures=notes, problem=problem))

    three = failing(("t.py::a", "assert 3 == 4"), ("t.py::b", "no"))
    assert three == failing(("t.py::b", "no"), ("t.py::a", "assert 3 == 4"))
    assert three != failing(("t.py::a", "assert 5 == 4"), ("t.py::b", "no"))
    assert three != failing(("t.py::a", "assert 3 == 4"))
    assert failing(problem="time over") != failing()


def test_a_repeated_answer_ends_its_approach_and_a_task_of_nothing_but_loops_says_so(make_house: MakeHouse) -> None:
    # A repeated answer ends its approach, so no more requests follow in it.
    house, server = make_house(team(code=[BAD_ADD, BAD_ADD, OTHER, OTHER]), orchestrator={"max_approaches": 2})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.LOOP_DETECTED)
    assert "add(1, 2)" in task.reason_detail
    assert outcomes(house, task_id) == [(1, 1, "failed"), (1, 2, "repeated"), (2, 1, "failed"), (2, 2, "repeated")]
    assert len(questions(server)) == 4
    assert '"kind": "loop"' in house.log()


@pytest.mark.long
def test_other_comments_are_no_other_code(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[BAD_ADD, COMMENTED, GOOD_ADD]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert outcomes(house, task_id) == [(1, 1, "failed"), (1, 2, "repeated"), (2, 1, "passed")]
    assert len(questions(server)) == 3


@pytest.mark.long
def test_an_answer_of_an_earlier_approach_is_gone_on_from(make_house: MakeHouse) -> None:
    wrong = [BAD_ADD, OTHER, BAD_ADD.replace("a - b", "b - a")]
    house, server = make_house(team(code=[*wrong, BAD_ADD, GOOD_ADD]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert outcomes(house, task_id)[3:] == [(2, 1, "repeated"), (2, 2, "passed")]
    begun, told = (request.prompt for request in questions(server)[3:])
    assert "did not succeed: 1." in begun
    assert "assert add(1, 2) == 3" in told.split("This failed:")[1]
    assert "return a - b" in told


@pytest.mark.long
def test_at_temperature_zero_no_question_of_a_task_is_put_twice(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(code=[BAD_ADD]), llm={"temperature": 0, "cache_ttl": 0}, orchestrator={"max_approaches": 4}
    )
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    assert house.task(task_id).reason is FailureReason.LOOP_DETECTED
    prompts = [str(request.body) for request in server.requests]
    assert len(prompts) == len(set(prompts))
    assert [outcome for _, _, outcome in outcomes(house, task_id)].count("failed") == 1


@pytest.mark.long
def test_a_task_over_its_time_is_stopped_with_the_code_that_it_runs(make_house: MakeHouse) -> None:
    endless = GOOD_ADD.replace("return a + b", "while True:\n        pass")
    house, server = make_house(team(code=[GOOD_ADD.replace("add", "first"), endless]))
    house.submit("Add `first(a, b)` to calc.py. `first(1, 2)` returns `3`.", "Add first")
    assert house.run_until_idle().returncode == 0  # builds the project environment, which takes long
    answered = len(server.requests)
    house.write_config(orchestrator={"task_timeout": 12})
    with house.daemon() as daemon:
        task_id = house.submit()
        server.wait_for(answered + 2)  # QA's assertions, the code
        eventually(lambda: in_sandbox(daemon), "the endless code is run", seconds=60)
        running = children(daemon)
        task = house.wait_for(task_id, TaskStatus.FAILED)
        assert all_end(running)
        assert daemon.poll() is None
    assert task.reason is FailureReason.TIMEOUT
    assert len(outcomes(house, task_id)) <= 1, "no step was begun after the task's end"
    assert len(server.requests) == answered + 2
    assert "stage failed" not in house.log()
