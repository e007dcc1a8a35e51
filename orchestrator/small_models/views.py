"""What a small model is shown of a task: an excerpt of the file, or the wanted function to complete."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from agents import Begun, CodeView, FileText, Requirements, TestCase
from file_system import AnswerError, code_for, is_javascript, text_of
from file_system.code.outline import function_in, names_in_signatures
from memory import Task
from orchestrator.services import Services
from orchestrator.small_models.begun_functions import Wanted, begun_function, resumed_function
from orchestrator.small_models.excerpts import excerpt, plain_excerpt
from orchestrator.workbench.sources import importable, imported_definitions

_LONGEST_PRESENT = 4_000
"""Most characters of a present function that small changes are tried on."""


class SampleViews:
    """What a small model is shown of the code of one task, for any commit or tree of its worktree."""

    def __init__(self, services: Services, task: Task) -> None:
        self._suite = services.suite
        self._task = task

    def view(self, treeish: str, requirements: Requirements) -> CodeView:
        """An excerpt of the target file in `treeish`, short enough for a small model."""
        with self._suite.exported(treeish) as (folder, _):
            text = text_of(folder, requirements.target_file)
            if is_javascript(requirements.target_file):
                return CodeView(target=FileText(requirements.target_file, plain_excerpt(text)))
            used = names_in_signatures(self._words, requirements.symbols)
            others = self._others(folder, text, used)
        return CodeView(target=FileText(requirements.target_file, excerpt(text, requirements.symbols, others, used)))

    def begun_view(self, treeish: str, requirements: Requirements, *, steps: bool) -> CodeView | None:
        """The wanted function up to its docstring, which holds the task; None if its signature is not known."""
        return self._begun(treeish, requirements, partial(begun_function, steps=steps))

    def resumed_view(self, treeish: str, requirements: Requirements, answer: str, seed: int) -> CodeView | None:
        """The wanted function with the first lines of an earlier `answer`; None if those are of no use."""
        if not requirements.target_file.endswith(".py"):
            return None
        try:
            code = code_for(answer, requirements.target_file)
        except AnswerError:
            return None
        return self._begun(
            treeish,
            requirements,
            partial(resumed_function, answer=code, chooser=random.Random(seed)),  # noqa: S311
        )

    def present(self, treeish: str, requirements: Requirements) -> str:
        """The function that the task changes, in the form of an answer; empty if it is new or too long."""
        if not (requirements.target_file.endswith(".py") and requirements.symbols):
            return ""
        with self._suite.exported(treeish) as (folder, _):
            code = function_in(text_of(folder, requirements.target_file), requirements.symbols[0])
        return f"```python\n{code}\n```" if code and len(code) <= _LONGEST_PRESENT else ""

    def _begun(
        self, treeish: str, requirements: Requirements, begin: Callable[[Wanted], Begun | None]
    ) -> CodeView | None:
        path = requirements.target_file
        name = requirements.symbols[0] if requirements.symbols else ""
        if not (path.endswith(".py") and name):
            return None
        with self._suite.exported(treeish) as (folder, _):
            text = text_of(folder, path)
            used = names_in_signatures(self._words, [name])
            wanted = Wanted(text, name, self._task.title, self._task.description, self._others(folder, text, used))
        begun = begin(wanted)
        return CodeView(target=FileText(path, ""), begun=begun) if begun else None

    def _others(self, folder: Path, text: str, used: Collection[str]) -> list[str]:
        """What the module `text` can use from other files: what it imports, and what the task names."""
        return [*imported_definitions(folder, text, used), *importable(folder, text, self._words)]

    @property
    def _words(self) -> str:
        return f"{self._task.title}\n{self._task.description}"


def compact_tests(cases: Sequence[TestCase]) -> str:
    """The assertions and the statements they need, without imports and repetitions."""
    return "\n".join(dict.fromkeys(line for case in cases for line in case.statements))
