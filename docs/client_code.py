"""Writes what the client knows of the API, `ai_agents_client/models.py` and `calls.py`, from its OpenAPI document.

`make docs` runs it. Both are checked in, so that a user of the client needs nothing of ours; a test compares.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.app import openapi_document

FOLDER = Path(__file__).parents[1] / "ai_agents_client"
_BY = """\
Written by docs/client_code.py from the OpenAPI document; `make docs` makes it anew.
"""
_HANDWRITTEN = frozenset({"/api/v1/events"})
"""What does not answer once: `client.py` has it."""
_SINGULAR = {"people": "person"}
_MADE_FOR_ONE = frozenset({"invitation"})
"""What is made by POST below an item, and is no verb."""
_VERBS = {"post": "add", "patch": "change", "put": "set", "delete": "remove"}

Schema = Mapping[str, Any]

_MODELS = f'''\
"""The shapes of what the API takes and gives. They repeat classes of the daemon, since the client imports none.

{_BY}"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

Item = TypeVar("Item")


class Shape(BaseModel):
    """What all have in common: a newer daemon may tell more than this client knows."""

    model_config = ConfigDict(extra="ignore")


class Page(Shape, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None
    """Pass it as `before` to get the following page; None: there is none."""
'''
_CALLS = f'''\
"""A method for each address of the API.

{_BY}"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import JsonValue

from ai_agents_client import models as m
from ai_agents_client.sending import Asking, AsyncAsking
'''


def models_file() -> str:
    """`models.py`."""
    schemas: dict[str, Schema] = openapi_document()["components"]["schemas"]
    shapes = {name: shape for name, shape in schemas.items() if name != "JsonValue" and not name.startswith("Page_")}
    enums = [_enum(name, shape) for name, shape in shapes.items() if "enum" in shape]
    classes = [_class(name, shape) for name, shape in shapes.items() if "enum" not in shape]
    return _formatted("\n\n".join([_MODELS, *enums, *classes]))


def calls_file() -> str:
    """`calls.py`: the same methods for both kinds of client."""
    methods = [
        _Method(path, verb, told)
        for path, verbs in openapi_document()["paths"].items() if path not in _HANDWRITTEN
        for verb, told in verbs.items()
    ]  # fmt: skip
    names = [method.name for method in methods]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two addresses would be the same method: {', '.join(twice)}")
    text = _CALLS + '\n\nclass Calls(Asking):\n    """Each method waits for its answer."""\n'
    text += "".join(method.written("") for method in methods)
    text += '\n\nclass AsyncCalls(AsyncAsking):\n    """Each method is awaited."""\n'
    return _formatted(text + "".join(method.written("async ") for method in methods))


# -- shapes ----------------------------------------------------------------------------------------------------------


def _enum(name: str, shape: Schema) -> str:
    values = "\n".join(f"    {value.upper()} = {json.dumps(value)}" for value in shape["enum"])
    return f"class {name}(StrEnum):\n{_said(shape.get('description') or f'A value of {name}.', 4)}\n\n{values}\n"


def _class(name: str, shape: Schema) -> str:
    lines = [f"class {name}(Shape):", _said(shape.get("description") or f"A {name}.", 4), ""]
    for field, kind in shape["properties"].items():
        default = _default(kind) if field not in shape.get("required", ()) else ""
        lines.append(f"    {field}: {_type(kind)}{default}")
        if said := kind.get("description"):
            lines.append(_said(said, 4))
    return "\n".join(lines) + "\n"


def _default(kind: Schema) -> str:
    if "default" not in kind:
        return " = None" if any(each.get("type") == "null" for each in kind.get("anyOf", ())) else ""
    return f" = {_value(kind, kind['default'])}"


def _value(kind: Schema, value: Any) -> str:
    if "$ref" in kind and isinstance(value, str):
        return f"{_type(kind)}.{value.upper()}"
    if isinstance(value, list):
        return f"[{', '.join(_value(kind['items'], each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _type(kind: Schema, prefix: str = "") -> str:
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        if page := re.fullmatch(r"Page_(\w+)_", name):
            return f"{prefix}Page[{prefix}{page[1]}]"
        return "JsonValue" if name == "JsonValue" else prefix + name
    if "anyOf" in kind:
        return " | ".join(dict.fromkeys(_type(each, prefix) for each in kind["anyOf"]))
    if values := kind.get("enum", [kind["const"]] if "const" in kind else []):
        return f"Literal[{', '.join(_value({}, each) for each in values)}]"
    match kind.get("type"):
        case "array":
            return f"list[{_type(kind['items'], prefix)}]"
        case "object":
            inner = kind.get("additionalProperties")
            return f"dict[str, {_type(inner, prefix) if isinstance(inner, Mapping) else 'JsonValue'}]"
        case "string":
            return {"date-time": "datetime", "date": "date"}.get(kind.get("format", ""), "str")
        case None:
            return "JsonValue"
        case simple:
            return {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}[simple]


def _said(text: str, indent: int) -> str:
    """A docstring."""
    told = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    told += " " if told.endswith('"') else ""
    lines = textwrap.wrap(f'"""{told}"""', 112 - indent, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), " " * indent)


# -- methods ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Method:
    """One operation of the document."""

    path: str
    verb: str
    told: Schema

    @property
    def name(self) -> str:
        """`…/tasks/{task_id}/calls` is `task_calls`, PATCH of one `change_task`, POST to its /cancel `cancel_task`."""
        parts = self.path.removeprefix("/api/v1").strip("/").split("/")
        is_item = parts[-1].startswith("{")
        words = [
            _singular(part) if place + 1 < len(parts) and parts[place + 1].startswith("{") else part
            for place, part in enumerate(parts)
            if not part.startswith("{")
        ]
        if self.verb == "get":
            return "_".join(words)
        does = len(parts) > 2 and parts[-2].startswith("{")
        if self.verb == "post" and does and _singular(parts[-1]) == parts[-1] and parts[-1] not in _MADE_FOR_ONE:
            return "_".join([words[-1], *words[:-1]])
        if self.verb == "post" and not is_item:
            words[-1] = _singular(words[-1])
        return "_".join([_VERBS[self.verb], *words])

    def written(self, kind: str) -> str:
        """The method as code."""
        given = ["self", *(f"{each['name']}: {_type(each['schema'])}" for each in self._given("path"))]
        body = self.told.get("requestBody")
        if body:
            given.append(f"body: {_type(body['content']['application/json']['schema'], 'm.')}"
                         + ("" if body.get("required") else " = None"))  # fmt: skip
        if query := self._given("query"):
            given += ["*", *(f"{each['name']}: {_wanted(each)}{_default_of(each)}" for each in query)]
        answer = self._answer()
        asked = [json.dumps(self.verb.upper()), self._place(), "type(None)" if answer == "None" else answer]
        asked += ["body=body"] if body else []
        pairs = ", ".join(f"{json.dumps(name)}: {name}" for name in (each["name"] for each in query))
        asked += [f"query={{{pairs}}}"] if query else []
        waits = "await " if kind else ""
        said = f"{self.told['summary'].rstrip('.')}. {self.told.get('description', '')}".strip()
        notes = [f"`{each['name']}`: {each['description']}" for each in query if each.get("description")]
        said = " ".join([said, *notes])
        return (
            f"\n    {kind}def {self.name}({', '.join(given)}) -> {answer}:\n{_said(said, 8)}\n"
            f"        return {waits}self._ask({', '.join(asked)})\n"
        )

    def _given(self, where: str) -> list[Schema]:
        return [each for each in self.told.get("parameters", ()) if each["in"] == where]

    def _place(self) -> str:
        fields = {each["name"]: each["schema"] for each in self._given("path")}
        if not fields:
            return json.dumps(self.path)
        filled = re.sub(r"{(\w+)}", lambda found: f"{{self._quoted({found[1]})}}", self.path)
        return f'f"{filled}"'

    def _answer(self) -> str:
        good = next(answer for status, answer in self.told["responses"].items() if status.startswith("2"))
        content = good.get("content") or {}
        shape = content.get("application/json", {}).get("schema")
        return _type(shape, "m.") if shape else "str" if content else "None"


def _wanted(given: Schema) -> str:
    """The type of a parameter; `next` of a page, which is text, is passed on as `before`."""
    return "str | int | None" if given["name"] == "before" else _type(given["schema"], "m.")


def _default_of(given: Schema) -> str:
    kind = given["schema"]
    return "" if given.get("required") else _default(kind) or " = None"


def _singular(noun: str) -> str:
    return _SINGULAR.get(noun) or (noun.removesuffix("s") if not noun.endswith("ss") else noun)


def _formatted(code: str) -> str:
    ruff = Path(sys.prefix) / "bin" / "ruff"
    for step in (["check", "--fix", "--select", "I,F401", "-q", "-"], ["format", "-q", "-"]):
        done = subprocess.run([ruff, *step], input=code, capture_output=True, text=True, cwd=FOLDER.parent)
        if done.returncode:
            raise ValueError(f"what was written is no Python: {done.stderr}\n{code}")
        code = done.stdout
    return code


FILES: dict[str, Callable[[], str]] = {"models.py": models_file, "calls.py": calls_file}

if __name__ == "__main__":
    for file, made in FILES.items():
        (FOLDER / file).write_text(made(), encoding="utf-8")
