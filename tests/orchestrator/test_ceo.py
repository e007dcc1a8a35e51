"""Behaviour that settings decide: the idle CEO, the order of work, the owner's gates, and where work lands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import JsonValue

from memory import FailureReason, MemoryStore, Priority, TaskStatus, TaskType
from orchestrator.engine.engine import Steps
from orchestrator.errors import Stopping
from orchestrator.idle.ceo_loop import CEOLoop, IdleState
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, eventually, git, in_sandbox, stop
from tests.orchestrator.in_process import engine_with, services_of
from tests.orchestrator.scripts import ADD_TASK, APPROVED, asked, team
from tests.support import Answer, Request, ScriptedModelServer

IDEA: dict[str, JsonValue] = {
    "title": "Add add",
    "description": ADD_TASK,
    "priority": "high",
    "reason": "the goal says so",
}
UNITTESTS = """import unittest

from calc import double


class DoubleTest(unittest.TestCase):
    def test_double(self) -> None:
        self.assertEqual(double(4), 8)
"""


Result = TypeVar("Result")


def idle_state(store: MemoryStore) -> IdleState:
    return IdleState.model_validate(store.journal.recall("ceo", "idle") or {})


def rounds_of_ideas(server: ScriptedModelServer) -> int:
    return sum(asked(request) == "ideas" for request in server.requests)


def test_the_idle_ceo_creates_a_task_then_looks_ever_more_seldom_and_a_restart_changes_nothing(
    make_house: MakeHouse,
) -> None:
    house, server = make_house(team(ideas=[{"tasks": [IDEA]}]), project={"goal": "Make calc a full calculator"})
    seen: dict[int, IdleState] = {}

    def rests(store: MemoryStore) -> bool:
        state = idle_state(store)
        seen[state.rounds] = state
        return state.interval >= 2

    with house.daemon() as daemon:
        house.wait(rests)
        stop(daemon)
    with house.store() as store:
        (task,) = store.tasks.select()
        resting = idle_state(store)
    assert (task.source, task.status) == ("ceo", TaskStatus.COMPLETED)
    assert rounds_of_ideas(server) == 2, "once before the task and once after it; then nothing has changed"
    assert resting.ask_interval == 3600
    assert (resting.found, resting.interval) == (0, 2 * seen[resting.rounds - 1].interval)

    with house.daemon():
        house.wait(lambda store: idle_state(store).rounds > resting.rounds)
    assert rounds_of_ideas(server) == 2


class Dies:
    """The steps of a round whose daemon dies before the round is recorded."""

    def __init__(self, steps: Steps, died: threading.Event) -> None:
        self.job = steps.job
        self._steps = steps
        self._died = died

    def step(self, name: str, returns: type[Result], action: Callable[[], Result]) -> Result:
        if name == "remember":
            self._died.set()
            raise Stopping
        return self._steps.step(name, returns, action)


def test_a_round_that_dies_with_its_tasks_made_goes_on_as_it_began(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(ideas=[{"tasks": [IDEA]}]), project={"goal": "Make calc a full calculator", "tasks_from": []}
    )
    died = threading.Event()
    with services_of(house) as services:
        ceo = CEOLoop(services, until_idle=True)  # plans only once: its own task would start another round
        job = ceo.due()
        assert job is not None
        with engine_with(services, lambda steps: ceo(Dies(steps, died))) as running:
            running.enqueue(job)
            assert died.wait(200)
        assert ceo.state().rounds == 0
        assert len(services.store.tasks.select(source="ceo")) == 1
        with engine_with(services, ceo) as running:
            eventually(lambda: running.status(job.id) not in ("ENQUEUED", "PENDING"), "the round ends")
            assert running.status(job.id) == "SUCCESS"
        assert (ceo.state().rounds, ceo.state().found, ceo.state().problem) == (1, 1, "")
    assert rounds_of_ideas(server) == 1


def test_a_round_whose_job_is_broken_is_not_offered_for_ever(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), project={"tasks_from": []})

    def breaks(steps: Steps) -> None:
        raise RuntimeError(steps.job.id)

    with services_of(house) as services:
        job = CEOLoop(services, until_idle=False).due()
        assert job is not None
        with engine_with(services, breaks) as running:
            running.enqueue(job)
            eventually(lambda: running.status(job.id) == "ERROR", "the round ends")
    problems: set[str] = set()

    def goes_on(store: MemoryStore) -> bool:
        problems.add(idle_state(store).problem)
        return idle_state(store).rounds >= 2

    with house.daemon():
        house.wait(goes_on, seconds=30)
    assert any("ceo.1 ended without a result" in problem for problem in problems)


def test_ideas_that_were_had_before_are_nothing_found(make_house: MakeHouse) -> None:
    rejected: JsonValue = {**IDEA, "title": "Implement add in calc.py"}
    landed: JsonValue = {"title": "Add  SUB!", "description": "In calc.py, `sub(3, 1)` gives 2.", "reason": "goal"}
    house, server = make_house(
        team(ideas=[{"tasks": [rejected, landed]}, {"tasks": [landed]}, {"tasks": []}]),
        project={"goal": "Make calc a full calculator", "tasks_from": []},
    )
    with house.store() as store:
        store.tasks.transition(house.submit(), TaskStatus.CANCELLED)
        done = house.submit("Add `sub(a, b)` to calc.py.", "Add sub")
        store.tasks.transition(done, TaskStatus.IN_PROGRESS)
        store.tasks.transition(done, TaskStatus.COMPLETED)
    with services_of(house) as services:
        ceo = CEOLoop(services, until_idle=False)
        intervals = []
        with engine_with(services, ceo) as running:
            for number in (1, 2):
                eventually(lambda: ceo.due() is not None, "the next round is due", 60)
                job = ceo.due()
                assert job is not None
                running.enqueue(job)
                eventually(lambda number=number: ceo.state().rounds == number, "the round ends", 60)  # type: ignore[misc]  # mypy knows no default of a lambda
                assert (ceo.state().found, ceo.state().problem) == (0, "")
                intervals.append(ceo.state().interval)
        assert intervals == [1, 2], "ever more seldom"
        assert not services.store.tasks.select(source="ceo")
    assert rounds_of_ideas(server) == 1, "nothing has changed since"


def test_stated_work_needs_no_model_and_the_urgent_item_goes_first(make_house: MakeHouse) -> None:
    backlog = f"## Add add [low]\n\n{ADD_TASK}\n\n## Add more [high]\n\n{ADD_TASK.replace('add', 'more')}\n"
    house, server = make_house(team(), files={"BACKLOG.md": backlog})
    with house.daemon():
        first = house.wait(lambda store: next(iter(store.tasks.select([TaskStatus.IN_PROGRESS])), None))
        with house.store() as store:
            tasks = {task.title: task for task in store.tasks.select()}
    assert first.title == "Add more"
    assert {title: (task.priority, task.source) for title, task in tasks.items()} == {
        "Add add": (Priority.LOW, "backlog"),
        "Add more": (Priority.HIGH, "backlog"),
    }
    assert rounds_of_ideas(server) == 0


def test_tasks_go_by_priority_and_after_what_they_depend_on(make_house: MakeHouse) -> None:
    report: dict[str, JsonValue] = {"summary": "All is well.", "findings": [], "recommendations": []}
    answered: list[str] = []

    def rule(request: Request) -> Answer:
        if "approved" in str(request.schema):
            return APPROVED
        answered.append(
            next(name for name in ("low", "medium", "urgent", "dependent") if f"task-{name}" in request.prompt)
        )
        return report

    house, _ = make_house(rule)

    def add(name: str, priority: Priority, *needed: str) -> str:
        return house.submit(
            "Look at calc.py.", f"task-{name}", type=TaskType.ANALYSIS, priority=priority, depends_on=needed
        )

    low = add("low", Priority.LOW)
    add("dependent", Priority.HIGH, low)
    add("medium", Priority.MEDIUM)
    add("urgent", Priority.HIGH)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stderr
    assert answered == ["urgent", "medium", "low", "dependent"]


def test_a_task_whose_dependency_failed_is_blocked_with_the_reason(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    needed = house.submit("Say hello.", "No file, no example", type=TaskType.DEPLOY)  # by `deploy` alone
    task_id = house.submit(depends_on=[needed])
    assert house.run_until_idle().returncode == 1
    task = house.task(task_id)
    assert task.status is TaskStatus.BLOCKED
    assert needed in task.reason_detail
    assert "nothing says what to deploy" in house.task(needed).reason_detail


@pytest.mark.long
def test_what_waits_for_a_task_goes_on_when_that_is_tried_again_or_without_it(make_house: MakeHouse) -> None:
    report: dict[str, JsonValue] = {"summary": "All is well.", "findings": [], "recommendations": []}
    house, _ = make_house(lambda request: APPROVED if "approved" in str(request.schema) else report)

    def add(title: str, *needed: str) -> str:
        return house.submit("Look at calc.py.", title, type=TaskType.ANALYSIS, depends_on=needed)

    first, given_up = add("first"), add("given up")
    with house.store() as store:
        for task_id in (first, given_up):
            store.tasks.transition(task_id, TaskStatus.CANCELLED)
    with_it, without = add("with it", first), add("without", given_up)
    assert house.run_until_idle().returncode == 1
    for task_id, needed in ((with_it, first), (without, given_up)):
        assert house.task(task_id).reason is FailureReason.DEPENDENCY
        listed = house.cli("approvals", "list").stdout
        assert (
            f"so that it is tried again, and then this task goes on:\n    {house.typed} task retry {needed}\n" in listed
        )
        assert f"so that it is tried without it:\n    {house.typed} task retry {task_id}\n" in listed
    house.tell("retry", first)
    house.tell("retry", without)
    with house.daemon():
        house.wait_for(with_it, TaskStatus.COMPLETED)
        house.wait_for(without, TaskStatus.COMPLETED)
    assert house.task(first).status is TaskStatus.COMPLETED
    assert house.task(given_up).status is TaskStatus.CANCELLED


def test_the_owners_gates_stand_before_the_first_run_and_before_landing(make_house: MakeHouse) -> None:
    careful: dict[str, dict[str, object]] = {
        "testing": {"auto_run": False},
        "git": {"auto_commit": False, "landing": "main"},
        "orchestrator": {"task_timeout": 30},
    }
    house, server = make_house(team(), **careful)
    bare, first = bare_remote(house)
    task_id = house.submit()
    with house.daemon() as daemon:
        waiting = house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert (waiting.stage, waiting.result["waiting_for"]) == ("requirements", "run")
        assert not in_sandbox(daemon)
        assert "tests run" not in house.log()
        assert len(server.requests) == 0

        house.shift_start(task_id, hours=-1)  # waiting for the owner must not count as working time
        assert house.cli("task", "approve", task_id).returncode == 0
        waiting = house.wait(
            lambda store: (task := store.tasks.get(task_id)).stage == "land" and task.finished_at is None and task
        )
        waiting = house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert waiting.result["waiting_for"] == "land"
        assert "approve" in waiting.reason_detail
        assert git(bare, "rev-parse", "main") == first

        house.tell("approve", task_id)
        house.wait_for(task_id, TaskStatus.COMPLETED)
    # With `landing: main` no other branch is pushed.
    assert git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").split() == ["main"]
    assert len(git(bare, "log", "--format=%s", f"{first}..main").splitlines()) == 2
    assert "def add" in git(bare, "show", "main:calc.py")


def bare_remote(house: House) -> tuple[Path, str]:
    """Make the house work on a bare clone of its repository; returns the clone and its first commit."""
    bare = house.folder / "remote.git"
    git(house.folder, "clone", "-q", "--bare", str(house.repository), str(bare))
    house.write_config(git={"repository_url": str(bare)})
    return bare, git(bare, "rev-parse", "main")


@pytest.mark.long
def test_with_landing_on_branches_each_task_has_its_own(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), git={"landing": "branch"})
    bare, first = bare_remote(house)
    task_id = house.submit()
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr

    branches = git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    (branch,) = set(branches) - {"main"}
    assert task_id in branch
    assert git(bare, "rev-parse", "main") == first
    assert len(git(bare, "log", "--format=%s", f"main..{branch}").splitlines()) == 2
    assert "def add" in git(bare, "show", f"{branch}:calc.py")
    assert "agents/task/ID" in done.stderr  # the owner is told how to see the change


@pytest.mark.long
def test_a_repository_with_unittest_is_worked_on_with_unittest(make_house: MakeHouse) -> None:
    files = {"tests/test_calc.py": UNITTESTS, "tests/__init__.py": ""}
    house, _ = make_house(team(), files=files, testing={"framework": "unittest"})
    task_id = house.submit()
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    text = git(house.repository, "show", f"agents/integration:{house.task(task_id).result['tests_file']}")
    assert "unittest" in text
    assert "pytest" not in text
