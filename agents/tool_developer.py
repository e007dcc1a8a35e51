"""The developer with tools: which there are, what their arguments must be, and how a conversation with them begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from agents.base import stated
from agents.developer import Surroundings
from agents.errors import UnusableAnswer
from agents.prompts import render
from llm import CallContext, LLMClient, Reply, Tool, ToolCall, Turn
from memory import Task

_PATH = "Path relative to the root of the repository, such as src/app.py."


class Action(BaseModel):
    """Something the developer asks to be done. Its fields are a tool's arguments, its docstring the description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: ClassVar[str]

    def key(self) -> str:
        """The same for the same call."""
        return f"{self.tool} {self.model_dump_json()}"


class ListFiles(Action):
    """List the files whose path matches a glob."""

    tool = "list_files"
    pattern: str = Field("**", max_length=200, description="Such as src/** or *.py; ** spans folders.")


class ReadFile(Action):
    """Read a file, or a range of its lines. Lines come with their numbers, which are not part of the file."""

    tool = "read_file"
    path: str = Field(max_length=1000, description=_PATH)
    first_line: int = Field(1, ge=1)
    last_line: int | None = Field(None, ge=1, description="Inclusive; left out: as far as fits.")


class Search(Action):
    """Find the lines of all files that hold a text, or match a regular expression."""

    tool = "search"
    text: str = Field(min_length=1, max_length=300)
    regex: bool = Field(False, description="Whether `text` is a regular expression.")
    files: str = Field("**", max_length=200, description="Glob of the files to look in.")


class EditFile(Action):
    """Replace a text in a file. `old` must stand in the file exactly once, blanks and line ends included."""

    tool = "edit_file"
    path: str = Field(max_length=1000, description=_PATH)
    old: str = Field(min_length=1, max_length=100_000, description="Text as it stands in the file, no line numbers.")
    new: str = Field(max_length=100_000, description="What stands there afterwards.")


class CreateFile(Action):
    """Make a new file."""

    tool = "create_file"
    path: str = Field(max_length=1000, description=_PATH)
    content: str = Field(max_length=200_000)


class RunTests(Action):
    """Run tests in the sandbox: the task's own, or those named."""

    tool = "run_tests"
    tests: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Files or ids, such as tests/test_x.py::test_y; empty: the task's tests.",
    )


class Finish(Action):
    """Say that the work is done. The task's tests are run; if one fails, the work goes on."""

    tool = "finish"
    summary: str = Field("", max_length=2000, description="What was changed and why, in a few sentences.")


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


ACTIONS: dict[str, type[Action]] = {
    ListFiles.tool: ListFiles,
    ReadFile.tool: ReadFile,
    Search.tool: Search,
    EditFile.tool: EditFile,
    CreateFile.tool: CreateFile,
    RunTests.tool: RunTests,
    Finish.tool: Finish,
}
"""Name -> class, in the order in which models are shown them. A new tool is a class above and a line here; what it
does, the workbench says.
"""


def tools() -> tuple[Tool, ...]:
    """The registered tools, as models see them."""
    return tuple(
        Tool(name, " ".join((action.__doc__ or "").split()), _without_titles(action.model_json_schema()))
        for name, action in ACTIONS.items()
    )


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

    def __init__(self, llm: LLMClient, model: str | None = None) -> None:
        """`model`: one to be asked instead of the developer's own."""
        self._llm = llm
        self._model = model

    def begin(self, task: Task, assignment: Assignment) -> Turn:
        """The first turn: the repository first, then the task, and what changes from time to time last."""
        return Turn("user", render("tool_task", **stated(task), given=assignment))

    def go_on(self, turns: Sequence[Turn], context: CallContext) -> Reply:
        """The model's next message; its calls have not been checked."""
        return self._llm.converse(turns, tools(), system=render("tool_role"), context=context, model=self._model)

    @staticmethod
    def action(call: ToolCall) -> Action:
        """The checked form of a call. Raises `UnusableAnswer`, in words for the model."""
        kind = ACTIONS.get(call.name)
        if kind is None:
            raise UnusableAnswer(f"there is no tool {call.name[:60]!r}; there are: {', '.join(ACTIONS)}")
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


def as_data(text: str) -> str:
    """What a tool returned, marked as data."""
    return render("tool_result", text=text)
