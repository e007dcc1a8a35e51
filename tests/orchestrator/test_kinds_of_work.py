"""Each kind of work and what proves it, with a team whose models call tools."""

from __future__ import annotations

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.players import (
    DEVELOPER,
    TASK,
    WITH_TOOLS,
    Call,
    Script,
    players,
    results,
    role_of,
)

__all__ = ["make_house"]


def test_documentation_lands_without_tests_and_changes_no_code(make_house: MakeHouse) -> None:
    qa: Script = ((("finish_tests", {"kind": "documentation", "brief": "README.md says nothing of double."}),),)
    developer: Script = (
        (
            ("create_file", {"path": "README.md", "content": "# Calc\n\n`double(4)` is 8.\n"}),
            ("edit_file", {"path": "calc.py", "edits": [{"old": "2 * x", "new": "x + x"}]}),
            ("finish", {"commit_message": "Document double"}),
        ),
        (
            ("edit_file", {"path": "calc.py", "edits": [{"old": "x + x", "new": "2 * x"}]}),
            ("edit_file", {"path": "calc.py", "edits": [{"old": "Twice `x`.", "new": "Twice `x`, a number."}]}),
            ("finish", {"commit_message": "Document double"}),
        ),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Describe double in README.md.", "Document double")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    assert task.kind == "documentation"
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "what code does changes in calc.py" in said[1].messages[-1].text
    assert "`double(4)` is 8." in git(house.repository, "show", "agents/integration:README.md")
    assert "return 2 * x" in git(house.repository, "show", "agents/integration:calc.py")


def test_tests_alone_are_work_of_qa(make_house: MakeHouse) -> None:
    more = "\n\ndef test_double_of_zero() -> None:\n    assert double(0) == 0\n"
    qa: Script = (
        (
            ("edit_file", {"path": "tests/test_calc.py", "edits": [{"old": "== 8\n", "new": f"== 8\n{more}"}]}),
            ("finish_tests", {"kind": "tests", "brief": "The case of zero."}),
        ),
    )
    house, server = make_house(players(qa=qa), llm=WITH_TOOLS)
    task_id = house.submit("double has no test for zero; add one.", "Test zero")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests] == ["qa", "tech_lead"]
    assert "test_double_of_zero" in git(house.repository, "show", "agents/integration:tests/test_calc.py")


def test_refactoring_keeps_the_public_surface(make_house: MakeHouse) -> None:
    def edit(*pairs: tuple[str, str]) -> Call:
        return ("edit_file", {"path": "calc.py", "edits": [{"old": old, "new": new} for old, new in pairs]})

    qa: Script = ((("finish_tests", {"kind": "refactoring"}),),)
    developer: Script = (
        (edit(("(x: int)", "(x: int, y: int = 0)")), ("finish", {})),
        (edit(("(x: int, y: int = 0)", "(x: int)"), ("2 * x", "x + x")), ("finish", {})),
    )  # fmt: skip
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Refactor double.", "Refactor")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "the public surface changes: calc.double(y): parameter was added" in said[1].messages[-1].text
    shown = " ".join(house.cli("task", "show", task_id).stdout.split())
    assert "public surface: holds (of calc)" in shown
    assert "touched code is tested: holds (all 1 statements that change were run by the suite before)" in shown
    reviews = [request for request in server.requests if role_of(request) == "tech_lead"]
    assert "public surface: holds (of calc)" in reviews[0].messages[-1].text


def test_refactoring_of_untested_code_needs_tests_that_pin_it_down_first(make_house: MakeHouse) -> None:
    clamp = "def clamp(x: int, top: int) -> int:\n    if x > top:\n        return top\n    return x\n"
    pins = "from calc import clamp\n\n\ndef test_clamp() -> None:\n    assert (clamp(9, 5), clamp(1, 5)) == (5, 1)\n"
    qa: Script = (
        (("finish_tests", {"kind": "refactoring"}),),
        (("create_file", {"path": "tests/test_clamp.py", "content": pins}), ("finish_tests", {"kind": "refactoring"})),
    )
    body = "    if x > top:\n        return top\n    return x\n"
    edit: Call = ("edit_file", {"path": "calc.py", "edits": [{"old": body, "new": "    return min(x, top)\n"}]})
    developer: Script = ((edit, ("finish", {})),)
    files = {"calc.py": f'"""Arithmetic."""\n\n\n{clamp}'}
    files["tests/test_calc.py"] = "import calc\n\n\ndef test_calc() -> None:\n    assert calc.__doc__\n"
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS, files=files)
    task_id = house.submit("Make clamp shorter.", "Refactor clamp")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [request for request in server.requests if role_of(request) == "qa"]
    assert "touches code that no test runs: calc.py:5, calc.py:6, calc.py:7" in asked[1].messages[-1].text
    # The work waited for the tests and is tried on them; nobody writes it again.
    assert [role_of(request) for request in server.requests] == ["qa", "developer", "qa", "tech_lead"]
    assert task.result["asked_for_tests"] == 1
    assert "return min(x, top)" in git(house.repository, "show", "agents/integration:calc.py")
    assert house.landed() == ["Refactor clamp", "Test: Refactor clamp"]


def test_configuration_changes_with_the_owners_approval_alone(make_house: MakeHouse) -> None:
    qa: Script = ((("finish_tests", {"kind": "configuration"}),),)
    developer: Script = (
        (
            ("create_file", {"path": "ci.yaml", "content": "a: [\n"}),
            ("create_file", {"path": ".github/workflows/ci.yml", "content": "on: push\njobs: {}\n"}),
            ("create_file", {"path": ".env", "content": "A=1\n"}),
            ("create_file", {"path": "conftest.py", "content": "x = 1\n"}),
        ),
        (
            ("create_file", {"path": "tox.ini", "content": "[tox]\n"}),
            ("finish", {}),
        ),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Run the tests on each push.", "CI")
    with house.daemon():
        house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        said = [request for request in server.requests if role_of(request) == "developer"]
        assert "ci.yaml:2: expected the node content" in results(said[1])
        assert "path '.env' refused" in results(said[1])
        listed = house.cli("approvals", "list").stdout
        assert ".github/workflows/ci.yml" in " ".join(listed.split())
        assert house.cli("approvals", "approve", task_id).returncode == 0
        house.wait_for(task_id, TaskStatus.COMPLETED)
    files = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").split()
    assert {".github/workflows/ci.yml", "tox.ini"} <= set(files)
    assert not {"ci.yaml", ".env", "conftest.py"} & set(files)


def test_other_work_does_not_change_the_configuration(make_house: MakeHouse) -> None:
    sneaks: Script = (
        (("create_file", {"path": "tox.ini", "content": "[pytest]\naddopts = -k nothing\n"}),
         ("create_file", {"path": ".github/workflows/x.yml", "content": "on: push\n"}), *DEVELOPER[0]),
    )  # fmt: skip
    house, _ = make_house(players(developer=sneaks), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    files = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").split()
    assert not {"tox.ini", ".github/workflows/x.yml"} & set(files)
