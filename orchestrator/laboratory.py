"""What can be found out about the answers to one task by running them beside each other: all of it in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence

from agents import Requirements, TestCase
from memory import Task
from orchestrator.offers import merged_modules, offered_code
from orchestrator.services import Services
from orchestrator.sources import text_of
from orchestrator.touched import touched_functions
from testing import Comparison, ComparisonTask, Mutation, MutationTask, Recombination, RecombinationTask

_RECOMBINING_SECONDS = 7.0


class Laboratory:
    """Searches among answers, compares them, and measures the tests by them."""

    def __init__(self, services: Services, task: Task) -> None:
        self._suite = services.suite
        self._task = task

    def recombine(
        self, tests_commit: str, requirements: Requirements, answers: Sequence[str], cases: Sequence[TestCase]
    ) -> Recombination:
        """Search among changes of `answers` for code that passes `cases`; only a candidate, to be verified."""
        path = requirements.target_file
        if not (path.endswith(".py") and requirements.module and requirements.symbols):
            return Recombination()
        with self._suite.exported(tests_commit) as (folder, _):
            before = text_of(folder, path)
        task = RecombinationTask(
            module=requirements.module,
            function=requirements.symbols[0],
            samples=offered_code(answers, path, before, requirements.symbols),
            tests=[case.lines for case in cases],
            seconds=_RECOMBINING_SECONDS,
        )
        return self._suite.recombine(tests_commit, task, self._task.id)

    def compare(
        self, tests_commit: str, requirements: Requirements, answers: Sequence[str], cases: Sequence[TestCase]
    ) -> Comparison:
        """How `answers` differ from the first of them on calls like those of `cases`; empty where code cannot know."""
        path = requirements.target_file
        if not (path.endswith(".py") and requirements.module and requirements.symbols):
            return Comparison()
        with self._suite.exported(tests_commit) as (folder, _):
            before = text_of(folder, path)
        samples = offered_code(answers, path, before, requirements.symbols)
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
        texts = []
        for commit in (tests_commit, code_commit):
            with self._suite.exported(commit) as (folder, _):
                texts.append(text_of(folder, path))
        touched = touched_functions(*texts) if path.endswith(".py") and requirements.module else []
        if not (touched and cases):
            return Mutation()
        task = MutationTask(
            module=requirements.module,
            source=texts[1],
            functions=sorted(touched, key=lambda name: name not in requirements.symbols),
            tests=[case.lines for case in cases],
            samples=merged_modules(answers, path, texts[0], requirements.symbols),
        )
        return self._suite.mutate(code_commit, task, self._task.id)
