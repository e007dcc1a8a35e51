"""A team whose models call tools, from the first look to the landing, with what goes wrong on the way."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from memory import FailureReason, TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import eventually, git, in_sandbox
from tests.orchestrator.players import (
    ADD,
    ADD_IT,
    DEVELOPER,
    LEAD,
    QA,
    QA_TESTS,
    WITH_TOOLS,
    Call,
    Script,
    players,
    results,
    role_of,
)

__all__ = ["make_house"]

NAMED: dict[str, JsonValue] = {"test": "tests/test_calc.py::test_double", "reason": "The task changes it."}
TASK = "Add `add(a: int, b: int) -> int` to calc.py: the sum of two numbers."


def test_from_the_first_look_to_the_landing(make_house: MakeHouse) -> None:
    house, server = make_house(players(), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["qa", "qa", "developer", "tech_lead"]
    assert task.kind == "feature"
    log = git(house.repository, "log", "--format=%s", "agents/integration")
    assert log.splitlines()[:2] == ["Add add() to calc", "Test: Add add"]
    assert "return a + b" in git(house.repository, "show", "agents/integration:calc.py")
    assert git(house.repository, "show", "agents/integration:tests/test_add.py") == QA_TESTS.strip()

    qa, seen, developer, lead = server.requests
    assert "Its suite: 1 tests pass" in qa.messages[0].text
    assert len(qa.messages[0].text) < 4000, "a first prompt is short"
    assert "def double" in results(seen)
    first = developer.messages[0].text
    assert "calc.py has no add yet." in first
    assert "6\t    return 2 * x" in first, "the places that QA named"
    assert "+def test_add" in first
    assert "1 of the new ones failed before the change" in lead.messages[0].text
    assert "Adds add." in lead.messages[0].text
    assert "+    return a + b" in lead.messages[0].text
    # Each role has its own tools.
    assert not {"finish", "dispute_test", "verdict"} & set(qa.tools)
    assert not {"finish_tests", "keep_test", "verdict"} & set(developer.tools)
    assert not {"edit_file", "create_file", "delete_file", "move_file", "ask_owner"} & set(lead.tools)


@pytest.mark.parametrize("role", ["qa", "developer", "tech_lead"])
def test_a_kill_in_the_middle_of_a_conversation_asks_nothing_twice(make_house: MakeHouse, role: str) -> None:
    look: Script = ((("run", {"command": "sleep 3; echo slept"}),),)
    house, server = make_house(
        players(
            qa=[*look, *QA[1:]] if role == "qa" else QA[1:],
            developer=[*look, *DEVELOPER] if role == "developer" else DEVELOPER,
            lead=[*look, *LEAD] if role == "tech_lead" else LEAD,
        ),
        llm=WITH_TOOLS,
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon() as daemon:
        eventually(lambda: any(role_of(request) == role for request in server.requests), f"{role} is asked")
        eventually(lambda: in_sandbox(daemon), "its command runs")
        daemon.kill()
        daemon.wait(120)
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    assert asked == sorted([*["qa", "developer", "tech_lead"], role], key=["qa", "developer", "tech_lead"].index)
    assert any("slept" in results(request) for request in server.requests)


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


@pytest.mark.parametrize("answer", ["keeps", "corrects"])
def test_a_disputed_test_is_kept_or_corrected_by_qa_once(make_house: MakeHouse, answer: str) -> None:
    wrong = QA_TESTS.replace("(-1, 1, 0)", "(-1, 1, 2)")
    correction: Script = (
        (
            ("edit_file", {"path": "tests/test_add.py", "edits": [{"old": "(-1, 1, 2)", "new": "(-1, 1, 0)"}]}),
            ("finish_tests", {}),
        ),
    )
    kept: Script = ((("keep_test", {"reason": "The task says so."}),),)
    qa: Script = (
        (("create_file", {"path": "tests/test_add.py", "content": wrong if answer == "corrects" else QA_TESTS}),
         ("finish_tests", {})),
        *(correction if answer == "corrects" else kept),
    )  # fmt: skip
    dispute: Call = (
        "dispute_test",
        {"test": "tests/test_add.py::test_add[-1-1-2]", "reason": "-1 and 1 are 0 together."},
    )
    developer: Script = ((ADD_IT, dispute), (dispute, ("finish", {})))
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["qa", "developer", "qa", "developer", "tech_lead"]
    back = server.requests[3]
    assert ("The task says so." if answer == "keeps" else "QA has corrected the tests.") in back.messages[-1].text
    assert "-1 and 1 are 0 together." in server.requests[2].messages[-1].text
    assert "(-1, 1, 0)" in git(house.repository, "show", "agents/integration:tests/test_add.py")


def test_what_the_suite_and_the_reviewer_say_comes_back_into_the_conversation(make_house: MakeHouse) -> None:
    breaks: dict[str, JsonValue] = {
        "path": "calc.py",
        "edits": [{"old": "    return 2 * x\n", "new": f"    return 3 * x\n{ADD}"}],
    }
    mends: dict[str, JsonValue] = {"path": "calc.py", "edits": [{"old": "3 * x", "new": "2 * x"}]}
    docstring: dict[str, JsonValue] = {
        "path": "calc.py",
        "edits": [{"old": "int:\n    return a", "new": 'int:\n    """Sum."""\n    return a'}],
    }
    developer: Script = (
        (("edit_file", breaks), ("finish", {})),
        (("edit_file", mends), ("finish", {})),
        (("edit_file", docstring), ("finish", {"summary": "With a docstring."})),
    )
    lead: Script = (
        (("verdict", {"approved": False, "score": 3, "issues": ["Give add a docstring."]}),),
        (("verdict", {"approved": True, "score": 9}),),
    )
    house, server = make_house(players(developer=developer, lead=lead), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert [sum(message.role == "assistant" for message in request.messages) for request in said] == [0, 1, 2]
    assert "tests/test_calc.py::test_double" in said[1].messages[-1].text
    assert "Give add a docstring." in said[2].messages[-1].text
    reviews = [request for request in server.requests if role_of(request) == "tech_lead"]
    assert "With a docstring." in reviews[1].messages[-1].text
    assert '"""Sum."""' in git(house.repository, "show", "agents/integration:calc.py")


@pytest.mark.parametrize("role", ["qa", "developer"])
def test_a_question_to_the_owner_blocks_the_task_with_its_words(make_house: MakeHouse, role: str) -> None:
    question: Script = ((("ask_owner", {"question": "Shall add take floats, too?"}),),)
    rule = players(qa=question) if role == "qa" else players(developer=question)
    house, server = make_house(rule, llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    assert task.reason is FailureReason.NEEDS_OWNER
    assert "Shall add take floats, too?" in task.reason_detail
    assert len(server.requests) == (1 if role == "qa" else 3)


def test_a_test_of_the_owner_that_is_disputed_goes_to_the_owner(make_house: MakeHouse) -> None:
    said: Call = ("dispute_test", {"test": "tests/test_own.py::test_own", "reason": "1 + 2 is not 4 at all."})
    house, _ = make_house(players(developer=((said,),)), llm=WITH_TOOLS)
    own = house.folder / "test_own.py"
    own.write_text("from calc import add\n\n\ndef test_own():\n    assert add(1, 2) == 4\n")
    assert house.cli("task", "add", "Add add", "-d", TASK, "--tests", str(own)).returncode == 0
    with house.daemon("--until-idle") as daemon:
        daemon.wait(120)
    with house.store() as store:
        [task] = store.tasks.select()
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)
    assert "1 + 2 is not 4" in task.reason_detail


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
    assert "the public surface changes: calc.py:double" in said[1].messages[-1].text


def test_prose_and_circles_lead_nowhere_and_end_for_a_reason(make_house: MakeHouse) -> None:
    developer: Script = ("I think add is easy.", (("read_file", {"path": "calc.py"}),))
    limits: dict[str, object] = {"max_task_attempts": 2, "max_approaches": 1}
    house, server = make_house(players(developer=developer), llm=WITH_TOOLS, orchestrator=limits)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    assert task.reason is FailureReason.LOOP_DETECTED
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "You called no tool" in said[1].messages[-1].text
    assert "Made a third time it ends the work." in results(said[3])
    with house.store() as store:
        notes = [row.details for row in store.journal.activity(task_id=task_id) if row.activity == "conversation"]
    assert [(note["who"], note["ended"]) for note in notes] == [("qa", "finish_tests"), ("developer", "repeated")]


def test_a_full_context_gives_way_to_what_was_done(make_house: MakeHouse) -> None:
    reads = [(("read_file", {"path": "big.py", "first_line": first}),) for first in (1, 201, 401, 601)]
    house, server = make_house(
        players(developer=(*reads[:2], DEVELOPER[0][:1], *reads[2:], (("finish", {}),))),  # type: ignore[arg-type]
        files={"big.py": "".join(f"value_{number} = {number}\n" for number in range(1000))},
        llm={"capabilities": {"tools": True, "context_tokens": 12_000}},
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    full = [sum(len(message.text) for message in request.messages) for request in said]
    last = said[-1].messages[0].text
    assert last.startswith(said[0].messages[0].text)
    assert "[Earlier messages were left out." in last
    assert "- read_file" in last and "- edit_file" in last
    assert "+    return a + b" in last, "the change so far"
    assert max(full) < 12_000 * 4
    assert last.count("[Earlier messages were left out.") == 1


NEEDS_A_PACKAGE = {
    "tests/test_calc.py": "import tidy_helper\nfrom calc import double\n\n\ndef test_double():\n"
    "    assert double(4) == tidy_helper.EIGHT\n",
    "helper/pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
    '[project]\nname = "tidy-helper"\nversion = "1"\n\n[tool.setuptools]\npy-modules = ["tidy_helper"]\n',
    "helper/tidy_helper.py": "EIGHT = 8\n",
    "tox.ini": "[testenv]\ndeps = ./helper\n    pytest\ncommands = pytest\n",
}
INSTALL = "cp helper/tidy_helper.py $(python -c 'import site; print(site.getsitepackages()[0])') && pip install pytest"


def test_a_project_whose_tests_cannot_run_is_set_up_by_the_team_first(make_house: MakeHouse) -> None:
    setup: Script = (
        (("read_file", {"path": "tox.ini"}), ("try_setup", {"command": "false"})),
        (("finish_setup", {"command": "true"}),),
        (("finish_setup", {"command": INSTALL}),),
    )
    house, server = make_house(players(setup=setup), files=NEEDS_A_PACKAGE, llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED, seconds=600)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["setup", "setup", "setup", "qa", "qa", "developer", "tech_lead"]
    assert "0 tests pass, 1 fail" in server.requests[0].messages[0].text
    assert "deps = ./helper" in results(server.requests[1])
    assert "not finished: no test passes with it" in results(server.requests[2])
    # It is remembered: the next task begins with the tests.
    second = house.submit("Say in calc.py that it is arithmetic of integers.", "More words")
    with house.daemon("--until-idle"):
        house.wait_for(second, TaskStatus.BLOCKED, TaskStatus.COMPLETED, seconds=600)
    assert "setup" not in [role_of(request) for request in server.requests[7:]]


def test_what_the_team_cannot_set_up_goes_to_the_owner(make_house: MakeHouse) -> None:
    setup: Script = ((("cannot_set_up", {"remedy": "Start a PostgreSQL server and set DATABASE_URL."}),),)
    house, server = make_house(players(setup=setup), files=NEEDS_A_PACKAGE, llm=WITH_TOOLS)
    first, second = house.submit(TASK, "Add add"), house.submit("Add `less(a, b)` to calc.py.", "Add less")
    with house.daemon("--until-idle"):
        task = house.wait_for(first, TaskStatus.BLOCKED)
        house.wait_for(second, TaskStatus.BLOCKED)
    assert task.reason is FailureReason.NEEDS_OWNER
    assert "Start a PostgreSQL server" in task.reason_detail
    assert [role_of(request) for request in server.requests] == ["setup"], "no model is asked twice"


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


def test_nothing_ends_in_a_message_of_which_a_part_was_refused(make_house: MakeHouse) -> None:
    wrong: Call = ("edit_file", {"path": "calc.py", "edits": [{"old": "no such line", "new": "x"}]})
    developer: Script = ((ADD_IT, wrong, ("finish", {})), (("finish", {}),))
    house, server = make_house(players(developer=developer), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "another call of this message was not done" in results(said[1])


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


def test_who_says_twice_that_it_cannot_go_on_is_not_asked_again(make_house: MakeHouse) -> None:
    house, server = make_house(players(developer=("I cannot go on.",)), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    assert "I cannot go on." in task.reason_detail
    assert [role_of(request) for request in server.requests].count("developer") == 2


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


@pytest.mark.parametrize("kind", ["tests", "feature"])
def test_what_the_reviewer_wants_of_the_tests_goes_to_qa(make_house: MakeHouse, kind: str) -> None:
    more = "\n\ndef test_more() -> None:\n    assert {}\n"
    claim = "double(0) == 0" if kind == "tests" else "add(2, 2) == 4"
    file = "tests/test_add.py" if kind == "feature" else "tests/test_zero.py"
    first = (
        QA_TESTS
        if kind == "feature"
        else "from calc import double\n\n\ndef test_one() -> None:\n    assert double(1) == 2\n"
    )
    end = "total\n" if kind == "feature" else "== 2\n"
    qa: Script = (
        (("create_file", {"path": file, "content": first}), ("finish_tests", {"kind": kind})),
        (
            ("edit_file", {"path": file, "edits": [{"old": end, "new": end + more.format(claim)}]}),
            ("finish_tests", {"kind": kind}),
        ),
    )
    lead: Script = (
        (("verdict", {"approved": False, "score": 4, "test_issues": ["Test one more case."]}),),
        (("verdict", {"approved": True, "score": 9}),),
    )
    house, server = make_house(players(qa=qa, lead=lead), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    developer = ["developer"] if kind == "feature" else []
    assert asked == ["qa", *developer, "tech_lead", "qa", "tech_lead"], "the developer's work still holds"
    assert "Test one more case." in server.requests[len(developer) + 2].messages[-1].text
    assert "test_more" in server.requests[-1].messages[-1].text
    assert "test_more" in git(house.repository, "show", f"agents/integration:{file}")
    if kind == "feature":
        assert "return a + b" in git(house.repository, "show", "agents/integration:calc.py")


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


def test_a_conflict_of_landing_comes_back_into_the_conversation(make_house: MakeHouse) -> None:
    slow: Script = ((ADD_IT, ("run", {"command": "sleep 15"}), ("finish", {})),)
    less = "\n\ndef less(a: int, b: int) -> int:\n    return a - b\n"
    tests = QA_TESTS.replace("add", "less").replace("[(1, 2, 3), (-1, 1, 0)]", "[(3, 2, 1), (1, 1, 0)]")
    edit: Call = (
        "edit_file",
        {"path": "calc.py", "edits": [{"old": "    return 2 * x\n", "new": f"    return 2 * x\n{less}"}]},
    )
    adding = players(developer=slow)
    taking = players(
        qa=((("create_file", {"path": "tests/test_less.py", "content": tests}), ("finish_tests", {})),),
        developer=((edit, ("finish", {})),),
    )
    house, server = make_house(
        lambda request: (taking if "Take away" in request.messages[0].text else adding)(request), llm=WITH_TOOLS
    )
    first = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        eventually(lambda: any(role_of(request) == "developer" for request in server.requests), "the code is asked for")
        second = house.submit("Add `less(a, b)` to calc.py, the difference.", "Take away")
        house.wait_for(first, TaskStatus.COMPLETED)
        task = house.wait_for(second, TaskStatus.COMPLETED)
    assert task.result["landing_rounds"] == 1
    said = [request for request in server.requests if "Take away" in request.messages[0].text]
    assert [role_of(request) for request in said] == ["qa", "developer", "tech_lead", "developer", "tech_lead"]
    assert "your change no longer fits it" in said[3].messages[-1].text
    text = git(house.repository, "show", "agents/integration:calc.py")
    assert "return a + b" in text
    assert "return a - b" in text


def test_a_moved_file_is_gone_from_its_old_place_in_later_messages(make_house: MakeHouse) -> None:
    qa: Script = ((("finish_tests", {"kind": "documentation"}),),)
    notes = "".join(f"Line {number} of the notes.\n" for number in range(30))
    developer: Script = (
        (("move_file", {"path": "NOTES.md", "to": "docs/NOTES.md"}),),
        (
            ("edit_file", {"path": "docs/NOTES.md", "edits": [{"old": "Line 3 of", "new": "Line three of"}]}),
            ("finish", {}),
        ),
    )
    house, _ = make_house(players(qa=qa, developer=developer), files={"NOTES.md": notes}, llm=WITH_TOOLS)
    task_id = house.submit("Move NOTES.md to docs.", "Move the notes")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    files = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").split()
    assert "docs/NOTES.md" in files
    assert "NOTES.md" not in files
