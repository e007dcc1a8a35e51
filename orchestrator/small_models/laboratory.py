"""What can be found out about the answers to one task by running them beside each other: all of it in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence

from agents import Requirements, TestCase
from file_system.code.outline import touched_functions
from memory import Task
from orchestrator.services import Services
from orchestrator.small_models.wanted_code import merged_modules, offered_code
from orchestrator.workbench.sources import text_of
from testing import Comparison, ComparisonTask, Mutation, MutationTask, Recombination, RecombinationTask

_RECOMBINING_SECONDS = 7.0


class Laboratory:
    """Searches among answers, compares them, and measures the tests by them."""

    def __init__(self, services: Services, task: Task) -> None:
        self._suite = services.suite
        self._task = task

    def recombine(
        self,
        tests_commit: str,
        requirements: Requirements,
        answers: Sequence[str],
        cases: Sequence[TestCase],
        *,
        present: bool = False,
    ) -> Recombination:
        """Search among changes of `answers` for code that passes `cases`; only a candidate, to be verified.

        With `present` the last answer is the function as it is.
        """
        if not _is_about_a_function(requirements):
            return Recombination()
        task = RecombinationTask(
            module=requirements.module,
            function=requirements.symbols[0],
            samples=self._samples(tests_commit, requirements, answers),
            tests=[case.lines for case in cases],
            seconds=_RECOMBINING_SECONDS,
            present=present,
        )
        return self._suite.recombine(tests_commit, task, self._task.id)

    def compare(
        self, tests_commit: str, requirements: Requirements, answers: Sequence[str], cases: Sequence[TestCase]
    ) -> Comparison:
        """How `answers` differ from the first of them on calls like those of `cases`; empty where code cannot know."""
        if not _is_about_a_function(requirements):
            return Comparison()
        samples = self._samples(tests_commit, requirements, answers)
        if len(samples) < len(answers):
            return Comparison()
        task = ComparisonTask(
            module=requirements.module,
            function=requirements.symbols[0],
            samples=samples,
            tests=[case.lines for case in cases],
        )
        return self._suite.compare(tests_commit, task, self._task.id)

    def mutate(
        self,
        tests_commit: str,
        code_commit: str,
        requirements: Requirements,
        cases: Sequence[TestCase],
        answers: Sequence[str] = (),
    ) -> Mutation:
        """How many small faults in what `code_commit` changed in the target file are noticed by `cases`.

        `answers`: other solutions, asked whether they agree on calls that would notice more.
        """
        path = requirements.target_file
        before, after = self._text(tests_commit, path), self._text(code_commit, path)
        touched = touched_functions(before, after) if path.endswith(".py") and requirements.module else []
        if not (touched and cases):
            return Mutation()
        task = MutationTask(
            module=requirements.module,
            source=after,
            functions=sorted(touched, key=lambda name: name not in requirements.symbols),
            tests=[case.lines for case in cases],
            samples=merged_modules(answers, path, before, requirements.symbols),
        )
        return self._suite.mutate(code_commit, task, self._task.id)

    def _samples(self, tests_commit: str, requirements: Requirements, answers: Sequence[str]) -> list[str]:
        """The code that `answers` offer for the target file as it is in `tests_commit`; not of unreadable ones."""
        path = requirements.target_file
        return offered_code(answers, path, self._text(tests_commit, path), requirements.symbols)

    def _text(self, commit: str, path: str) -> str:
        with self._suite.exported(commit) as (folder, _):
            return text_of(folder, path)


def _is_about_a_function(requirements: Requirements) -> bool:
    return not requirements.further and bool(
        requirements.target_file.endswith(".py") and requirements.module and requirements.symbols
    )
