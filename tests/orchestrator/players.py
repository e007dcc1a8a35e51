"""Scripts for a team whose models call tools: each role plays its messages one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from tests.orchestrator.scripts import Rule, team
from tests.support import Answer, Reply, Request

Call = tuple[str, dict[str, JsonValue]]
Message = Sequence[Call] | str
"""Calls, or prose."""
Script = Sequence[Message]
TASK = "Add `add(a: int, b: int) -> int` to calc.py: the sum of two numbers."
NAMED: dict[str, JsonValue] = {"test": "tests/test_calc.py::test_double", "reason": "The task changes it."}
"""An existing test that the task changes."""
WITH_TOOLS: dict[str, object] = {"capabilities": {"tools": True}}

QA_TESTS = """import pytest

from calc import add


@pytest.mark.parametrize(("a", "b", "total"), [(1, 2, 3), (-1, 1, 0)])
def test_add(a: int, b: int, total: int) -> None:
    assert add(a, b) == total
"""
QA: Script = (
    (("read_file", {"path": "calc.py"}), ("list_files", {"pattern": "tests/**"})),
    (
        ("create_file", {"path": "tests/test_add.py", "content": QA_TESTS}),
        ("run_tests", {}),
        ("finish_tests", {"kind": "feature", "brief": "calc.py has no add yet.", "places": ["calc.py:1-7"]}),
    ),
)
ADD = "\n\ndef add(a: int, b: int) -> int:\n    return a + b\n"
ADD_IT: Call = (
    "edit_file",
    {"path": "calc.py", "edits": [{"old": "    return 2 * x\n", "new": f"    return 2 * x\n{ADD}"}]},
)
DEVELOPER: Script = (
    (
        ADD_IT,
        ("run_tests", {}),
        ("finish", {"summary": "Adds add.", "commit_message": "Add add() to calc\n\nThe task asks for it."}),
    ),
)
LEAD: Script = ((("verdict", {"approved": True, "score": 9, "issues": [], "reasoning": "Right."}),),)

_ENDS = {
    "finish_tests": "qa",
    "finish": "developer",
    "verdict": "tech_lead",
    "finish_setup": "setup",
    "finish_plan": "ceo",
    "finish_requirements": "product",
}


def role_of(request: Request) -> str:
    """Who asks: qa, developer, tech_lead, ceo, product or setup; empty for a request without tools."""
    return next((role for tool, role in _ENDS.items() if tool in request.tools), "")


def players(
    qa: Script = QA,
    developer: Script = DEVELOPER,
    lead: Script = LEAD,
    setup: Script = (),
    ceo: Script = (),
    product: Script = (),
    others: Callable[[Request], Answer] | None = None,
) -> Rule:
    """A team that follows the scripts: the number of a role's earlier messages decides which one is next, and the last
    is repeated."""
    scripts = {"qa": qa, "developer": developer, "tech_lead": lead, "setup": setup, "ceo": ceo, "product": product}
    without_tools = others or team()

    def rule(request: Request) -> Answer:
        role = role_of(request)
        if not role:
            return without_tools(request)
        position = sum(message.role == "assistant" for message in request.messages)
        message = scripts[role][min(position, len(scripts[role]) - 1)]
        return message if isinstance(message, str) else Reply.tools(*message)

    return rule


def results(request: Request) -> str:
    """What came back from the latest calls, in one text."""
    return "\n".join(text for _, text in request.results)
