"""A developer with tools on a repository of over 300 files, from the first search to the landing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from pydantic import JsonValue

from bench.repository_map import generate
from llm import Reply as Message
from llm import ToolCall, ToolResult, Turn
from memory import FailureReason, TaskStatus
from orchestrator.coding.tool_loop import _doings, _Loop, _make_room
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import APPROVED, House, eventually, git, in_sandbox, team
from tests.support import Answer, Reply, Request, ScriptedModelServer

Call = tuple[str, dict[str, JsonValue]]

PRICES = '''"""Prices of the shop."""

from shop.taxes import tax_rate


def gross_price(net: int) -> int:
    """What a customer pays, in cents."""
    return net + net * tax_rate() // 100
'''
TAXES = '''"""Taxes of the country."""


def tax_rate() -> int:
    """In percent."""
    return 18
'''
FILES = {
    "shop/__init__.py": "",
    "shop/prices.py": PRICES,
    "shop/taxes.py": TAXES,
    "tests/test_taxes.py": "from shop.taxes import tax_rate\n\n\ndef test_rate():\n    assert 0 < tax_rate() < 100\n",
    "AGENTS.md": "Keep amounts in cents.\n",
    ".gitignore": "*.tmp\n",
}
TASK = "Prices in shop/prices.py are too low: `gross_price(100)` returns `119` and `gross_price(200)` returns `238`."
SCRIPT: tuple[tuple[Call, ...], ...] = (
    (("list_files", {"pattern": "shop/*.py"}), ("search", {"text": "tax_rate", "files": "**/*.py"})),
    (("read_file", {"path": "shop/prices.py", "first_line": 6}),),
    (("edit_file", {"path": "shop/prices.py", "old": "return net + net * tax_rate / 100", "new": "return net"}),),
    (("edit_file", {"path": "shop/prices.py", "old": "// 100", "new": "// 100 + 1"}),),
    (("run_tests", {}),),
    (
        ("edit_file", {"path": "shop/prices.py", "old": "// 100 + 1", "new": "// 100"}),
        ("edit_file", {"path": "shop/taxes.py", "old": "return 18", "new": "return 19"}),
        ("run_tests", {}),
    ),
    (("finish", {"summary": "The tax rate was out of date."}),),
)
WITH_TOOLS: dict[str, object] = {"capabilities": {"tools": True}}


def developer(script: Sequence[Sequence[Call]]) -> Callable[[Request], Answer]:
    """A team whose developer follows `script`: the number of its earlier messages decides which one is next."""

    others = team(reviews=[APPROVED])

    def rule(request: Request) -> Answer:
        if "finish" in request.tools:
            position = sum(message.role == "assistant" for message in request.messages)
            return Reply.tools(*script[min(position, len(script) - 1)])
        return others(request)

    return rule


def large(
    make_house: MakeHouse, rule: Callable[[Request], Answer], **settings: dict[str, object]
) -> tuple[House, ScriptedModelServer]:
    """A house whose repository has the shop and 360 further files."""
    house, server = make_house(rule, files=FILES, llm=WITH_TOOLS, **settings)
    generate(house.repository)
    git(house.repository, "add", "-A")
    git(house.repository, "commit", "-q", "-m", "many files")
    return house, server


def talk(server: ScriptedModelServer) -> list[Request]:
    return [request for request in server.requests if "finish" in request.tools]


@pytest.mark.timeout(1800)
def test_from_looking_to_landing_and_a_kill_on_the_way_asks_nothing_twice(make_house: MakeHouse) -> None:
    house, server = large(make_house, developer(SCRIPT))
    task_id = house.submit(TASK, "Mend the gross price")
    with house.daemon() as daemon:
        eventually(lambda: len(talk(server)) >= 5, "the tests are asked for", seconds=900)
        eventually(lambda: in_sandbox(daemon), "they are run")
        daemon.kill()
        daemon.wait(120)
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED, seconds=900)
    assert task.result["strategy"] == "tools"
    assert "return 19" in git(house.repository, "show", "agents/integration:shop/taxes.py")
    assert git(house.repository, "show", "agents/integration:shop/prices.py") == PRICES.strip()

    # Each message was requested once, and the conversation after the kill continues the one before it.
    said = talk(server)
    assert len(said) == len(SCRIPT)
    results = [dict(request.results) for request in said]
    texts = ["\n".join(found.values()) for found in results]
    assert "shop/prices.py" in texts[1]
    assert "shop/taxes.py:4: def tax_rate() -> int:" in texts[1]
    assert "6\tdef gross_price(net: int) -> int:" in texts[2]
    assert "The nearest lines are these" in texts[3]
    assert "8\t    return net + net * tax_rate() // 100 + 1" in texts[4]
    assert "1 passed, 1 failed" in texts[5]
    assert "assert 237 == 238" in texts[5]
    assert "2 passed, 0 failed" in texts[6]
    assert all(
        text.count("<data>") == text.count("</data>") == len(found) for text, found in zip(texts, results, strict=True)
    )

    # Parts that stay the same for the whole task come first, and the ranked map begins with the names in the task.
    first = said[0].messages[0].text
    assert first.index("Keep amounts in cents.") < first.index("shop/prices.py\n") < first.index("# Task:")
    assert first.index("def gross_price(net: int) -> int") < first.index("more files")
    assert {request.messages[0].text for request in said} == {first}
    assert {request.system for request in said} == {said[0].system}

    with house.store() as store:
        [attempt] = store.evidence.attempts(task_id)
        [note] = [row for row in store.journal.activity(task_id=task_id) if row.activity == "tool loop"]
    assert (attempt.strategy, attempt.outcome) == ("tools", "passed")
    assert (note.details["reason"], note.details["calls"]) == ("finished", len(SCRIPT))


@pytest.mark.timeout(1800)
def test_loops_that_lead_nowhere_end_for_a_reason_and_so_does_the_task(make_house: MakeHouse) -> None:
    circles = developer([[("read_file", {"path": "shop/prices.py"})]])
    wandering = developer([[("read_file", {"path": "shop/prices.py", "first_line": line})] for line in range(1, 8)])

    def rule(request: Request) -> Answer:
        """The second attempt is recognised by the failure of the first one in its prompt."""
        return (wandering if "This failed:" in request.messages[0].text else circles)(request)

    limits: dict[str, object] = {"max_task_attempts": 2, "max_approaches": 1, "max_tool_steps": 5}
    house, server = large(make_house, rule, orchestrator=limits)
    task_id = house.submit(TASK, "Mend the gross price")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.BLOCKED, seconds=900)
    assert task.reason is FailureReason.LOOP_DETECTED
    said = talk(server)
    assert len(said) == 3 + 5
    assert "Made a third time it ends the work." in said[2].results[0][1]
    assert "Made a third time" not in said[7].results[0][1]
    with house.store() as store:
        notes = [row.details for row in store.journal.activity(task_id=task_id) if row.activity == "tool loop"]
        attempts = store.evidence.attempts(task_id)
    assert [(note["reason"], note["calls"]) for note in notes] == [("repeated", 3), ("steps", 5)]
    assert [(attempt.strategy, attempt.outcome) for attempt in attempts] == [("tools", "failed"), ("tools", "repeated")]


def test_what_tools_gave_back_first_makes_room_when_the_context_is_nearly_full() -> None:
    turns = [Turn("user", "task")]
    for number in range(12):
        turns.append(Turn("assistant", calls=(ToolCall(f"c{number}", "read_file", "{}"),)))
        turns.append(Turn("user", results=(ToolResult(f"c{number}", "x" * 3000),)))
    whole = list(turns)
    _make_room(turns, 20_000)
    assert turns == whole
    _make_room(turns, 10_000)
    left_out = [turn.results[0].call_id for turn in turns if turn.results and "left out" in turn.results[0].text]
    assert left_out == [f"c{number}" for number in range(8)], "down to half, the first ones"
    assert turns[-6:] == whole[-6:]
    assert [turn.calls for turn in turns] == [turn.calls for turn in whole]


def test_a_call_counts_once_a_message_however_often_it_stands_there() -> None:
    loop = _Loop(tree="one", turns=[])
    calls = tuple(ToolCall(f"c{number}", "read_file", '{"path": "a.py"}') for number in range(3))
    message = Message("", calls, truncated=False)
    assert [_doings(loop, message)[1] for _ in range(3)] == [1, 2, 3]
    loop.tree = "two"
    assert _doings(loop, message)[1] == 1, "the files have changed"
