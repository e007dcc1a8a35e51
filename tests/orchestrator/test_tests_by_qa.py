"""What QA's tests are held to, with a team whose models call tools."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.players import (
    ADD_IT,
    QA_TESTS,
    TASK,
    WITH_TOOLS,
    Call,
    Script,
    players,
    results,
    role_of,
)

__all__ = ["make_house"]


NO_CLAIM = "import calc\n\n\ndef test_there() -> None:\n    assert callable(calc.add)\n    calc.add(1, 2)\n"


def test_qa_cannot_end_without_a_test_that_fails_for_the_right_reason(make_house: MakeHouse) -> None:
    def tests(body: str) -> str:
        return f"from calc import double\n\n\ndef test_new() -> None:\n    {body}\n"

    def create(text: str) -> Call:
        return ("create_file", {"path": "tests/test_add.py", "content": text})

    script: Script = (
        (("finish_tests", {}),),
        (
            ("create_file", {"path": "tests/test_add.py", "content": tests("assert double(1) == 2")}),
            ("finish_tests", {}),
        ),
        (
            ("edit_file", {"path": "tests/test_add.py", "edits": [{"old": "double(1) == 2", "new": "undefined == 2"}]}),
            ("finish_tests", {}),
        ),
        (("edit_file", {"path": "calc.py", "edits": [{"old": "2 * x", "new": "3 * x"}]}),),
        (("create_file", {"path": "tests/pytest.ini", "content": "[pytest]\n"}),),
        (
            ("edit_file", {"path": "tests/test_calc.py", "edits": [{"old": "== 8", "new": "== 9"}]}),
            ("finish_tests", {}),
        ),
        (
            ("edit_file", {"path": "tests/test_calc.py", "edits": [{"old": "== 9", "new": "== 8"}]}),
            ("delete_file", {"path": "tests/test_add.py"}),
            ("create_file", {"path": "tests/test_sum.py", "content": NO_CLAIM}),
            ("finish_tests", {}),
        ),
        (
            ("delete_file", {"path": "tests/test_sum.py"}),
            ("create_file", {"path": "tests/test_sum.py", "content": QA_TESTS}),
            ("finish_tests", {}),
        ),
    )
    house, server = make_house(players(qa=script), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    told = [results(request) for request in server.requests if role_of(request) == "qa"]
    assert "no test was written" in told[1]
    assert "every new test passes on the code as it is" in told[2]
    assert "for a fault of their own" in told[3]
    assert "only tests" in told[4]
    assert "decide what a run means" in told[5]
    assert "existing tests were changed or removed: tests/test_calc.py::test_double" in told[6]
    assert "would pass whatever the code gives back: tests/test_sum.py::test_there" in told[7]
    assert "test_add.py" not in git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration")


def test_an_existing_test_changes_only_when_it_is_named_and_the_reviewer_is_told(make_house: MakeHouse) -> None:
    changed: list[JsonValue] = [
        {"test": "tests/test_calc.py::test_double", "reason": "double is to give three times x now"}
    ]
    qa: Script = (
        (
            ("edit_file", {"path": "tests/test_calc.py", "edits": [{"old": "== 8", "new": "== 12"}]}),
            ("finish_tests", {"kind": "bugfix", "changed_tests": changed}),
        ),
    )
    developer: Script = (
        (("edit_file", {"path": "calc.py", "edits": [{"old": "2 * x", "new": "3 * x"}]}), ("finish", {})),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("double(x) in calc.py is to be three times x.", "Triple")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert "== 12" in git(house.repository, "show", "agents/integration:tests/test_calc.py")
    lead = next(request for request in server.requests if role_of(request) == "tech_lead")
    assert "double is to give three times x now" in lead.messages[0].text


@pytest.mark.long
def test_an_example_that_holds_today_is_for_qa_to_judge(make_house: MakeHouse) -> None:
    qa: Script = (
        (
            ("edit_file", {"path": "tests/test_calc.py", "edits": [{"old": "== 8", "new": "== 12"}]}),
            (
                "finish_tests",
                {"kind": "bugfix", "changed_tests": [{"test": "tests/test_calc.py::test_double", "reason": "3"}]},
            ),
        ),
    )
    developer: Script = (
        (("edit_file", {"path": "calc.py", "edits": [{"old": "2 * x", "new": "3 * x"}]}), ("finish", {})),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("`double(4)` returns `8` in calc.py; it is to be three times its number.", "Triple")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert "double(4) == 8: it holds already" in server.requests[0].messages[0].text


@pytest.mark.long
def test_new_tests_have_to_be_where_the_suite_looks(make_house: MakeHouse) -> None:
    def create(path: str) -> Call:
        return ("create_file", {"path": path, "content": QA_TESTS})

    qa: Script = (
        (create("test/test_add.py"), ("finish_tests", {})),
        (("delete_file", {"path": "test/test_add.py"}), create("tests/test_add.py"), ("finish_tests", {})),
    )
    files = {"pytest.ini": "[pytest]\ntestpaths = tests\npythonpath = .\n"}
    house, server = make_house(players(qa=qa), files=files, llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert "does not collect test/test_add.py::test_add" in results(server.requests[1])


@pytest.mark.long
def test_an_error_that_comes_of_what_the_code_does_is_red(make_house: MakeHouse) -> None:
    old = "from calc import double\n\n\ndef test_it():\n    assert not double(1)\n"
    files = {"calc.py": "def double(x):\n    return None\n", "tests/test_calc.py": old}
    text = "from calc import double\n\n\ndef test_as_text():\n    assert double(2).strip() == '4'\n"
    qa: Script = (
        (
            ("create_file", {"path": "tests/test_more.py", "content": text}),
            (
                "edit_file",
                {"path": "tests/test_calc.py", "edits": [{"old": "not double(1)", "new": "double(1) == '2'"}]},
            ),
            (
                "finish_tests",
                {"kind": "bugfix", "changed_tests": [{"test": "tests/test_calc.py::test_it", "reason": "text"}]},
            ),
        ),
    )
    developer: Script = (
        (("edit_file", {"path": "calc.py", "edits": [{"old": "None", "new": "str(2 * x)"}]}), ("finish", {})),
    )
    house, _ = make_house(players(qa=qa, developer=developer), files=files, llm=WITH_TOOLS)
    task_id = house.submit("double in calc.py gives twice its number as text.", "Text")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)


@pytest.mark.long
def test_a_test_made_of_an_example_can_be_corrected_after_a_dispute(make_house: MakeHouse) -> None:
    task = "Add `add(a, b)` to calc.py, the sum of two numbers. `add(1, 2)` returns `3` and `add(2, 2)` returns `5`."
    qa: Script = (
        (("finish_tests", {"kind": "feature"}),),
        (
            ("edit_file", {"path": "tests/test_add.py", "edits": [{"old": "add(2, 2) == 5", "new": "add(2, 2) == 4"}]}),
            ("finish_tests", {"kind": "feature"}),
        ),
    )
    dispute: Call = ("dispute_test", {"test": "tests/test_add.py::test_add_2", "reason": "2 and 2 are 4, not 5."})
    house, server = make_house(players(qa=qa, developer=((ADD_IT, dispute), (("finish", {}),))), llm=WITH_TOOLS)
    task_id = house.submit(task, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests] == ["qa", "developer", "qa", "developer", "tech_lead"]
    assert "add(2, 2) == 4" in git(house.repository, "show", "agents/integration:tests/test_add.py")


def test_work_that_is_done_already_is_said_to_be_and_shown_by_tests(make_house: MakeHouse) -> None:
    def tests(body: str) -> Call:
        text = f"import calc\n\n\ndef test_new() -> None:\n    {body}\n"
        return ("create_file", {"path": "tests/test_new.py", "content": text})

    done: Call = ("already_done", {"reason": "calc.py doubles its number"})
    qa: Script = (
        (done,),
        (tests("assert calc.add(1, 2) == 3"), done),
        (("delete_file", {"path": "tests/test_new.py"}), tests("calc.double(2)"), done),
        (("delete_file", {"path": "tests/test_new.py"}), tests("assert calc.double(2) == 4"), done),
    )
    house, server = make_house(players(qa=qa), llm=WITH_TOOLS)
    task_id = house.submit("double(x) in calc.py is to be twice x.", "Double")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    told = [results(request) for request in server.requests]
    assert "no test was written" in told[1]
    assert "these tests fail, so the work is not done: tests/test_new.py::test_new" in told[2]
    assert "would pass whatever the code gives back" in told[3]
    assert [role_of(request) for request in server.requests] == ["qa"] * 4
    assert "seems to be done already. QA says: calc.py doubles its number" in task.reason_detail
    assert not git(house.repository, "branch", "--list", "agents/integration")
