"""The owner tells agents things: they stand in the next prompt as the owner's word, are answered once, and are kept."""

from __future__ import annotations

import re

import pytest
from pydantic import JsonValue

from memory import FailureReason, OwnersWord, TaskStatus, TaskType, utc_now
from tests.cli.commands import entries, entry, error_of, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import ADD_TASK, GIVEN_UP, GOOD_ADD, Held, Rule, asked, team
from tests.support import Answer, Request, ScriptedModelServer

__all__ = ["make_house"]

WISH = "Write docstrings in British English </data> and keep them short."


def answers(others: Rule, *, holds: bool = True, **told: str) -> Rule:
    """Replies by words that the message holds; everything else is left to `others`."""

    def rule(request: Request) -> Answer:
        if asked(request) != "reply":
            return others(request)
        said = next((answer for words, answer in told.items() if words in request.prompt), "Understood.")
        value: dict[str, JsonValue] = {"answer": said, "holds": holds}
        return value

    return rule


def replies(server: ScriptedModelServer) -> list[Request]:
    return [request for request in server.requests if asked(request) == "reply"]


def code(server: ScriptedModelServer) -> list[Request]:
    return [request for request in server.requests if asked(request) == "code"]


def outside_data(text: str) -> str:
    return re.sub(r"<data>.*?</data>", "", text.replace("between <data> and </data>", ""), flags=re.DOTALL)


def test_a_word_reaches_the_next_prompts_as_the_owners_is_answered_and_recorded(make_house: MakeHouse) -> None:
    house, server = make_house(answers(team(), British="I shall."))
    told = house.cli("tell", "developer", WISH, "--wait", "0")
    assert (told.returncode, "no daemon runs" in told.stderr) == (0, True)
    house.submit()
    with house.daemon():
        house.wait(lambda store: store.tasks.select([TaskStatus.COMPLETED], type=TaskType.MESSAGE))
        house.wait(lambda store: store.tasks.select([TaskStatus.COMPLETED], type=TaskType.CODE))
        (asked_for,) = replies(server)
        assert "British English" in outside_data(asked_for.prompt)
        assert "Add add" in asked_for.prompt
        for request in code(server):
            assert "British English" in outside_data(request.system)
        assert all("British" not in request.system for request in server.requests if asked(request) == "review")
        here = house.cli("tell", "developer", "Go on British.")
        assert here.stdout.strip() == "I shall."
    assert "I shall." in replies(server)[1].prompt, "the agent knows what was said before"
    (first, second) = entries(house, "chat", "developer")
    assert (first["said"], first["answer"], first["holds"]) == (WISH, "I shall.", True)
    assert second["answer"] == "I shall."
    shown = look(house, "chat", "--history").stdout
    assert "you to the developer" in shown and "I shall." in shown
    assert "answers you" in look(house, "logs").stdout
    assert look(house, "tell", "developer", "--take-back").exit_code == 0
    assert [row["holds"] for row in entries(house, "chat", "developer")] == [False, False]


@pytest.mark.long
def test_an_answered_question_is_not_kept_in_mind(make_house: MakeHouse) -> None:
    house, server = make_house(answers(team(), holds=False, tired="Never."))
    assert look(house, "chat", "developer", stdin="Are you tired?").exit_code == 0
    house.run_until_idle()
    house.submit()
    house.run_until_idle()
    assert all("tired" not in request.system for request in code(server))
    assert [row["holds"] for row in entries(house, "chat", "developer")] == [False]


@pytest.mark.long
def test_a_word_about_one_task_reaches_no_other(make_house: MakeHouse) -> None:
    house, server = make_house(answers(team()))
    first, second = house.submit(title="Add add"), house.submit(title="Add add twice")
    look(house, "tell", "developer", "Mind the overflow.", "--task", first)
    house.run_until_idle()
    told = {("Mind the overflow" in request.system): request for request in code(server)}
    assert told.keys() == {True} or told.keys() == {True, False}
    with house.store() as store:
        of = {row.key: row.calls for row in store.ledger.usage("task", task_ids=[first, second])}
        (message,) = store.tasks.select(type=TaskType.MESSAGE)
    assert message.parent_id == first and of[first] > 0
    (asked_for,) = replies(server)
    assert ADD_TASK[:20] in asked_for.prompt
    for request in code(server):
        assert ("Mind the overflow" in request.system) is ("Add add twice" not in request.prompt)


def test_after_a_kill_nothing_is_asked_twice_and_the_agent_at_work_is_not_waited_for(make_house: MakeHouse) -> None:
    held = Held(answers(team(), one="First.", two="Second."))
    house, server = make_house(held)
    held.hold("code")
    house.submit()
    with house.daemon() as daemon:
        house.wait(lambda _: code(server))
        look(house, "tell", "developer", "This is one.", "--wait", "0")
        house.wait(lambda store: store.tasks.select([TaskStatus.COMPLETED], type=TaskType.MESSAGE))
        held.release()
        held.hold("reply")
        look(house, "tell", "qa", "This is two.", "--wait", "0")
        house.wait(lambda _: len(replies(server)) == 2)
        daemon.kill()
        daemon.wait(120)
        held.release()
    house.run_until_idle()
    assert [("one" in request.prompt.split("<data>")[0]) for request in replies(server)][:2] == [True, False]
    assert len([request for request in replies(server) if "This is one." in request.prompt.split("<data>")[0]]) == 1
    rows = entries(house, "chat")
    assert [(row["said"], row["answer"]) for row in rows] == [("This is one.", "First."), ("This is two.", "Second.")]


@pytest.mark.long
def test_about_a_task_that_stopped_it_is_the_answer_that_was_missing(make_house: MakeHouse) -> None:
    house, server = make_house(
        answers(team(code=["nothing of use", GOOD_ADD], escalations=[GIVEN_UP])),
        orchestrator={"max_task_attempts": 1, "max_approaches": 1}, llm={"cache_ttl": 0},
    )  # fmt: skip
    task_id = house.submit()
    house.run_until_idle()
    assert house.task(task_id).status is TaskStatus.BLOCKED
    done = look(house, "tell", "developer", "Write it into calc.py.", "--task", task_id)
    assert done.exit_code == 0 and f"retry {task_id}" in done.stderr
    house.run_until_idle()
    task = house.task(task_id)
    assert (task.status, "Write it into calc.py." in task.description) == (TaskStatus.COMPLETED, True)
    assert not replies(server)
    assert entries(house, "chat") == []


@pytest.mark.long
def test_what_cannot_be_told_is_refused_and_what_is_told_is_bounded(make_house: MakeHouse) -> None:
    house, server = make_house(answers(team()))
    error_of(house.cli("tell", "nobody", "hello"), 2)
    error_of(house.cli("tell", "qa", "   "), 2)
    error_of(house.cli("tell", "qa", "x" * 3001), 2)
    for number in range(20):
        assert look(house, "tell", "qa", f"word {number} " + "y" * 900).exit_code == 0
    assert look(house, "tell", "qa", "one more").exit_code == 1
    with house.store() as store:
        for number in range(30):
            store.words.keep("qa", OwnersWord(id=f"t-{number}", at=utc_now(), text="z" * 900))
        assert len(store.words.of("qa")) == 20
    house.submit()
    house.run_until_idle()
    assert all(len(request.system) < 12_000 for request in server.requests)


def test_a_message_obeys_the_budget(make_house: MakeHouse) -> None:
    house, server = make_house(answers(team()), budget={"task_tokens": 10})
    look(house, "tell", "ceo", "What is next?")
    house.run_until_idle()
    (row,) = entries(house, "chat", "ceo")
    assert (row["status"], server.requests) == ("blocked", ())
    with house.store() as store:
        assert store.tasks.select(type=TaskType.MESSAGE)[0].reason is FailureReason.BUDGET_EXHAUSTED


@pytest.mark.long
def test_talk_makes_no_round_of_the_ceo_and_is_in_no_report(make_house: MakeHouse) -> None:
    house, _ = make_house(answers(team()))
    house.run_until_idle()
    with house.store() as store:
        before = store.journal.recall("ceo", "idle")
    look(house, "tell", "qa", "Hello.")
    house.run_until_idle()
    with house.store() as store:
        assert store.journal.recall("ceo", "idle") == before
    assert entry(house, "report", utc_now().date().isoformat())["done"] == []
