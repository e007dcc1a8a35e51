"""A vague goal is looked into with tools and becomes a plan: tasks that wait for each other, made and paid for once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import JsonValue

from memory import FailureReason, Task, TaskStatus, TaskType
from orchestrator.idle.ceo_loop import CEOLoop
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, git, in_sandbox
from tests.orchestrator.in_process import engine_with, services_of
from tests.orchestrator.players import ADD_IT, QA_TESTS, WITH_TOOLS, Call, Script, players, results, role_of
from tests.orchestrator.scripts import ADD_TASK, Rule, team
from tests.orchestrator.test_ceo import idle_state
from tests.support import Answer, Request, ScriptedModelServer

__all__ = ["make_house"]

GOAL = "Make calc a calculator that one can add and take away with"
PLAN: list[dict[str, JsonValue]] = [
    {
        "title": "Take one number from another",
        "description": "calc.py can only double. People want to take away, too.",
        "kind": "feature",
        "acceptance": ["There is a function `less(a, b)` in calc.py.", "It is b less than a, also below zero."],
        "files": ["./calc.py"],
        "depends_on": ["Sum up two numbers"],
    },
    {
        "title": "Sum up two numbers",
        "description": "calc.py can only double. People want the sum of two numbers.",
        "kind": "feature",
        "acceptance": ["There is a function `add(a, b)` in calc.py.", "It is the sum of both."],
        "files": ["calc.py"],
        "priority": "low",
    },
]
LOOK: tuple[Call, ...] = (
    ("read_file", {"path": "calc.py"}),
    ("run", {"command": "python -c 'import calc; print(42)'"}),
)


def finish(tasks: list[dict[str, JsonValue]] | None = None, **more: JsonValue) -> Call:
    return ("finish_plan", {"tasks": [*(PLAN if tasks is None else tasks)], "reason": "Both are missing.", **more})


LESS = "\n\ndef less(a: int, b: int) -> int:\n    return a - b\n"
LESS_TESTS = QA_TESTS.replace("add", "less").replace("[(1, 2, 3), (-1, 1, 0)]", "[(3, 2, 1), (1, 2, -1)]")


def write(path: str, text: str) -> Script:
    return ((("create_file", {"path": path, "content": text}), ("finish_tests", {"kind": "feature"})),)


LESS_IT: Call = (
    "edit_file",
    {"path": "calc.py", "edits": [{"old": "    return a + b\n", "new": f"    return a + b\n{LESS}"}]},
)


def works(ceo: Script) -> Rule:
    """The whole team; QA and the developer do what their task says."""
    adding = players(qa=write("tests/test_add.py", QA_TESTS), developer=((ADD_IT, ("finish", {})),), ceo=ceo)
    taking = players(qa=write("tests/test_less.py", LESS_TESTS), developer=((LESS_IT, ("finish", {})),))

    def rule(request: Request) -> Answer:
        less = role_of(request) != "ceo" and "Take one number" in request.messages[0].text
        return (taking if less else adding)(request)

    return rule


def parts_of(plan: Task) -> list[Any]:
    parts = plan.result["parts"]
    assert isinstance(parts, list)
    return parts


def plans(house: House) -> list[Task]:
    """The plans there are, newest first."""
    with house.store() as store:
        return store.tasks.select(type=TaskType.PLAN)


def asked_ceo(server: ScriptedModelServer) -> int:
    return sum(role_of(request) == "ceo" for request in server.requests)


def test_a_vague_goal_becomes_a_plan_whose_tasks_land_in_order(make_house: MakeHouse) -> None:
    choice: dict[str, JsonValue] = {"question": "What of floats?", "choice": "Integers only, as double does."}
    house, server = make_house(
        works((LOOK, (finish(choices=[choice]),))), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []}
    )
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    roles = [role_of(request) for request in server.requests]
    one = ["qa", "developer", "tech_lead"]
    assert roles == ["ceo", "ceo", *one, *one], "planned once, and then done, what is waited for first"
    assert house.landed() == ["Take one number from another", "Test: Take one number from another",
                              "Sum up two numbers", "Test: Sum up two numbers"]  # fmt: skip
    with house.store() as store:
        (plan,) = store.tasks.select(type=TaskType.PLAN)
        less, add = sorted(store.tasks.select(parent_id=plan.id), key=lambda task: task.title, reverse=True)
        (decision,) = store.journal.decisions(decision_type="plan")
    assert plan.status is TaskStatus.COMPLETED
    assert (add.kind, add.depends_on, add.source) == ("feature", [], "ceo")
    assert less.depends_on == [add.id]
    assert [part["id"] for part in parts_of(plan)] == [add.id, less.id]
    assert decision.decision_data["choices"] == [choice]

    first, seen = server.requests[:2]
    assert GOAL in first.messages[0].text
    assert "at most 3 tasks" in first.messages[0].text
    assert "def double" in results(seen)
    assert "42" in results(seen)
    assert not {"edit_file", "create_file", "delete_file", "move_file", "finish"} & set(first.tools)
    for role in one:
        request = next(request for request in server.requests if role_of(request) == role)
        assert "- There is a function `add(a, b)` in calc.py." in request.messages[0].text
        assert "Files concerned: calc.py" in request.messages[0].text
        assert "feature" in request.messages[0].text or role != "qa"
    shown = house.cli("task", "show", plan.id).stdout
    assert "What of floats? Integers only, as double does." in shown
    assert re.search(rf"feature +completed +{add.id}", shown)
    assert git(house.repository, "branch", "--list", f"*{plan.id}*") == ""


def changed(number: int, **changes: JsonValue) -> list[dict[str, JsonValue]]:
    return [item | changes if place == number else item for place, item in enumerate(PLAN, start=1)]


@pytest.mark.long
def test_a_plan_that_does_not_hold_comes_back_with_what_is_wrong(make_house: MakeHouse) -> None:
    bad = [
        (finish([]), "it has no task"),
        (finish(changed(2, depends_on=[1])), "tasks wait for each other: 1 after 2 after 1"),
        (finish(changed(1, depends_on=[1])), "tasks wait for each other: 1 after 1"),
        (finish(changed(1, depends_on=["Sum up"])), "task 1 depends on 'Sum up', which is no task of this plan"),
        (finish(changed(2, kind="magic")), "tasks.1.kind: Input should be 'feature'"),
        (finish(changed(2, acceptance=[])), "tasks.1.acceptance: List should have at least 1 item"),
        (finish(changed(2, title="Double a number")), "task 2 asks for the same as t-"),
        (finish(changed(2, title="Take one number from another")), "task 2 asks for the same as task 1"),
        (finish(changed(2, files=["../secret.py"])), "task 2 names '../secret.py', which is no path"),
        (finish(changed(2, files=["pyproject.toml"])), "nobody on the team changes such files in work of the kind fe"),
        (finish([*PLAN, *PLAN]), "it has 4 tasks, and 3 may be planned now"),
    ]
    script: Script = tuple((call,) for call, _ in [*bad, (finish(changed(1, depends_on=[2])), "")])
    house, server = make_house(players(ceo=script), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []})
    house.submit("Twice a number.", "Double a number")
    with house.store() as store:
        (known,) = store.tasks.select()
        store.tasks.transition(known.id, TaskStatus.CANCELLED)
    with house.daemon():
        house.wait(lambda store: store.tasks.select([TaskStatus.COMPLETED], type=TaskType.PLAN))
    said = [request for request in server.requests if role_of(request) == "ceo"]
    assert len(said) == len(bad) + 1
    assert "Double a number (cancelled)" in said[0].messages[0].text
    for (_, told), after in zip(bad, said[1:], strict=True):
        assert told in results(after)


@pytest.mark.long
def test_a_kill_in_the_middle_of_planning_asks_nothing_twice(make_house: MakeHouse) -> None:
    look: Script = ((("run", {"command": "sleep 3; echo slept"}),),)
    house, server = make_house(works([*look, (finish(),)]), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []})
    with house.daemon() as daemon:
        eventually(lambda: asked_ceo(server), "the CEO is asked")
        eventually(lambda: in_sandbox(daemon), "its command runs")
        daemon.kill()
        daemon.wait(120)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked_ceo(server) == 2
    assert "slept" in results(server.requests[1])
    assert len(house.landed()) == 4


def test_the_owner_answers_a_question_and_changes_what_was_chosen(make_house: MakeHouse) -> None:
    def rule(request: Request) -> Answer:
        goal = request.messages[0].text
        question: Script = ((("ask_owner", {"question": "Is it for integers alone?"}),),)
        later = changed(1, title="Take away floats", depends_on=[])[:1] if "Floats, too." in goal else PLAN
        answered: Script = ((finish(later),),)
        return works(answered if "Integers." in request.messages[-1].text + goal else question)(request)

    house, server = make_house(rule, llm=WITH_TOOLS, project={"tasks_from": []})
    assert house.cli("task", "add", GOAL, "--type", "plan").returncode == 0
    assert house.run_until_idle().returncode == 1
    (plan,) = plans(house)
    assert plan.status is TaskStatus.WAITING_APPROVAL
    assert "Is it for integers alone?" in plan.question

    assert house.cli("approvals", "approve", plan.id, "--note", "Integers.").returncode == 0
    with house.daemon(), house.store() as store:
        house.wait_for(plan.id, TaskStatus.COMPLETED)
        first = store.tasks.select(parent_id=plan.id)
        assert house.cli("task", "replan", plan.id, "--note", "Floats, too.").returncode == 0
        house.wait(lambda store: len(store.tasks.select(parent_id=plan.id)) > len(first))
        house.wait_for(plan.id, TaskStatus.COMPLETED)
        planned = {task.title: task.status for task in store.tasks.select(parent_id=plan.id)}
    assert "Floats, too." in [request for request in server.requests if role_of(request) == "ceo"][-1].messages[0].text
    assert planned["Take one number from another"] is TaskStatus.CANCELLED, "it had not begun"
    assert "Take away floats" in planned
    assert house.cli("task", "replan", first[0].id, "--note", "No.").returncode == 1


@pytest.mark.long
def test_a_goal_is_planned_once_in_a_situation_and_a_reached_one_ever_more_seldom(make_house: MakeHouse) -> None:
    reached: Script = ((("goal_reached", {"reason": "It adds and takes away."}),),)
    house, server = make_house(players(ceo=reached), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []})

    def rounds(ceo: CEOLoop, number: int) -> None:
        job = ceo.due()
        assert job is not None
        running.enqueue(job)
        eventually(lambda: ceo.state().rounds == number, "the round ends")

    with house.daemon():
        house.wait(lambda store: store.tasks.select([TaskStatus.COMPLETED], type=TaskType.PLAN))
        house.wait(lambda store: idle_state(store).interval >= 2)
    with services_of(house) as services:
        ceo = CEOLoop(services, until_idle=False)
        with engine_with(services, ceo) as running:
            for number, text in enumerate(("one", "two"), start=ceo.state().rounds + 1):
                (house.repository / "calc.py").write_text(f"# {text}\n")
                git(house.repository, "commit", "-qam", text)
                eventually(lambda: ceo.due() is not None, "the next round is due", 60)
                rounds(ceo, number)
    (plan,) = plans(house)
    assert plan.result["reason"] == "It adds and takes away."
    assert asked_ceo(server) == 1
    shown = json.loads(house.cli("task", "show", plan.id, "--json").stdout)
    assert shown["decisions"][0]["decision_data"]["action"] == "goal reached"


@pytest.mark.parametrize("goal", ["", pytest.param(ADD_TASK, marks=pytest.mark.long)])
def test_without_a_vague_goal_nothing_is_planned_or_invented(make_house: MakeHouse, goal: str) -> None:
    qa: Script = ((("finish_tests", {}),),)  # the goal's examples are tests already
    others = {"vendor/six.py": "# TODO: round down\n", "tests/fixtures/bad.py": "# FIXME: broken\n"}
    house, server = make_house(players(qa=qa), files=others, llm=WITH_TOOLS, project={"goal": goal})
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    assert plans(house) == []
    assert asked_ceo(server) == 0
    assert all(role_of(request) for request in server.requests), "no question without tools: no ideas"
    assert len(house.landed()) == (2 if goal else 0)


@pytest.mark.long
def test_a_plan_that_its_budget_ends_waits_for_the_owner_and_is_not_begun_again(make_house: MakeHouse) -> None:
    again: Script = tuple((("search", {"text": f"word {number}"}),) for number in range(9))
    limits: dict[str, object] = {"task_tokens": 9000}
    project: dict[str, object] = {"goal": GOAL, "tasks_from": []}
    house, server = make_house(players(ceo=again), llm=WITH_TOOLS, project=project, budget=limits)
    assert house.run_until_idle().returncode == 1
    (plan,) = plans(house)
    assert (plan.status, plan.reason) == (TaskStatus.BLOCKED, FailureReason.BUDGET_EXHAUSTED)
    asked = asked_ceo(server)
    assert house.run_until_idle().returncode == 1
    assert asked_ceo(server) == asked
    assert len(plans(house)) == 1


@pytest.mark.long
def test_a_planner_that_goes_in_circles_or_only_talks_is_ended(make_house: MakeHouse) -> None:
    house, server = make_house(
        players(ceo=("A calculator is a fine thing.",)), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []}
    )
    assert house.run_until_idle().returncode == 1
    (plan,) = plans(house)
    assert (plan.status, plan.reason) == (TaskStatus.BLOCKED, FailureReason.INVALID_OUTPUT)
    assert "A calculator is a fine thing." in plan.reason_detail
    assert asked_ceo(server) == 2


def test_nothing_of_the_repository_is_run_for_a_plan_without_leave(make_house: MakeHouse) -> None:
    careful: dict[str, dict[str, object]] = {"testing": {"auto_run": False}}
    house, server = make_house(
        players(ceo=((finish(),),)), llm=WITH_TOOLS, project={"goal": GOAL, "tasks_from": []}, **careful
    )
    with house.daemon():
        waiting = house.wait(lambda store: next(iter(store.tasks.select([TaskStatus.WAITING_APPROVAL])), None))
        assert asked_ceo(server) == 0
        assert house.cli("approvals", "approve", waiting.id).returncode == 0
        house.wait_for(waiting.id, TaskStatus.COMPLETED)


@pytest.mark.long
def test_product_looks_where_a_developer_without_tools_has_to_write(make_house: MakeHouse) -> None:
    """Its model calls tools and the developer's does not. It is killed in the middle, and asked nothing twice."""
    task = "People who calculate with this want the sum of two numbers as well: `add(a, b)`. `add(1, 2)` returns `3`."
    settle: dict[str, JsonValue] = {"file": "tests/test_calc.py", "symbols": ["add"]}
    product: Script = (
        (("read_file", {"path": "calc.py"}), ("run", {"command": "sleep 3; echo slept"})),
        (("finish_requirements", settle), ("create_file", {"path": "x.py", "content": ""})),
        (("finish_requirements", settle | {"file": "more/calc.py"}),),
        (("finish_requirements", settle | {"file": "./calc.py"}),),
    )
    house, server = make_house(
        players(product=product, others=team()),
        files={"words.py": "def upper(text: str) -> str:\n    return text.upper()\n"},
        llm={"profile": "auto", "capabilities": {}, "model": "gpt-4o"},
        agents={"developer": {"model": "deepseek-r1"}, "qa": {"model": "deepseek-r1"}},
    )
    task_id = house.submit(task, "Take together")
    with house.daemon() as daemon:
        eventually(lambda: in_sandbox(daemon), "product runs something")
        daemon.kill()
        daemon.wait(120)
    with house.daemon("--until-idle"):
        done = house.wait_for(task_id, TaskStatus.COMPLETED)
    looking = [request for request in server.requests if role_of(request) == "product"]
    assert len(looking) == len(product)
    assert not {"edit_file", "create_file"} & set(looking[0].tools)
    assert "def double" in results(looking[1]) and "slept" in results(looking[1])
    assert "there is no tool 'create_file'" in results(looking[2])
    assert "tests/test_calc.py is no file of the project's code" in results(looking[2])
    assert "nothing of its kind is in its folder" in results(looking[3])
    wanted = done.result["requirements"]
    assert isinstance(wanted, dict)
    assert (wanted["target_file"], wanted["symbols"], wanted["chosen_by"]) == ("calc.py", ["add"], "model")
    assert "return a + b" in git(house.repository, "show", "agents/integration:calc.py")
