"""How many tasks are started, which ones go first, and what counts as working time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from sqlalchemy import event

from config import load_settings
from memory import ENDED, FailureReason, MemoryStore, Priority, Task, TaskStatus
from orchestrator import open_services
from orchestrator.coding.state import CodeState
from orchestrator.engine.engine import Job, Steps
from orchestrator.flow import StageContext
from orchestrator.small_models.method import SmallModels
from orchestrator.small_models.state import Sample, SmallState
from orchestrator.task_orchestrator import TaskOrchestrator
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.in_process import engine, services_of
from tests.orchestrator.scripts import GOOD_ADD, Held, asked, team
from tests.support import Answer, Reply, Request

T = TypeVar("T")
_TRIPLE = "Add `triple(x: int) -> int` to calc.py. `triple(2)` returns `6` and `triple(0)` returns `0`."
_GOOD_TRIPLE = GOOD_ADD.replace(
    "def add(a: int, b: int) -> int:\n    return a + b", "def triple(x: int) -> int:\n    return 3 * x"
)


def in_progress(number: int) -> Callable[[MemoryStore], bool]:
    return lambda store: store.tasks.count_by_status().get(TaskStatus.IN_PROGRESS, 0) == number


@pytest.mark.long
def test_no_more_tasks_are_open_than_may_be_but_a_more_urgent_one_is_begun(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, orchestrator={"max_open_tasks": 2})
    script.hold("code")
    first = [house.submit(title=f"Add add, {number}") for number in range(4)]
    with house.daemon():
        server.wait_for(3)  # the assertions of two tasks, the code of one
        house.wait(in_progress(2))
        time.sleep(2.5)  # long enough for rounds that could start a third one
        with house.store() as store:
            assert in_progress(2)(store)
            assert [store.tasks.get(one).status for one in first[2:]] == [TaskStatus.PENDING] * 2
        urgent = house.submit(title="Add add at once", priority=Priority.HIGH)
        house.wait(lambda store: store.tasks.get(urgent).status is TaskStatus.IN_PROGRESS)
        house.submit(title="Add add later", priority=Priority.LOW)
        script.release()
        house.wait(lambda store: all(task.status in ENDED for task in store.tasks.select()))


@pytest.mark.long
def test_a_task_that_waits_for_its_turn_is_not_over_its_time(make_house: MakeHouse) -> None:
    works = team()

    def slow(request: Request) -> Answer:
        if asked(request) != "code":
            return works(request)
        # The first task keeps the developer busy until its time is over; the second one waits as long for its turn.
        return Reply.text(_GOOD_TRIPLE).after(15) if "triple" in request.prompt else Reply.text(GOOD_ADD).after(240)

    house, _ = make_house(slow, orchestrator={"task_timeout": 40, "check_interval": 0.5}, llm={"timeout": 300})
    assert house.cli("facts").returncode == 0  # builds the project environment, which takes long
    first = house.submit()
    second = house.submit(_TRIPLE, "Add triple", priority=Priority.LOW)
    assert house.run_until_idle().returncode == 1
    ended, done = house.task(first), house.task(second)
    assert (ended.status, ended.reason) == (TaskStatus.FAILED, FailureReason.TIMEOUT)
    assert done.status is TaskStatus.COMPLETED
    assert done.started_at is not None
    assert done.finished_at is not None
    assert (done.finished_at - done.started_at).total_seconds() > 40


@dataclass
class _Steps:
    """The steps of a job without an engine."""

    job: Job

    def step(self, name: str, returns: type[T], action: Callable[[], T]) -> T:
        return action()


def test_calls_for_tasks_that_stand_back_let_others_go_first(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    services = open_services(load_settings(house.config), house.paths)
    try:
        for behind in (0, 2):
            task = Task(id="t-1", title="Add", result={"behind": behind})
            steps = _Steps(Job(id="t-1.0.1.code", agent="developer", kind="stage", payload={}, priority=1))
            assert StageContext(task, "code", services, steps).ask("write 1.1").patient is bool(behind)
    finally:
        services.close()


def test_after_an_approach_tasks_that_were_tried_less_often_go_first() -> None:
    def behind(turns: int, *missing: int) -> int:
        drafts = [Sample(answer=str(count), passed=not count, missing=count) for count in missing]
        state = CodeState(turns=turns, own=SmallState(drafts=drafts))
        state.step_back(far=SmallModels().is_far(state))
        return state.behind

    # A task with an unconfirmed answer is put back after each approach, behind one that is far off but was tried less.
    assert behind(1, 0, 3) < behind(1, 5) < behind(2, 0) < behind(2, 50)
    assert behind(1, 1) == behind(1)


def test_a_round_asks_the_database_for_nothing_until_somebody_has_changed_it(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), orchestrator={"max_open_tasks": 1, "check_interval": 86_400})
    ids = [house.submit(title=f"Add add, {number}") for number in range(3)]
    begun, over = threading.Event(), threading.Event()

    def held(_: Steps) -> None:
        begun.set()
        over.wait(60)

    with services_of(house) as services, engine(services.paths.engine_url, stage=held, ceo=held) as running:
        orchestrator = TaskOrchestrator(services)
        orchestrator._engine = running
        assert orchestrator._round(woken=True) and begun.wait(30)
        assert orchestrator._round(woken=False)  # the first one has noted when the strategy is looked at
        asked_for: list[str] = []
        event.listen(services.store._database.engine, "before_cursor_execute", lambda *did: asked_for.append(did[2]))
        assert orchestrator._round(woken=True) and orchestrator._round(woken=False)
        assert asked_for == []
        assert [task.id for task in orchestrator._begun] == ids[:1]  # only these are anybody's work
        with house.store() as other:
            other.commands.send("cancel", ids[1])
        assert orchestrator._round(woken=False) and asked_for
        assert house.task(ids[1]).status is TaskStatus.CANCELLED
        over.set()
