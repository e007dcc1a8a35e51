"""What a developer says is wrong with a test: QA keeps or corrects it, and the owner's own go to the owner."""

from __future__ import annotations

import pytest

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.players import (
    ADD_IT,
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

__all__ = ["make_house"]


@pytest.mark.parametrize("answer", [pytest.param("keeps", marks=pytest.mark.long), "corrects"])
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
    again = (dispute,) if answer == "keeps" else ()
    developer: Script = ((ADD_IT, dispute, ("finish", {})), (*again, ("finish", {})))
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["qa", "developer", "qa", "developer", "tech_lead"]
    back = server.requests[3]
    assert ("The task says so." if answer == "keeps" else "QA has corrected the tests:") in back.messages[-1].text
    asked_qa = server.requests[2].messages[-1].text
    assert "-1 and 1 are 0 together." in asked_qa
    assert "+    return a + b" in asked_qa, "the work that the test is said to be wrong about"
    assert "sent to QA" in results(back) and "dispute_test ended the message before it" in results(back)
    if answer == "corrects":
        assert "AssertionError: assert 0 == 2" in asked_qa
        assert "all 2 pass" in back.messages[-1].text
        assert "(-1, 1, 0)" in back.messages[-1].text, "the correction"
    assert "(-1, 1, 0)" in git(house.repository, "show", "agents/integration:tests/test_add.py")


@pytest.mark.long
def test_a_test_that_was_corrected_wrongly_can_be_disputed_once_more(make_house: MakeHouse) -> None:
    def corrected(old: str, new: str) -> Message:
        edit: Call = ("edit_file", {"path": "tests/test_add.py", "edits": [{"old": old, "new": new}]})
        return (edit, ("finish_tests", {}))

    wrong = QA_TESTS.replace("(-1, 1, 0)", "(-1, 1, 2)")
    qa: Script = (
        (("create_file", {"path": "tests/test_add.py", "content": wrong}), ("finish_tests", {})),
        corrected("(-1, 1, 2)", "(-1, 1, 3)"),
        corrected("(-1, 1, 3)", "(-1, 1, 0)"),
    )
    dispute: Call = ("dispute_test", {"test": "tests/test_add.py::test_add", "reason": "-1 and 1 are 0 together."})
    house, server = make_house(
        players(qa=qa, developer=((ADD_IT, dispute), (dispute,), (("finish", {}),))), llm=WITH_TOOLS
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["qa", "developer", "qa", "developer", "qa", "developer", "tech_lead"]
    assert "AssertionError: assert 0 == 3" in server.requests[3].messages[-1].text, "how its work ends with them"


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
    assert task.status is TaskStatus.WAITING_APPROVAL
    assert "1 + 2 is not 4" in task.question
