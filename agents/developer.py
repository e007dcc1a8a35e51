"""The developer: writes code that makes the tests pass, and what it is shown for that.

It works with tools, or answers with whole files or search/replace blocks and repairs them from the evidence. A small
model answers as `SampledDeveloper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.base import BaseAgent
from llm import CallContext
from memory import Task


@dataclass(frozen=True)
class FileText:
    """A file as a prompt shows it."""

    path: str
    text: str


@dataclass(frozen=True)
class Surroundings:
    """What prompts say about the repository as a whole: before the task, and the same in all of its prompts."""

    conventions: str = ""
    """How the project wants its code, from its own files."""
    outline: str = ""
    """What its files define, those first that matter most for the task."""
    example: FileText | None = None
    """A test file, as an example of how tests are written here."""
    lessons: str = ""


@dataclass(frozen=True)
class Begun:
    """The beginning of a function: as a model is `shown` it, and what of it is `kept` in its answer."""

    shown: str
    kept: str
    in_class: bool = False
    """Whether it is a method, in its class."""


@dataclass(frozen=True)
class CodeView:
    """What the developer sees in one attempt."""

    target: FileText
    """The file the work is mainly in, or the part of it that matters; empty text when it is new."""
    around: Surroundings = field(default=Surroundings())
    others: Sequence[FileText] = field(default=())
    tests: str = ""
    evidence: str = ""
    review: str = ""
    begun: Begun | None = None
    """The wanted function begun, for a model that goes on from there."""
    simple: bool = False
    """Whether the code is to be written in the simplest way, one plain statement after the other."""
    earlier_approaches: int = 0
    """How many have failed. Each prompt says it, so that no two approaches get the same prompt."""


@dataclass(frozen=True)
class Assignment:
    """What a developer with tools begins with."""

    project: str
    """Facts about the project: its folders, its tests, its conventions."""
    kind: str = ""
    lessons: str = ""
    brief: str = ""
    """What QA found out."""
    places: Sequence[FileText] = ()
    """Code that QA names."""
    tests: str = ""
    """QA's change."""
    benchmark: str = ""
    """The program that the work has to make faster."""
    evidence: str = ""
    """How the tests fail now."""


class DeveloperAgent(BaseAgent):
    name = "developer"
    role = "software developer"
    duty = "You write correct, simple, readable code that makes the given tests pass and fits the code base."
    working = (
        "Make the smallest change that does what the task asks, everywhere it is asked for, and write as the project "
        "does. Tests, protected files and files that decide about dependencies are not yours to change. If a test "
        "contradicts the task's words, say so with dispute_test and do not bend the code to it. Where the project "
        "keeps a changelog or documents what you change, keep that up too. finish runs the task's tests, and the whole "
        "suite after them."
    )
    opening = "write_code"

    def write_files(self, task: Task, view: CodeView, context: CallContext, longer: int = 1) -> str:
        """One answer of whole files or search/replace blocks, at most `longer` times as long as is configured."""
        shown = [view.target, *view.others] if view.target.text else list(view.others)
        prompt = self._prompt(
            "write_files",
            task,
            around=view.around,
            files=shown,
            tests=view.tests,
            evidence=view.evidence,
            review=view.review,
            earlier_approaches=view.earlier_approaches,
        )
        return self.llm.generate(prompt, system=self.system_prompt, context=context, model=self.model, longer=longer)
