"""The developer as a small model is asked: it writes only the definitions that are new or changed, and is sampled again
when a test fails.
"""

from __future__ import annotations

from agents.answers import Requirements
from agents.developer import Begun, CodeView, DeveloperAgent
from agents.prompts import render
from file_system import is_javascript
from llm import CallContext, LLMClient
from memory import Task

_SAMPLE_TEMPERATURE = 0.7
_HIGHER_TEMPERATURE = 0.9
_HIGHER_FROM = 3
_LONGEST_DEFINITIONS = 500
"""Tokens; a small model that writes more has lost its way."""
_END_OF_FUNCTION = ("\n```", "\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ")
_END_OF_METHOD = ("\n    def ", "\n    @")
"""Where a model that completes a function, or a method, begins to write something else."""


class SampledDeveloper:
    """The developer, answering with definitions."""

    def __init__(self, llm: LLMClient, model: str | None = None) -> None:
        """`model`: one to be asked instead of the developer's own."""
        self._llm = llm
        self._model = model

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
        return self._llm.generate(
            prompt,
            system=render("role", role=DeveloperAgent.role, duty=DeveloperAgent.duty),
            temperature=_temperature(draw),
            seed=draw + seed,
            max_tokens=_LONGEST_DEFINITIONS,
            context=context,
            model=self._model,
        )

    def _completed(self, begun: Begun, requirements: Requirements, draw: int, context: CallContext, seed: int) -> str:
        answer = self._llm.generate(
            f"Complete {_wanted(requirements)} in Python.",
            opening=(opening := f"```python\n{begun.shown}"),
            stop=(*_END_OF_FUNCTION, *_END_OF_METHOD) if begun.in_class else _END_OF_FUNCTION,
            temperature=_temperature(draw),
            seed=draw + seed,
            max_tokens=_LONGEST_DEFINITIONS,
            context=context,
            model=self._model,
        )
        return f"```python\n{begun.kept}{answer.removeprefix(opening).rstrip()}\n```\n"


def _wanted(requirements: Requirements) -> str:
    names = [_described(name) for name in requirements.symbols[:3]]
    return " and ".join(names) if names else "the new or changed functions"


def _described(name: str) -> str:
    owner, _, method = name.rpartition(".")
    return f"the method `{method}` of the class `{owner}`" if owner else f"the function `{name}`"


def _language(path: str) -> tuple[str, str]:
    """The language of a file, and what a fence of it is marked with."""
    if not is_javascript(path):
        return "Python", "python"
    return ("TypeScript", "ts") if path.rpartition(".")[2] in ("ts", "tsx", "mts", "cts") else ("JavaScript", "js")


def _temperature(draw: int) -> float:
    """Greedy first, then 0.7 (measured best for the smallest embedded model), and later a little more."""
    if draw == 0:
        return 0.0
    return _SAMPLE_TEMPERATURE if draw < _HIGHER_FROM else _HIGHER_TEMPERATURE
