"""Whole tasks through a real daemon, with real git, sandbox and pytest and a scripted model server."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue

from memory import FailureReason, TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git, make_repository
from tests.orchestrator.players import players, role_of
from tests.orchestrator.scripts import (
    ADD_TASK,
    APPROVED,
    BAD_ADD,
    CALC,
    FROM_CODE,
    GOOD_ADD,
    QUESTIONS,
    REJECTED,
    SHARES_TASK,
    SMALL,
    asked,
    team,
)
from tests.support import Reply, Request


def test_a_task_lands_as_a_test_commit_and_a_code_commit(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    house.cold = True
    task_id = house.submit()
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    task = house.task(task_id)
    assert task.status is TaskStatus.COMPLETED
    assert task.result["deployment"] == "", "it has no pipeline"
    assert len(house.landed()) == 2
    trailers = git(house.repository, "log", "--format=%(trailers:key=Task-Id,valueonly)", "main..agents/integration")
    assert trailers.split() == [task_id, task_id]
    code, tests = git(house.repository, "log", "--format=%H", "main..agents/integration").split()
    assert git(house.repository, "show", "--format=", "--name-only", code).split() == ["calc.py"]
    assert git(house.repository, "show", "--format=", "--name-only", tests).split() == [task.result["tests_file"]]
    assert "def add" in git(house.repository, "show", "agents/integration:calc.py")
    # The task states the file and examples, so nobody is asked for them.
    assert [asked(request) for request in server.requests] == [*QUESTIONS]
    assert git(house.repository, "status", "--porcelain") == ""
    assert git(house.repository, "rev-parse", "--abbrev-ref", "HEAD") == "main"


GIVEN = """from calc import add


def test_add() -> None:
    for number in range(9):
        assert add(number, 1) == number + 1
"""
GIVEN_THAT_EXITS = """import calc


def test_add() -> None:
    from calc import add

    assert add(1, 1) == 2


def test_as_a_command_would_fail() -> None:
    if not hasattr(calc, "add"):
        raise SystemExit(2)
"""


@pytest.mark.parametrize("text", [GIVEN, pytest.param(GIVEN_THAT_EXITS, marks=pytest.mark.long)])
def test_tests_that_the_owner_gives_are_used_as_they_are_and_tell_the_file(make_house: MakeHouse, text: str) -> None:
    house, server = make_house(team(code=[BAD_ADD, GOOD_ADD]))
    given = house.repository / "tests" / "test_sums.py"
    given.write_text(text, encoding="utf-8")  # not committed: the task brings it
    added = house.cli("task", "add", "Sums", "--tests", str(given), "--json")
    assert added.returncode == 0, added.stderr
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert git(house.repository, "show", "agents/integration:tests/test_sums.py") == text.strip()
    assert [asked(request) for request in server.requests] == ["code", *FROM_CODE]


@pytest.mark.long
def test_given_tests_that_the_owner_has_committed_already_need_no_commit(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), {"tests/test_sums.py": GIVEN})
    given = house.repository / "tests" / "test_sums.py"
    task_id = json.loads(house.cli("task", "add", "Sums", "--tests", str(given), "--json").stdout)["id"]
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert len(house.landed()) == 1


def test_given_tests_that_cannot_be_right_block_the_task_with_what_is_wrong(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    given = house.folder / "test_odd.py"
    given.write_text(
        "from calc import double\n\nNONE = [].pop()\n\n\ndef test_odd() -> None:\n    assert double(NONE) == 1\n"
    )
    assert house.cli("task", "add", "Odd", "--tests", str(given)).returncode == 0
    house.run_until_idle()

    with house.store() as store:
        [task] = store.tasks.select()
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.INVALID_OUTPUT)
    assert "tests given with the task" in task.reason_detail
    assert "IndexError" in task.reason_detail
    assert not server.requests


def test_tests_that_are_green_before_the_code_are_refused(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit("Let `double` in calc.py be right: `double(4)` returns `8`.", "Double")
    done = house.run_until_idle()

    assert done.returncode == 1
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.FAILED, FailureReason.INVALID_OUTPUT)
    assert "before any code is written" in task.reason_detail
    with house.store() as store:
        assert not store.evidence.attempts(task_id)


@pytest.mark.long
def test_after_three_failing_attempts_a_new_approach_begins_without_the_old_evidence(make_house: MakeHouse) -> None:
    wrong = [BAD_ADD, BAD_ADD.replace("a - b", "a * b"), BAD_ADD.replace("a - b", "b - a")]
    house, server = make_house(team(code=[*wrong, GOOD_ADD]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    with house.store() as store:
        attempts = [(item.approach, item.number, item.outcome) for item in store.evidence.attempts(task_id)]
    assert attempts == [(1, 1, "failed"), (1, 2, "failed"), (1, 3, "failed"), (2, 1, "passed")]
    prompts = [request.prompt for request in server.requests if "Answer format" in request.prompt]
    assert "This failed:" not in prompts[0]
    assert "assert add(1, 2) == 3" in prompts[1].split("This failed:")[1]
    assert "This failed:" not in prompts[3]
    assert "clearly different" in prompts[3]


def test_a_repeated_answer_is_not_tested_again_and_a_task_that_never_passes_is_blocked(make_house: MakeHouse) -> None:
    house, _ = make_house(team(code=[BAD_ADD]), orchestrator={"max_approaches": 1})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.LOOP_DETECTED)
    assert "add(1, 2)" in task.reason_detail
    with house.store() as store:
        assert [item.outcome for item in store.evidence.attempts(task_id)] == ["failed", "repeated"]
    assert house.landed() == []


@pytest.mark.long
def test_a_rejected_review_goes_back_to_the_developer(make_house: MakeHouse) -> None:
    better = GOOD_ADD.replace("    return a + b", '    """The sum."""\n    return a + b')
    house, server = make_house(team(code=[GOOD_ADD, better], reviews=[REJECTED, APPROVED]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    with house.store() as store:
        assert [verdict.approved for verdict in store.evidence.verdicts(task_id) if verdict.agent == "tech_lead"] == [
            False,
            True,
        ]
    assert len(house.landed()) == 2
    assert '"""The sum."""' in git(house.repository, "show", "agents/integration:calc.py")
    assert any("Give add a docstring." in request.prompt for request in server.requests)


@pytest.mark.long
def test_an_answer_that_breaks_the_suite_does_not_land(make_house: MakeHouse) -> None:
    breaking = GOOD_ADD.replace("return 2 * x", "return 3 * x")
    house, _ = make_house(team(code=[breaking, GOOD_ADD]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    with house.store() as store:
        first, second = store.evidence.attempts(task_id)
    assert first.outcome == "failed"
    assert "test_double" in first.evidence
    assert second.outcome == "passed"


def test_the_developer_cannot_change_the_tests(make_house: MakeHouse) -> None:
    def cheat(request: Request) -> str:
        path = next(line.split()[-1] for line in request.prompt.splitlines() if "tests/test_" in line)
        return f"### {path}\n```python\ndef test_add_1() -> None:\n    pass\n```\n" + BAD_ADD

    house, _ = make_house(team(code=cheat), orchestrator={"max_approaches": 1})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 1

    assert house.task(task_id).status is TaskStatus.BLOCKED
    assert house.landed() == []


@pytest.mark.long
def test_assertions_of_qa_are_split_and_wrong_ones_dropped(make_house: MakeHouse) -> None:
    proposed = ["assert add(5, 5) == 10", "assert add(", "import os", "assert add(1, 2) == 4", "assert double(1) == 2"]
    house, _ = make_house(team(assertions=proposed))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    task = house.task(task_id)
    text = git(house.repository, "show", f"agents/integration:{task.result['tests_file']}")
    assert "assert add(5, 5) == 10" in text
    assert text.count("assert ") == 3
    assert task.result["dropped_tests"] == 4


@pytest.mark.long
def test_two_tasks_in_one_module_both_land(make_house: MakeHouse) -> None:
    def code(request: Request) -> str:
        name, operator = ("sub", "-") if "`sub(" in request.prompt else ("add", "+")
        current = request.prompt.split("# File `calc.py`\n```\n")[1].split("\n```")[0]
        function = f"def {name}(a: int, b: int) -> int:\n    return a {operator} b\n"
        return f"### calc.py\n```python\n{current}\n\n\n{function}```\n"

    house, _ = make_house(team(code=code))
    house.submit()
    house.submit("Add `sub(a: int, b: int) -> int` to calc.py. `sub(3, 1)` returns `2`.", "Add sub")
    assert house.run_until_idle().returncode == 0

    landed = git(house.repository, "show", "agents/integration:calc.py")
    assert "def add" in landed
    assert "def sub" in landed
    assert "def double" in landed
    assert len(house.landed()) == 4


@pytest.mark.long
def test_landing_is_pushed_to_a_bare_remote(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    bare = house.folder / "remote.git"
    git(house.folder, "clone", "-q", "--bare", str(house.repository), str(bare))
    house.write_config(git={"repository_url": str(bare)})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert house.task(task_id).result["pushed"] is True
    assert "def add" in git(bare, "show", "agents/integration:calc.py")


@pytest.mark.long
def test_a_repository_without_tests_works_too(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    empty = make_repository(house.folder / "plain")
    git(empty, "rm", "-q", "-r", "tests")
    git(empty, "commit", "-q", "-m", "no tests")
    house.write_config(git={"repository_url": str(empty)})
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert "no tests of its own" in (house.folder / "logs" / "agents.log").read_text(encoding="utf-8")


@pytest.mark.long
def test_tests_that_only_make_runs_wait_for_the_owner(make_house: MakeHouse) -> None:
    house, server = make_house(team(), files={"Makefile": "test:\n\tpython3 checks/run.py\n", "checks/run.py": "1\n"})
    repository = house.folder / "repository"
    git(repository, "rm", "-q", "-r", "tests")
    git(repository, "commit", "-q", "-m", "only make knows")
    task_id = house.submit()
    house.run_until_idle()
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)
    assert "`make test`" in task.reason_detail and "testing.without_suite" in task.reason_detail
    assert not server.requests, "nothing was spent"

    house.write_config(testing={"without_suite": True})
    house.cli("task", "retry", task_id)
    house.run_until_idle()
    assert house.task(task_id).status is TaskStatus.COMPLETED


@pytest.mark.long
def test_a_backlog_file_is_worked_off(make_house: MakeHouse) -> None:
    backlog = f"# Backlog\n\n## Add add\n\n{ADD_TASK}\n\n## Old thing [done]\n\nDone long ago.\n"
    house, _ = make_house(team(), files={"BACKLOG.md": backlog})
    assert house.run_until_idle().returncode == 0

    with house.store() as store:
        (task,) = store.tasks.select()
    assert (task.title, task.source, task.status) == ("Add add", "backlog", TaskStatus.COMPLETED)


@pytest.mark.long
def test_a_goal_without_examples_is_planned_by_the_ceo(make_house: MakeHouse) -> None:
    idea: JsonValue = {"title": "Add add", "description": ADD_TASK, "priority": "high", "reason": "the goal says so"}
    house, server = make_house(team(ideas=[{"tasks": [idea]}]))
    assert house.run_until_idle("--goal", "Make calc a full calculator").returncode == 0

    with house.store() as store:
        (task,) = store.tasks.select()
    assert (task.source, task.status) == ("ceo", TaskStatus.COMPLETED)
    assert any("Make calc a full calculator" in request.prompt for request in server.requests)


@pytest.mark.long
def test_examples_of_a_package_attribute_are_exported(make_house: MakeHouse) -> None:
    package = {"kit/__init__.py": '"""Kit."""\n', "kit/core.py": CALC}
    answer = GOOD_ADD.replace("### calc.py", "### kit/core.py")
    export = "### kit/__init__.py\n```python\n" + '"""Kit."""\n\nfrom kit.core import add\n\n__all__ = ["add"]\n```\n'
    house, _ = make_house(team(code=[answer + export]), files=package)
    task_id = house.submit("Add `add(a, b)` to kit/core.py.\n\n>>> import kit\n>>> kit.add(1, 2)\n3\n", "Add add")
    assert house.run_until_idle().returncode == 0
    assert house.task(task_id).status is TaskStatus.COMPLETED


def test_a_task_that_contradicts_itself_is_blocked_before_anybody_is_asked(make_house: MakeHouse) -> None:
    house, server = make_house(team(), **SMALL)
    task_id = house.submit("Add `half(n: int)` to calc.py. `half(4)` returns `2`. `half(4)` returns `3`.", "Half")
    house.run_until_idle()

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.INVALID_OUTPUT)
    assert "contradicts itself: `assert half(4) == 2` and `assert half(4) == 3`" in task.reason_detail
    assert not server.requests


@pytest.mark.long
def test_an_answer_that_was_cut_off_is_asked_for_again_with_more_room(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[Reply.text(GOOD_ADD[:80], truncated=True), GOOD_ADD]))
    task_id = house.submit()
    assert house.run_until_idle().returncode == 0

    assert house.task(task_id).status is TaskStatus.COMPLETED
    limits = [request.max_tokens for request in server.requests if asked(request) == "code"]
    assert limits == [2000, 8000]
    with house.store() as store:
        assert [item.outcome for item in store.evidence.attempts(task_id)] == ["passed"]


@pytest.mark.long
def test_where_the_developers_own_model_does_not_manage_a_further_one_does(make_house: MakeHouse) -> None:
    house, server = make_house(
        players(others=team(code=[BAD_ADD])),  # the further one calls tools
        agents={"developer": {"escalate_to": ["gpt-5"]}},
        orchestrator={"max_task_attempts": 2, "max_approaches": 1},
    )
    task_id = house.submit(ADD_TASK, "Add add")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert house.task(task_id).result["model"] == "gpt-5"
    by_developer = [request.model for request in server.requests if role_of(request) or asked(request) == "code"]
    assert by_developer == ["scripted", "scripted", "gpt-5"]
    with house.store() as store:
        assert "escalated" in [entry.activity for entry in store.journal.activity(task_id=task_id)]


@pytest.mark.long
def test_a_hard_task_does_not_hold_up_an_easy_one(make_house: MakeHouse) -> None:
    count = 0

    def code(request: Request) -> str:
        nonlocal count
        count += 1
        if "`add" in request.prompt:
            return GOOD_ADD
        return f"```python\ndef shares(total, parts):\n    return {count}\n```"

    house, _ = make_house(team(code=code), **SMALL, orchestrator={"max_approaches": 4})
    hard, easy = house.submit(SHARES_TASK, "Shares"), house.submit()
    assert house.run_until_idle().returncode == 1

    assert house.task(hard).status is TaskStatus.BLOCKED
    assert house.task(easy).status is TaskStatus.COMPLETED
    with house.store() as store:
        begun = {item.approach: item.created_at for item in reversed(store.evidence.attempts(hard))}
        landed = next(item.created_at for item in reversed(store.evidence.attempts(easy)) if item.outcome == "passed")
    assert max(begun) == 4
    assert landed < begun[4]
