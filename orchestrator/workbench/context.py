"""What a developer is shown for one task: of the file the work is in, of the files around it, of the tests."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from agents import Begun, CodeView, FileText, Requirements, Surroundings, TestCase
from file_system import AnswerError, code_for, is_javascript, is_test_path
from file_system.code.outline import definition_line, function_in, in_signatures
from memory import Task
from orchestrator.services import Services
from orchestrator.small_models.begun_functions import Wanted, begun_function, resumed_function
from orchestrator.small_models.excerpts import excerpt, plain_excerpt
from orchestrator.workbench.sources import importable, imported_definitions, read_sources, text_of
from orchestrator.workbench.surroundings import surroundings_of

_LONGEST_PRESENT = 4_000
"""Characters of a function that small changes are tried on."""


class Views:
    """The code base as one task's developer sees it, in commits and trees of its worktree."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._suite = services.suite
        self._task = task

    def view(self, treeish: str, requirements: Requirements) -> CodeView:
        """The target file's frame as it is in `treeish`, short enough for a small model."""
        with self._suite.exported(treeish) as (folder, _):
            text = text_of(folder, requirements.target_file)
            if is_javascript(requirements.target_file):
                return CodeView(target=FileText(requirements.target_file, plain_excerpt(text)))
            used = in_signatures(self._words, requirements.symbols)
            others = self._others(folder, text, used)
        return CodeView(target=FileText(requirements.target_file, excerpt(text, requirements.symbols, others, used)))

    def begun_view(self, treeish: str, requirements: Requirements, *, steps: bool) -> CodeView | None:
        """The wanted function begun, with the task as its docstring; None when nothing can be begun."""
        return self._begun(treeish, requirements, partial(begun_function, steps=steps))

    def resumed_view(self, treeish: str, requirements: Requirements, answer: str, seed: int) -> CodeView | None:
        """The wanted function begun as an earlier `answer` begins it; None when there is nothing to resume."""
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

    def _begun(
        self, treeish: str, requirements: Requirements, begin: Callable[[Wanted], Begun | None]
    ) -> CodeView | None:
        path = requirements.target_file
        name = requirements.symbols[0] if requirements.symbols else ""
        if not (path.endswith(".py") and name):
            return None
        with self._suite.exported(treeish) as (folder, _):
            text = text_of(folder, path)
            used = in_signatures(self._words, [name])
            wanted = Wanted(text, name, self._task.title, self._task.description, self._others(folder, text, used))
        begun = begin(wanted)
        return CodeView(target=FileText(path, ""), begun=begun) if begun else None

    def wide_view(self, treeish: str, requirements: Requirements, lessons: str) -> CodeView:
        """The target file and the other files the task names, as they are in `treeish`, and what is around them."""
        words = set(re.findall(r"[\w./-]+", self._words))
        with self._suite.exported(treeish) as (folder, _):
            paths = [path for path in self._services.repository_map(folder).tags if not is_test_path(path)]
            named = [path for path in paths if {path, PurePosixPath(path).name, PurePosixPath(path).stem} & words]
            shown = [requirements.target_file, *(path for path in named if path != requirements.target_file)][:5]
            files = [FileText(path, text_of(folder, path)) for path in shown]
        return CodeView(target=files[0], around=self.surroundings(requirements, lessons), others=files[1:])

    def files_of_code(self) -> int:
        """How many files of code, tests left out, there were before any work on the task."""
        with self._suite.exported(self._base) as (folder, _):
            return sum(not is_test_path(path) for path in self._services.repository_map(folder).tags)

    def surroundings(self, requirements: Requirements, lessons: str) -> Surroundings:
        """What a strong model is told of the repository before the task, as it was before any work on it."""
        with self._suite.exported(self._base) as (folder, _):
            code_map = self._services.repository_map(folder)
            found = surroundings_of(folder, code_map, self._words, [requirements.target_file])
        return replace(found, lessons=lessons)

    def present(self, treeish: str, requirements: Requirements) -> str:
        """The function that is to be changed, as an answer would write it; empty when it is new or long."""
        if not (requirements.target_file.endswith(".py") and requirements.symbols):
            return ""
        with self._suite.exported(treeish) as (folder, _):
            code = function_in(text_of(folder, requirements.target_file), requirements.symbols[0])
        return f"```python\n{code}\n```" if code and len(code) <= _LONGEST_PRESENT else ""

    def compact_tests(self, cases: Sequence[TestCase]) -> str:
        """The assertions with what they need but the imports, one under the other."""
        return "\n".join(dict.fromkeys(line for case in cases for line in case.statements))

    def signatures(self, text: str) -> list[str]:
        """Those of the project's public functions that `text` names, as code."""
        words = set(re.findall(r"\w+", text))
        named = [(name, path) for name, path in sorted(read_sources(self._root).symbols.items()) if name in words]
        return [definition_line(text_of(self._root, path), name) for name, path in named]

    def overview(self, *, small: bool) -> str:
        """The code base in a few thousand characters, from the landing branch's tip."""
        self._services.sync()
        return self._services.overview(small=small, about=self._words)

    def _others(self, folder: Path, text: str, used: Collection[str]) -> list[str]:
        """What there is in other files for the module `text`: its imports, and what the task names."""
        return [*imported_definitions(folder, text, used), *importable(folder, text, self._words)]

    @property
    def _root(self) -> Path:
        return self._services.git.worktree(self._task.id).path

    @property
    def _base(self) -> str:
        return self._services.git.worktree(self._task.id).base_commit

    @property
    def _words(self) -> str:
        return f"{self._task.title}\n{self._task.description}"
