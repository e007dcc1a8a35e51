"""The developer with tools: how a conversation begins, what a model is told of its tools, and how a call is checked.

Which tools there are, and what they do, is up to the caller (`ACTIONS` in `orchestrator/workbench/tools.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agents.base import stated
from agents.developer import Surroundings
from agents.errors import UnusableAnswer
from agents.prompts import render
from llm import CallContext, LLMClient, Reply, Tool, ToolCall, Turn
from memory import Task


class Action(BaseModel):
    """Something the developer asks to be done. Its fields are a tool's arguments, its docstring the description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: ClassVar[str]

    def key(self) -> str:
        """The same for the same call."""
        return f"{self.tool} {self.model_dump_json()}"


_Action = TypeVar("_Action", bound=Action)


def _without_titles(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The schema without what pydantic adds for people: it would be paid for in every call."""
    cut = {key: value for key, value in schema.items() if key not in ("title", "description")}
    properties = cut.get("properties")
    if isinstance(properties, dict):
        cut["properties"] = {
            name: {key: value for key, value in field.items() if key != "title"} if isinstance(field, dict) else field
            for name, field in properties.items()
        }
    return cut


def tools(actions: Mapping[str, type[Action]]) -> tuple[Tool, ...]:
    """What models are told of the registered tools, in the order of `actions`."""
    return tuple(
        Tool(name, " ".join((action.__doc__ or "").split()), _without_titles(action.model_json_schema()))
        for name, action in actions.items()
    )


def action_of(call: ToolCall, actions: Mapping[str, type[_Action]]) -> _Action:
    """The checked form of a call. Raises `UnusableAnswer`, in words for the model."""
    kind = actions.get(call.name)
    if kind is None:
        raise UnusableAnswer(f"there is no tool {call.name[:60]!r}; there are: {', '.join(actions)}")
    try:
        return kind.model_validate_json(call.arguments or "{}")
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc']) or 'the arguments'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        )
        raise UnusableAnswer(
            f"the arguments of {call.name} do not fit: {problems}; call it again with arguments like "
            f"{json.dumps(sorted(kind.model_fields))}"
        ) from None


@dataclass(frozen=True)
class Assignment:
    """What a loop begins with."""

    around: Surroundings
    target: str
    """The file the work is thought to be mainly in."""
    tests_file: str
    tests: str
    evidence: str = ""
    """How the tests failed with the files as they are now, if they were tried."""
    review: str = ""


class ToolDeveloper:
    """The developer, answering with calls of tools. It asks and reads; what is done is up to its caller."""

    name = "developer"

    def __init__(self, llm: LLMClient, offered: tuple[Tool, ...], model: str | None = None) -> None:
        """`offered`: the tools it may call; `model`: one to be asked instead of the developer's own."""
        self._llm = llm
        self._offered = offered
        self._model = model

    def begin(self, task: Task, assignment: Assignment) -> Turn:
        """The first turn: the repository first, then the task, and what changes from time to time last."""
        return Turn("user", render("tool_task", **stated(task), given=assignment))

    def go_on(self, turns: Sequence[Turn], context: CallContext) -> Reply:
        """The model's next message; its calls have not been checked."""
        return self._llm.converse(turns, self._offered, system=render("tool_role"), context=context, model=self._model)


def as_data(text: str) -> str:
    """What a tool returned, marked as data."""
    return render("tool_result", text=text)
