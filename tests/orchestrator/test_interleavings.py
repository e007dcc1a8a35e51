"""Two threads or processes that act at the same moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TypeVar

import psutil
import pytest
from pydantic import JsonValue

from git_ops.repository import locked
from memory import DatabaseLocked, MemoryStore, Task, TaskStatus
from orchestrator.engine.engine import Job, Steps
from orchestrator.idle.ceo_loop import CEOLoop
from orchestrator.services import Services
from orchestrator.task_orchestrator import TaskOrchestrator
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import Daemon, eventually, git, stop
from tests.orchestrator.in_process import engine_with, services_of
from tests.orchestrator.scripts import Held, team

Result = TypeVar("Result")
LOOK = Job("look", "ceo", "ceo", {}, 1)


def test_a_run_that_the_stop_kills_is_no_result(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    begun = threading.Event()
    results: list[str] = []

    def handler(services: Services, *command: str) -> Callable[[Steps], None]:
        def run() -> str:
            begun.set()
            return services.sandbox.run(command, cwd="/", timeout=90).output

        return lambda steps: results.append(steps.step("run", str, run))

    with services_of(house) as services, engine_with(services, handler(services, "sleep", "60")) as running:
        running.enqueue(LOOK)
        assert begun.wait(120)
        eventually(lambda: services.sandbox._running, "the command runs")
        assert not running.stop(0)
        services.close()
    with services_of(house) as services, engine_with(services, handler(services, "echo", "done")) as running:
        eventually(lambda: running.status(LOOK.id) == "SUCCESS", "the step is run again")
    assert results == ["done\n"]


class MeanwhileIn:
    """The steps of a job, with something else that happens right before one of them."""

    def __init__(self, steps: Steps, name: str, happens: Callable[[], None]) -> None:
        self.job = steps.job
        self._steps = steps
        self._name = name
        self._happens = happens

    def step(self, name: str, returns: type[Result], action: Callable[[], Result]) -> Result:
        if name == self._name:
            self._happens()
        return self._steps.step(name, returns, action)


@pytest.mark.parametrize("meanwhile", ["a task ends", "the owner pushes"])
def test_what_happens_during_a_round_is_looked_at_in_another_one(make_house: MakeHouse, meanwhile: str) -> None:
    house, _ = make_house(team(), project={"tasks_from": ["backlog"]})
    with services_of(house) as services:
        ceo, store = CEOLoop(services, until_idle=True), services.store

        def happens() -> None:
            if meanwhile == "a task ends":
                store.tasks.transition(house.submit(), TaskStatus.CANCELLED)
                return
            (house.repository / "BACKLOG.md").write_text("# Backlog\n\n## Add add\n\nAdd `add(a, b)`.\n", "utf-8")
            git(house.repository, "add", "-A")
            git(house.repository, "commit", "-q", "-m", "a wish")
            services.sync()

        def round_(steps: Steps) -> None:
            ceo(MeanwhileIn(steps, "facts", happens) if steps.job.id == "ceo.1" else steps)

        with engine_with(services, round_) as running:
            for number in (1, 2):
                job = ceo.due()
                assert job is not None, "nobody has looked at what happened"
                running.enqueue(job)
                eventually(lambda: ceo.state().rounds == number, "the round ends")  # noqa: B023  # called at once
        assert [task.title for task in store.tasks.select(source="backlog")] == (
            ["Add add"] if meanwhile == "the owner pushes" else []
        )


def test_until_idle_that_is_ended_before_its_work_is_done_says_so(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    house.submit()
    script.hold("code")
    with house.daemon("--until-idle") as daemon:
        eventually(lambda: any("calc" in request.prompt for request in server.requests), "a model is asked", 60)
        assert stop(daemon, signal.SIGTERM) == 1
    script.release()
    assert "0 of 1 task completed" in (house.folder / "daemon.log").read_text(encoding="utf-8")


def test_until_idle_that_is_ended_while_it_looks_for_work_says_so(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, project={"goal": "Make calc a full calculator", "tasks_from": []})
    script.hold("ideas")
    with house.daemon("--until-idle") as daemon:
        eventually(lambda: server.requests, "a model is asked", 60)
        assert stop(daemon, signal.SIGTERM) == 1
    script.release()
    assert "stopped before it had looked" in (house.folder / "daemon.log").read_text(encoding="utf-8")


def waits_for_lock(daemon: Daemon) -> bool:
    """Whether a daemon has the lock file for landings open."""
    return any(file.path.endswith("/landing.lock") for file in psutil.Process(daemon.pid).open_files())


def test_a_task_cancelled_while_it_waits_for_its_landing_does_not_land(make_house: MakeHouse) -> None:
    script = Held(team())
    house, _ = make_house(script, orchestrator={"check_interval": 1, "shutdown_grace": 30})
    task_id = house.submit()
    script.hold("review")
    with house.daemon() as daemon:
        house.wait(lambda store: store.tasks.get(task_id).stage == "review")
        with locked(house.paths.clone / "agents", "landing", 20):
            script.release()
            eventually(lambda: waits_for_lock(daemon), "the landing waits", 60)
            house.tell("cancel", task_id)
            house.wait_for(task_id, TaskStatus.CANCELLED)
        stop(daemon)  # waits for the landing that was waiting for the lock
    assert house.landed() == []
    assert house.task(task_id).status is TaskStatus.CANCELLED


def orchestrator_of(services: Services) -> TaskOrchestrator:
    """An orchestrator that is not started, for tests of the owner's commands."""
    return TaskOrchestrator(services)


def wait_at(store: MemoryStore, task_id: str, gate: str, visit: int) -> Task:
    """Put a task at a gate, waiting for approval."""
    store.tasks.transition(task_id, TaskStatus.IN_PROGRESS)
    result: dict[str, JsonValue] = {"waiting_for": gate, "visit": visit}
    store.tasks.transition(task_id, TaskStatus.WAITING_APPROVAL, stage=gate, result=result)
    return store.tasks.get(task_id)


def test_a_command_stays_until_it_was_applied(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    with services_of(house) as services:
        orchestrator, store = orchestrator_of(services), services.store
        house.tell("cancel", task_id)
        with monkeypatch.context() as patch:

            def locked_out(*_: object, **__: object) -> bool:
                raise DatabaseLocked("agents.db", "another process holds it", "wait")

            patch.setattr(store.tasks, "transition", locked_out)
            with pytest.raises(DatabaseLocked):
                orchestrator._apply_commands()
        assert [control.argument for control in store.commands.pending()] == [task_id]
        orchestrator._apply_commands()
        assert store.tasks.get(task_id).status is TaskStatus.CANCELLED
        assert store.commands.pending() == []


def test_a_command_that_cannot_be_applied_keeps_no_other_waiting(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    with services_of(house) as services:
        house.tell("cancel", "t-not-there")
        house.tell("cancel", task_id)
        orchestrator_of(services)._apply_commands()
        assert services.store.tasks.get(task_id).status is TaskStatus.CANCELLED
        assert services.store.commands.pending() == []


def test_an_approval_is_for_the_gate_that_the_owner_saw(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    with services_of(house) as services:
        orchestrator, store = orchestrator_of(services), services.store
        task = wait_at(store, house.submit(), "run", 1)
        assert house.cli("task", "approve", task.id).returncode == 0
        # As if a daemon was killed after it applied the approval, before it removed it, and then came to this gate.
        wait_at(store, task.id, "land", 4)
        orchestrator._apply_commands()
        assert store.tasks.get(task.id).status is TaskStatus.WAITING_APPROVAL
        assert store.commands.pending() == []
        assert house.cli("approvals", "approve", task.id).returncode == 0
        orchestrator._apply_commands()
        assert store.tasks.get(task.id).status is TaskStatus.IN_PROGRESS


def test_a_second_daemon_is_refused_whatever_the_database(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    with services_of(house):
        house.write_config(database={"url": "postgresql://nobody:nothing@127.0.0.1:9/agents"})
        refused = house.run_until_idle()
    assert refused.returncode == 1
    assert "already works on" in refused.stderr
