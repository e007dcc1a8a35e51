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
            ("run_tests", {}),  # it has none of its own: the suite is run, and nothing is refused
            ("finish", {"commit_message": "Document double"}),
        ),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Describe double in README.md.", "Document double")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    assert task.kind == "documentation"
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert len(said) == 2
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
    assert "the public surface changes: calc.py:double" in said[1].messages[-1].text


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
