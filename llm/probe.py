"""Finding out what a model can do: four small questions whose answers code can check.

A question costs a few hundred tokens in and at most 96 out. No code in an answer is run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from llm.lineup import ServedModel
from llm.request import Answer, OutputSchema, Request, Tool, Turn

_MOST_TOKENS = 96
_LONGEST_EXPRESSION = 200
"""Characters; the right answer has 16."""

_SYSTEM = "You are a precise programmer. Answer with exactly what is asked for, and with nothing else."


class _Lines(BaseModel):
    """Arguments of the tool."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    first_line: int
    last_line: int


class _Release(BaseModel):
    """The structured answer that is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    year: int
    stable: bool
    authors: list[str]


_READ = Tool("read_lines", "Gives some lines of a file.", _Lines.model_json_schema())
_WANTED_LINES = _Lines(path="src/app/main.py", first_line=10, last_line=25)
_WANTED_RELEASE = _Release(name="Heron", year=2019, stable=False, authors=["Ada", "Grace"])

_FILE = """\
TIMEOUT = 30


def wait(seconds=TIMEOUT):
    return min(seconds, 60)
"""
_WANTED_FILE = _FILE.replace("60", "90")
_BLOCK = re.compile(r"^<{5,9} ?SEARCH\n(.*?)^={5,9}\n(.*?)^>{5,9} ?REPLACE", re.DOTALL | re.MULTILINE)

_WRONG = "def days(first, last):\n    return last - first"
_DAYS = [(3, 5, 3), (10, 10, 1), (1, 31, 31)]
"""First day, last day, how many both included."""


@dataclass(frozen=True)
class Question:
    """A question, and whether an answer shows the ability."""

    ability: str
    turns: tuple[Turn, ...]
    passes: Callable[[Answer], bool]
    tools: tuple[Tool, ...] = ()
    schema: OutputSchema | None = None

    def request(self, model: ServedModel) -> Request:
        """The question as it is put to `model`."""
        return Request(
            model.provider, model.name, _SYSTEM, self.turns, temperature=0.0, max_tokens=_MOST_TOKENS,
            schema=self.schema, tools=self.tools,
        )  # fmt: skip


def _calls_the_tool(answer: Answer) -> bool:
    if len(answer.calls) != 1 or answer.calls[0].name != _READ.name:
        return False
    return _fits(answer.calls[0].arguments, _WANTED_LINES)


def _fits(text: str, wanted: BaseModel) -> bool:
    try:
        return type(wanted).model_validate_json(text) == wanted
    except ValidationError:
        return False


def _edits_the_file(answer: Answer) -> bool:
    blocks = _BLOCK.findall(answer.text)
    if len(blocks) != 1:
        return False
    search, replacement = blocks[0]
    whole_lines = f"\n{_FILE}".count(f"\n{search}") == 1
    return bool(search) and whole_lines and _FILE.replace(search, replacement) == _WANTED_FILE


def _mends_the_line(answer: Answer) -> bool:
    returned = re.findall(r"^\s*return (.*)$", answer.text, re.MULTILINE)
    try:
        return bool(returned) and all(
            _value(returned[-1], {"first": first, "last": last}) == days for first, last, days in _DAYS
        )
    except (ValueError, SyntaxError, RecursionError):
        return False


def _value(expression: str, names: dict[str, int]) -> int:
    """The value of a sum or difference of names and numbers. Raises ValueError for anything else."""
    if len(expression) > _LONGEST_EXPRESSION:
        raise ValueError("longer than any right answer")
    return _evaluated(ast.parse(expression.strip(), mode="eval").body, names)


def _evaluated(node: ast.expr, names: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluated(left, names) + _evaluated(right, names)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _evaluated(left, names) - _evaluated(right, names)
        case _:
            raise ValueError(f"{ast.dump(node)} is no sum")


QUESTIONS = (
    Question(
        "tools",
        (Turn("user", "Read lines 10 to 25 of src/app/main.py, both included, by one call of the tool."),),
        _calls_the_tool,
        tools=(_READ,),
    ),
    Question(
        "structured",
        (
            Turn(
                "user",
                "Answer in JSON: which release is this? Heron came out in 2019, written by Ada and Grace. It was "
                "a beta and never became stable.",
            ),
        ),
        lambda answer: _fits(answer.json_text(), _WANTED_RELEASE),
        schema=OutputSchema("release", _Release.model_json_schema()),
    ),
    Question(
        "edit_blocks",
        (
            Turn(
                "user",
                f"This is wait.py:\n```python\n{_FILE}```\nLet `wait` allow up to 90 seconds. Answer with one block of "
                "this form, which holds only the lines that change:\n<<<<<<< SEARCH\nlines exactly as they stand in "
                "the file now\n=======\nthe new lines\n>>>>>>> REPLACE",
            ),
        ),
        _edits_the_file,
    ),
    Question(
        "repairs",
        (
            Turn("user", "Write `days(first, last)` in Python: how many days a stay from day `first` to `last` has."),
            Turn("assistant", f"```python\n{_WRONG}\n```"),
            Turn(
                "user",
                "It fails:\n>   assert days(3, 5) == 3\nE   assert 2 == 3\nOnly the line with `return` is wrong. "
                "Answer with that line, corrected.",
            ),
        ),
        _mends_the_line,
    ),
)
