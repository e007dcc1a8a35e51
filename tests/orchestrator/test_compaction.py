"""What stays of a conversation whose context is full, and that nothing is sent that its model must refuse."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from agents.tools import as_data
from llm import PromptTooLong, ToolCall, ToolResult, Turn
from memory import TaskStatus
from orchestrator.coding.compaction import NO_CALL, LeftOut, Present, Room, compacted, read_in
from orchestrator.workbench.tools import tools_of
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import eventually, in_sandbox
from tests.orchestrator.players import ADD_IT, TASK, Call, players, role_of
from tests.support import Answer, Reply, Request

__all__ = ["make_house"]

OPENING = "# Task: T\n\n# The project\n<data>\n" + "A fact of the project.\n" * 40 + "</data>"
LONG = "\n".join(f"{number}\tvalue_{number} = {number}" for number in range(1, 400))


def said(text: str, name: str, arguments: str, result: str, news: str = "") -> list[Turn]:
    call = ToolCall(f"c{name}{len(arguments)}{text}", name, arguments)
    return [
        Turn("assistant", text, (call,)),
        Turn("user", f"\n\n{news}".strip(), results=(ToolResult(call.id, as_data(result)),)),
    ]


def conversation() -> list[Turn]:
    return [
        Turn("user", OPENING),
        *said("The fault is in parse, not in render.", "read_file", '{"path": "a.py"}', LONG),
        *said("", "read_file", '{"path": "b.py", "first_line": 1, "last_line": 2}', "1\tx\n2\ty"),
        *said("", "edit_file", '{"path": "b.py", "edits": [{"old": "x", "new": "y"}]}', "changed; b.py now reads"),
        *said("", "run_tests", '{"whole_suite": true}', "3 passed, 1 failed\ntest_old: boom"),
        *said("", "finish", '{"summary": "Done so far."}', "not finished: the task's tests do not pass.",
              news="The reviewer asks for these changes:\n<data>\n- Keep the name parse.\n</data>"),
        Turn("assistant", "Hm."),
        Turn("user", NO_CALL.format(ends="finish") + "\n\nYou disputed a test. QA keeps the test: the task says 3."),
        *said("", "search", '{"text": "parse"}', "a.py:1: parse\nb.py:9: parse"),
        *said("", "read_file", '{"path": "c.py"}', LONG),
    ]  # fmt: skip


def shortened(turns: Sequence[Turn], most: int, left_out: LeftOut | None = None, **told: str) -> Present:
    room = Room(wanted=int(most * 0.6), most=most, ratio=1.0)
    values = {"diff": "", "evidence": ""} | told
    return compacted(turns, left_out or LeftOut(), tools_of("developer"), room, **values)


def test_what_was_decided_and_read_survives() -> None:
    present = shortened(conversation(), 6000, diff="+    return a + b", evidence="test_add failed")
    first = present.turns[0].text
    assert first.startswith(OPENING)
    for kept in (
        "- you: The fault is in parse, not in render.",
        "- told: The reviewer asks for these changes:\n- Keep the name parse.",
        "- told: You disputed a test. QA keeps the test: the task says 3.",
        "- you: finish: summary: Done so far.",
        "- a.py: lines 1-399",
        "- b.py: lines 1-2 (changed since)",
        "- edit_file path: b.py: changed; b.py now reads",
        "- run_tests whole_suite: True: 3 passed, 1 failed / test_old: boom",
        "+    return a + b",
        "test_add failed",
    ):
        assert kept in first, kept
    assert "You called no tool" not in first
    assert first.count("<data>") == first.count("</data>")
    # What was left out the first time is not lost the second time, nor is what came behind the first message.
    behind = [Turn("user", f"{first}\n\nThe owner says: take 3."), *present.turns[1:], *conversation()[1:3]]
    again = shortened(behind, 3500, present.left_out).turns[0].text
    for kept in ("Keep the name parse", "the task says 3", "The owner says: take 3.", "a.py: lines 1-399"):
        assert kept in again, kept
    assert again.startswith(OPENING)
    assert again.count("[Earlier messages were left out") == 1


def test_what_was_read_is_known_whether_or_not_it_was_left_out() -> None:
    actions, both = tools_of("developer"), {"a.py": [(1, 399)], "b.py": [(1, 2)], "c.py": [(1, 399)]}
    assert read_in(conversation(), LeftOut(), actions) == both
    present = shortened(conversation(), 3000)
    assert read_in(present.turns, present.left_out, actions) == both


@pytest.mark.parametrize("most", [12_000, 6000, 3000, 1500, 700])
def test_it_fits_whatever_is_large(most: int) -> None:
    huge = OPENING.replace("# Task: T", "# Task: T\n" + "word " * 20_000)
    results = [ToolResult(f"r{number}", as_data("x" * 14_000)) for number in range(16)]
    calls = tuple(ToolCall(result.call_id, "run", '{"command": "true"}') for result in results)
    writes = said("", "create_file", '{"path": "d.py", "content": "' + "y" * 90_000 + '"}', "made")
    for turns in (
        [Turn("user", huge)],
        [Turn("user", OPENING), Turn("assistant", calls=calls), Turn("user", results=tuple(results))],
        [Turn("user", OPENING), *writes],
        [Turn("user", huge), *conversation()[1:], *writes],
    ):
        present = shortened(turns, most, diff="z" * 12_000, evidence="e" * 9000)
        assert Room(0, most, 1.0).taken(present.turns) <= most
        assert present.turns[0].text.startswith("# Task: T")
        assert present.turns[0].text.count("<data>") == present.turns[0].text.count("</data>")
        asked = [call.id for turn in present.turns for call in turn.calls]
        assert asked == [result.call_id for turn in present.turns for result in turn.results]


def test_what_cannot_fit_is_no_request() -> None:
    with pytest.raises(PromptTooLong, match=r"llm.capabilities.context_tokens"):
        shortened([Turn("user", OPENING)], 50)


class Small:
    """A server whose model takes `limit` tokens, two characters each, and a developer that reads for a long time."""

    def __init__(self, limit: int, rounds: int) -> None:
        self.limit, self.taken, self.refused = limit, [0], 0
        looks: list[tuple[str, Sequence[Call]]] = [
            (f"Block {number} says nothing of sums.",
             [("read_file", {"path": "big.py", "first_line": 1 + 25 * number, "last_line": 60 + 25 * number})])
            for number in range(rounds)
        ]  # fmt: skip
        halt: tuple[str, Sequence[Call]] = ("", [("run", {"command": "sleep 3; echo slept"})])
        self.script: list[tuple[str, Sequence[Call]]] = [
            ("I shall add it below double.", [ADD_IT]), *looks, halt, *looks[:2], ("", [("finish", {})]),
        ]  # fmt: skip
        self._others = players()
        self._given: dict[str, Reply] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        if role_of(request) != "developer":
            return self._others(request)
        taken = len(str(request.body)) // 2
        with self._lock:
            if taken + (request.max_tokens or 0) > self.limit:
                self.refused += 1
                return Reply.status(400, "the request exceeds the available context size, try increasing it")
            body = str(request.body)
            if body not in self._given:  # after a kill the same may be asked again
                self.taken.append(taken)
                text, calls = self.script[len(self._given)]
                self._given[body] = Reply.tools(*calls, text=text).counting(taken)
            return self._given[body]


BIG: dict[str, str] = {"big.py": "".join(f"value_{number} = {number}\n" for number in range(1000))}


@pytest.mark.long
def test_a_known_context_is_never_exceeded_over_many_messages_and_a_kill(make_house: MakeHouse) -> None:
    small = Small(16_000, rounds=14)
    able: dict[str, JsonValue] = {"tools": True, "context_tokens": 16_000}
    house, server = make_house(small, files=BIG, llm={"capabilities": able})
    task_id = house.submit(TASK, "Add add")
    with house.daemon() as daemon:
        eventually(lambda: in_sandbox(daemon) and len(small.taken) > 15, "its command runs")
        daemon.kill()
        daemon.wait(120)
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert small.refused == 0
    assert max(small.taken) > 8000, "the context is used"
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert all(request.max_tokens for request in said)
    last = said[-1].messages[0].text
    assert last.startswith(said[0].messages[0].text)
    assert "I shall add it below double." in last
    assert "Block 3 says nothing of sums." in last
    assert "big.py: lines 1-" in last
    assert "+    return a + b" in last
    with house.store() as store:
        notes = [row for row in store.journal.activity(task_id=task_id) if row.activity == "conversation compacted"]
    assert 2 <= len(notes) <= 8


@pytest.mark.long
def test_a_server_that_takes_less_than_was_thought_is_asked_again_with_less(make_house: MakeHouse) -> None:
    small = Small(12_000, rounds=10)
    house, _ = make_house(
        small, files=BIG, llm={"max_tokens": 500, "capabilities": {"tools": True, "context_tokens": 128_000}}
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert 1 <= small.refused <= 4
    assert len(small.taken) == len(small.script) + 1
