"""Tools: what a model is told of them, and how its calls are checked.

Which tools there are, and what they do, is up to the caller (`TOOLS` in `orchestrator/workbench/tools.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError

from agents.errors import UnusableAnswer
from agents.prompts import render
from llm import Tool, ToolCall


class Action(BaseModel):
    """Something an agent asks to be done. Its fields are a tool's arguments, its docstring the description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: ClassVar[str]

    def key(self) -> str:
        """The same for the same call."""
        return f"{self.tool} {self.model_dump_json()}"


_Action = TypeVar("_Action", bound=Action)


_UNTOLD = {
    "title", "default", "additionalProperties",
    "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum",
}  # fmt: skip
"""Parts of a JSON schema that code checks and no model needs to know: they would be paid for in every call."""


def _brief(schema: JsonValue, parts: Mapping[str, JsonValue], *, names: bool = False) -> JsonValue:
    """The schema without what no model needs, and with its `parts` where they are used. `names`: the keys are names
    of fields."""
    if isinstance(schema, list):
        return [_brief(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if not names and isinstance(reference := schema.get("$ref"), str):
        part = parts[reference.rpartition("/")[2]]
        told = {"description": schema["description"]} if "description" in schema else {}
        whole = {key: value for key, value in part.items() if key != "description"} if isinstance(part, dict) else {}
        return _brief({**whole, **told}, parts)
    if not names and isinstance(kinds := schema.get("anyOf"), list):  # it may be left out, which `required` says
        given = [kind for kind in kinds if kind != {"type": "null"}]
        if len(given) == 1 and isinstance(given[0], dict):
            return _brief({**{key: value for key, value in schema.items() if key != "anyOf"}, **given[0]}, parts)
    return {
        key: _brief(value, parts, names=key == "properties" and not names)
        for key, value in schema.items()
        if names or key not in _UNTOLD
    }


def tools(actions: Mapping[str, type[Action]]) -> tuple[Tool, ...]:
    """What models are told of the registered tools, in the order of `actions`."""
    return tuple(
        Tool(name, " ".join((action.__doc__ or "").split()), _schema(action)) for name, action in actions.items()
    )


def _schema(action: type[Action]) -> dict[str, JsonValue]:
    whole: dict[str, JsonValue] = action.model_json_schema()
    parts = whole.pop("$defs", {})
    whole.pop("description", None)  # it is the tool's
    schema = _brief(whole, parts if isinstance(parts, dict) else {})
    assert isinstance(schema, dict)
    return schema


def action_of(call: ToolCall, actions: Mapping[str, type[_Action]]) -> _Action:
    """The checked form of a call. Raises `UnusableAnswer`, in words for the model."""
    kind = actions.get(call.name)
    if kind is None:
        raise UnusableAnswer(f"there is no tool {call.name[:60]!r}; there are: {', '.join(actions)}")
    try:
        action = kind.model_validate_json(call.arguments or "{}")
        _check_text(action)
        return action
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in detail['loc']) or 'the arguments'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        )
        raise UnusableAnswer(
            f"the arguments of {call.name} do not fit: {problems}; call it again with arguments like "
            f"{json.dumps(sorted(kind.model_fields))}"
        ) from None


def _check_text(action: Action) -> None:
    """Refuse what no file, command or database takes."""
    try:
        text = action.model_dump_json()
    except PydanticSerializationError:
        raise UnusableAnswer("its arguments hold half a character (a lone surrogate); write whole ones") from None
    if "\\u0000" in text:
        raise UnusableAnswer("its arguments hold a NUL character; leave it out")


def as_data(text: str) -> str:
    """What a tool returned, marked as data."""
    return render("tool_result", text=text)
