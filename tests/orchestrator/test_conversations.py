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
    TASK,
    WITH_TOOLS,
    Call,
    Message,
    Script,
    players,
    results,
    role_of,
)
from tests.orchestrator.scripts import CALC

__all__ = ["make_house"]


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
    assert set(lead.tools) == {"more_tools", "verdict"}, "a small change is shown whole"


@pytest.mark.long
def test_the_reviewer_is_told_of_a_table_of_the_tests(make_house: MakeHouse) -> None:
    cases = "[(10, 15, 25), (31, 11, 42), (70, 30, 100)]"
    tests = QA_TESTS.replace("[(1, 2, 3), (-1, 1, 0)]", cases)
    table = f"\n\ndef add(a: int, b: int) -> int:\n    return next((c for x, y, c in {cases} if (x, y) == (a, b)), 0)\n"
    edit: Call = (
        "edit_file",
        {"path": "calc.py", "edits": [{"old": "return 2 * x\n", "new": f"return 2 * x\n{table}"}]},
    )
    qa: Script = ((("create_file", {"path": "tests/test_add.py", "content": tests}), ("finish_tests", {})),)
    rejects: Call = ("verdict", {"approved": False, "score": 1, "issues": ["It is a table."], "reasoning": "A table."})
    developer: Script = ((edit, ("finish", {})), (("dispute_test", {"test": "x", "reason": "y"}),))
    house, server = make_house(players(qa=qa, developer=developer, lead=((rejects,),)), llm=WITH_TOOLS)
    house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        eventually(lambda: any(role_of(request) == "tech_lead" for request in server.requests), "it is reviewed")
    lead = next(request for request in server.requests if role_of(request) == "tech_lead")
    assert "what 3 of 3 cases of the tests give and expect" in lead.messages[0].text


@pytest.mark.parametrize(
    "role", ["developer", *(pytest.param(other, marks=pytest.mark.long) for other in ("qa", "tech_lead"))]
)
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


@pytest.mark.parametrize("role", [pytest.param("qa", marks=pytest.mark.long), "developer"])
def test_a_question_to_the_owner_waits_for_the_answer_and_the_work_goes_on(make_house: MakeHouse, role: str) -> None:
    question: Call = ("ask_owner", {"question": "Shall add take floats, too?"})
    qa: Script
    developer: Script
    qa, developer = tuple(QA), tuple(DEVELOPER)
    note: Call = ("create_file", {"path": "notes.py", "content": "NOTE = 1\n"})
    if role == "qa":
        qa = (*qa[:1], (question,), *qa[1:])
    else:
        developer = ((note, question), *developer)
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle") as daemon:
        task = house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        daemon.wait(60)  # nothing else is left to do
    assert "Shall add take floats, too?" in task.question
    before = len(server.requests)
    refused = house.cli("approvals", "approve", task_id)
    assert refused.returncode == 2
    assert "waits for your answer" in refused.stderr
    listed = house.cli("approvals", "list").stdout
    assert "Shall add take floats, too?" in listed
    assert "goes on, with your answer" in listed
    assert house.cli("approvals", "approve", task_id, "--note", "Integers are enough.").returncode == 0
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    assert task.description.count("Integers are enough.") == 1
    first = server.requests[before]
    assert role_of(first) == role
    assert "Integers are enough." in first.messages[-1].text
    assert sum(message.role == "assistant" for message in first.messages) == (2 if role == "qa" else 1)
    if role == "developer":  # its work is still there
        assert git(house.repository, "show", "agents/integration:notes.py")


@pytest.mark.long
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


@pytest.mark.long
def test_a_full_context_gives_way_to_what_was_done(make_house: MakeHouse) -> None:
    reads: list[Message] = [(("read_file", {"path": "big.py", "first_line": first}),) for first in (1, 201, 401, 601)]
    house, server = make_house(
        players(developer=(*reads[:2], (ADD_IT,), *reads[2:], (("finish", {}),))),
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
    assert "- big.py: lines 1-" in last and "- edit_file" in last
    assert "+    return a + b" in last, "the change so far"
    assert max(full) < 12_000 * 3
    assert last.count("[Earlier messages were left out.") == 1


@pytest.mark.long
def test_nothing_ends_in_a_message_of_which_a_change_was_refused(make_house: MakeHouse) -> None:
    wrong: Call = ("edit_file", {"path": "calc.py", "edits": [{"old": "no such line", "new": "x"}]})
    developer: Script = ((ADD_IT, wrong, ("finish", {})), (("finish", {}),))
    house, server = make_house(players(developer=developer), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "another change of this message was not done" in results(said[1])


@pytest.mark.long
def test_a_look_that_fails_does_not_keep_the_work_from_ending(make_house: MakeHouse) -> None:
    looks: tuple[Call, ...] = (("read_file", {"path": "nowhere.py"}), ("run_tests", {"tests": ["tests/test_none.py"]}))
    house, server = make_house(players(developer=((ADD_IT, *looks, ("finish", {})),)), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests].count("developer") == 1


@pytest.mark.long
def test_who_says_twice_that_it_cannot_go_on_is_not_asked_again(make_house: MakeHouse) -> None:
    house, server = make_house(players(developer=("I cannot go on.",)), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED)
    assert "I cannot go on." in task.reason_detail
    assert [role_of(request) for request in server.requests].count("developer") == 2


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tests", "feature"])
def test_what_the_reviewer_wants_of_the_tests_goes_to_qa(make_house: MakeHouse, kind: str) -> None:
    more = "\n\ndef test_more() -> None:\n    assert {}\n"
    claim = "half(8) == 4" if kind == "tests" else "add(2, 2) == 4"
    file = "tests/test_add.py" if kind == "feature" else "tests/test_zero.py"
    first = (
        QA_TESTS
        if kind == "feature"
        else "from calc import half\n\n\ndef test_one() -> None:\n    assert half(4) == 2\n"
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
    untested = f"{CALC}\n\ndef half(x: int) -> int:\n    return x // 2\n"
    house, server = make_house(players(qa=qa, lead=lead), llm=WITH_TOOLS, files={"calc.py": untested})
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


@pytest.mark.long
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
    assert "+def less" in said[4].messages[-1].text, "the reviewer is shown what it judges anew"
    text = git(house.repository, "show", "agents/integration:calc.py")
    assert "return a + b" in text
    assert "return a - b" in text


@pytest.mark.long
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
