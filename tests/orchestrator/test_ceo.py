"""What the daemon does by its settings: the idle CEO, the order of work, the owner's gates, where work lands."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import JsonValue

from memory import MemoryStore, Priority, TaskStatus, TaskType
from orchestrator.ceo_loop import IdleState
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import (
    ADD_TASK,
    APPROVED,
    House,
    asked,
    git,
    in_sandbox,
    stop,
    team,
)
from tests.support import Answer, Request, ScriptedModelServer

IDEA: JsonValue = {"title": "Add add", "description": ADD_TASK, "priority": "high", "reason": "the goal says so"}
UNITTESTS = """import unittest

from calc import double


class DoubleTest(unittest.TestCase):
    def test_double(self) -> None:
        self.assertEqual(double(4), 8)
"""


def idle_state(store: MemoryStore) -> IdleState:
    return IdleState.model_validate(store.recall("ceo", "idle") or {})


def rounds_of_ideas(server: ScriptedModelServer) -> int:
    return sum(asked(request) == "ideas" for request in server.requests)


def test_the_idle_ceo_creates_a_task_then_asks_ever_more_seldom_and_a_restart_changes_nothing(
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
        (task,) = store.list_tasks()
        resting = idle_state(store)
    assert (task.source, task.status) == ("ceo", TaskStatus.COMPLETED)
    assert rounds_of_ideas(server) == resting.rounds
    assert (resting.found, resting.interval) == (0, 2 * seen[resting.rounds - 1].interval)

    with house.daemon():
        house.wait(lambda store: idle_state(store).rounds > resting.rounds)
        asked_at = time.time() - (time.monotonic() - server.requests[-1].received_at)
    assert rounds_of_ideas(server) == resting.rounds + 1
    assert asked_at >= resting.next_at


def test_stated_work_needs_no_model_and_the_urgent_item_goes_first(make_house: MakeHouse) -> None:
    backlog = f"## Add add [low]\n\n{ADD_TASK}\n\n## Add more [high]\n\n{ADD_TASK.replace('add', 'more')}\n"
    house, server = make_house(team(), files={"BACKLOG.md": backlog})
    with house.daemon():
        first = house.wait(lambda store: next(iter(store.list_tasks([TaskStatus.IN_PROGRESS])), None))
        with house.store() as store:
            tasks = {task.title: task for task in store.list_tasks()}
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
    needed = house.submit("Say hello.", "No file, no example", type=TaskType.DEPLOY)  # nobody handles these
    task_id = house.submit(depends_on=[needed])
    assert house.run_until_idle().returncode == 1
    task = house.task(task_id)
    assert task.status is TaskStatus.BLOCKED
    assert needed in task.reason_detail
    assert "no flow handles" in house.task(needed).reason_detail


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

        house.shift_start(task_id, hours=-1)  # the owner took his time
        assert house.cli("task", "approve", task_id).returncode == 0
        waiting = house.wait(
            lambda store: (task := store.get_task(task_id)).stage == "land" and task.finished_at is None and task
        )
        waiting = house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        assert waiting.result["waiting_for"] == "land"
        assert "approve" in waiting.reason_detail
        assert git(bare, "rev-parse", "main") == first

        house.tell("approve", task_id)
        house.wait_for(task_id, TaskStatus.COMPLETED)
    # With landing: main there is no other branch.
    assert git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").split() == ["main"]
    assert len(git(bare, "log", "--format=%s", f"{first}..main").splitlines()) == 2
    assert "def add" in git(bare, "show", "main:calc.py")


def bare_remote(house: House) -> tuple[Path, str]:
    """Let the house work on a bare clone of its repository; that, and its first commit."""
    bare = house.folder / "remote.git"
    git(house.folder, "clone", "-q", "--bare", str(house.repository), str(bare))
    house.write_config(git={"repository_url": str(bare)})
    return bare, git(bare, "rev-parse", "main")


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
    assert "agents/task/ID" in done.stderr  # how to look at it


def test_a_repository_with_unittest_is_worked_on_with_unittest(make_house: MakeHouse) -> None:
    files = {"tests/test_calc.py": UNITTESTS, "tests/__init__.py": ""}
    house, _ = make_house(team(), files=files, testing={"framework": "unittest"})
    task_id = house.submit()
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    text = git(house.repository, "show", f"agents/integration:{house.task(task_id).result['tests_file']}")
    assert "unittest" in text
    assert "pytest" not in text
