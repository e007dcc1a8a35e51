"""The developer: writes code that makes the tests pass. What it is shown, and in which form it answers,
depends on its model: a small one writes only the definitions that are new or changed and is sampled again when a
test fails; a strong one writes files or search/replace blocks and repairs them from the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.answers import Requirements
from agents.base import BaseAgent
from agents.prompts import render
from file_system import is_javascript
from llm import CallContext
from memory import Task

_SAMPLE_TEMPERATURE = 0.7
_HIGHER_TEMPERATURE = 0.9
_HIGHER_FROM = 3
_LONGEST_DEFINITIONS = 500
"""Tokens; a small model that writes more has lost its way."""
_END_OF_FUNCTION = ("\n```", "\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ")
_END_OF_METHOD = ("\n    def ", "\n    @")
"""Where a model that completes a function, or a method, begins to write something else."""


@dataclass(frozen=True)
class FileText:
    """A file as a prompt shows it."""

    path: str
    text: str


@dataclass(frozen=True)
class Surroundings:
    """What is told of the repository as a whole, before the task and the same in all of its prompts."""

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
    """How many did not succeed. Told in each attempt, so that no two approaches are asked the same."""


class DeveloperAgent(BaseAgent):
    name = "developer"
    role = "software developer"
    duty = "You write correct, simple, readable code that makes the given tests pass and fits the code base."

    def write_definitions(
        self, task: Task, requirements: Requirements, view: CodeView, draw: int, context: CallContext, seed: int = 0
    ) -> str:
        """One answer that holds the new or changed definitions in one fence, or the end of the view's begun function.

        `draw` 0 is the greedy answer to this view; later ones have a rising temperature and a seed of their own, from
        `seed` on.
        """
        if view.begun:
            return self._completed(view.begun, requirements, draw, context, seed)
        prompt = render(
            "write_definitions",
            path=requirements.target_file,
            source=view.target.text.rstrip(),
            title=task.title,
            description=task.description,
            tests=view.tests,
            wanted=_wanted(requirements),
            simple=view.simple,
            language=(language := _language(requirements.target_file))[0],
            fence=language[1],
            shortcuts="comprehensions" if language[1] == "python" else "chained calls",
        )
        return self.llm.generate(
            prompt,
            system=self.system_prompt,
            temperature=_temperature(draw),
            seed=draw + seed,
            max_tokens=_LONGEST_DEFINITIONS,
            context=context,
            model=self.model,
        )

    def _completed(self, begun: Begun, requirements: Requirements, draw: int, context: CallContext, seed: int) -> str:
        answer = self.llm.generate(
            f"Complete {_wanted(requirements)} in Python.",
            opening=(opening := f"```python\n{begun.shown}"),
            stop=(*_END_OF_FUNCTION, *_END_OF_METHOD) if begun.in_class else _END_OF_FUNCTION,
            temperature=_temperature(draw),
            seed=draw + seed,
            max_tokens=_LONGEST_DEFINITIONS,
            context=context,
            model=self.model,
        )
        return f"```python\n{begun.kept}{answer.removeprefix(opening).rstrip()}\n```\n"

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


def _wanted(requirements: Requirements) -> str:
    names = [_told(name) for name in requirements.symbols[:3]]
    return " and ".join(names) if names else "the new or changed functions"


def _told(name: str) -> str:
    owner, _, method = name.rpartition(".")
    return f"the method `{method}` of the class `{owner}`" if owner else f"the function `{name}`"


def _language(path: str) -> tuple[str, str]:
    """The language of a file, and what a fence of it is marked with."""
    if not is_javascript(path):
        return "Python", "python"
    return ("TypeScript", "ts") if path.rpartition(".")[2] in ("ts", "tsx", "mts", "cts") else ("JavaScript", "js")


def _temperature(draw: int) -> float:
    """Greedy first, then 0.7 (measured best for the embedded model), and later a little more."""
    if draw == 0:
        return 0.0
    return _SAMPLE_TEMPERATURE if draw < _HIGHER_FROM else _HIGHER_TEMPERATURE
