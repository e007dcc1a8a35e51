"""What scripted models are asked in tests, and what they answer for a whole team."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from pydantic import BaseModel, JsonValue

from agents import (
    Agenda,
    Architecture,
    DeveloperAgent,
    Escalation,
    IdeaDecision,
    Message,
    MessageReply,
    Opinion,
    OwnCriteria,
    ProjectPlan,
    QAAgent,
    Report,
    Review,
    Specification,
    StrategyReview,
)
from agents.answers import AssertionList, FileChoice, TaskIdeas
from tests.support import Answer, Request

Rule = Callable[[Request], Answer]

CALC = '''"""Arithmetic."""


def double(x: int) -> int:
    """Twice `x`."""
    return 2 * x
'''
CALC_TESTS = """from calc import double


def test_double() -> None:
    assert double(4) == 8
"""
ADD_TASK = "Add `add(a: int, b: int) -> int` to calc.py. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`."
GOOD_ADD = "### calc.py\n```python\n" + CALC + "\n\ndef add(a: int, b: int) -> int:\n    return a + b\n```\n"
BAD_ADD = GOOD_ADD.replace("a + b", "a - b")
SHARES_TASK = (
    "Add `shares(total: int, parts: int) -> list[int]` to calc.py. `shares(7, 2)` returns `[4, 3]`, "
    "`shares(9, 3)` returns `[3, 3, 3]`, `shares(5, 1)` returns `[5]`, "
    "`shares(1, 0)` raises `ValueError` and `shares(3, -1)` raises `ValueError`."
)
SMALL: dict[str, dict[str, object]] = {"llm": {"profile": "small"}}
APPROVED: dict[str, JsonValue] = {"approved": True, "score": 9, "criteria": [], "issues": [], "reasoning": "fine"}
GIVEN_UP: dict[str, JsonValue] = {"action": "give_up", "reason": "Say what add is to do."}
REJECTED: dict[str, JsonValue] = {
    "approved": False,
    "score": 3,
    "criteria": [],
    "issues": ["Give add a docstring."],
    "reasoning": "no",
}


_KINDS: dict[type[BaseModel], str] = {
    AssertionList: "assertions",
    Review: "review",
    TaskIdeas: "ideas",
    Escalation: "escalation",
    FileChoice: "file",
    Report: "report",
    OwnCriteria: "criteria",
    Opinion: "opinion",
    IdeaDecision: "decision",
    Specification: "specification",
    Agenda: "agenda",
    Message: "message",
    Architecture: "architecture",
    ProjectPlan: "project plan",
    MessageReply: "reply",
    StrategyReview: "strategy",
}
"""What a request is called in tests, by the shape of the answer that it wants."""

QUESTIONS = ("assertions", "code", "review")
"""What models are asked for a plain task that lands at the first attempt, in this order. A new question of the flow is
added here, and an answer to it in `team`."""
FROM_CODE = QUESTIONS[QUESTIONS.index("code") :]
"""Those that are left when the tests are there."""


def team(
    *,
    code: Sequence[Answer] | Callable[[Request], Answer] = (GOOD_ADD,),
    reviews: Sequence[Answer] = (APPROVED,),
    assertions: Sequence[str] = (),
    ideas: Sequence[Answer] = (),
    escalations: Sequence[Answer] = (GIVEN_UP,),
) -> Rule:
    """A script that answers for the whole team; when a list runs out, its last answer is repeated."""
    counts: dict[str, int] = {}

    def turn(kind: str, answers: Sequence[Answer]) -> Answer:
        number = counts[kind] = counts.get(kind, 0) + 1
        return answers[min(number, len(answers)) - 1]

    def rule(request: Request) -> Answer:
        match asked(request):
            case "assertions":
                return {"assertions": list(assertions)}
            case "review":
                return turn("review", reviews)
            case "escalation":
                return turn("escalation", escalations)
            case "ideas":
                return turn("ideas", [*ideas, {"tasks": []}])
            case "code":
                return code(request) if callable(code) else turn("code", code)
            case kind:
                raise AssertionError(f"the team of tests/orchestrator/scripts.py has no answer to {kind!r}")

    return rule


def asked(request: Request) -> str:
    """The kind of a request: a value of `_KINDS`, or code. A question that is not known here is an error, so that a
    new role gets no answer that was meant for another.
    """
    if request.schema is None:
        if any(f"You are the {agent.role} " in request.system for agent in (DeveloperAgent, QAAgent)):
            return "code"
        raise AssertionError(f"tests/orchestrator/scripts.py does not know who asks this: {request.system[:200]}")
    fields = request.schema.get("properties")
    for shape, kind in _KINDS.items():
        if isinstance(fields, dict) and set(fields) == set(shape.model_fields):
            return kind
    raise AssertionError(f"tests/orchestrator/scripts.py does not know this answer; add it to _KINDS: {request.schema}")


class Held:
    """A script that can hold back its next answer to one kind of request until `release` is called."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._kind = ""
        self._released = threading.Event()

    def __call__(self, request: Request) -> Answer:
        if asked(request) == self._kind:
            self._kind = ""
            released, answer = self._released, self._rule(request)
            released.wait(250)
            return answer
        return self._rule(request)

    def hold(self, kind: str) -> None:
        """Hold back the answer to the next request of this kind."""
        self._released = threading.Event()
        self._kind = kind

    def release(self) -> None:
        """Send the answer that is held back."""
        self._released.set()
