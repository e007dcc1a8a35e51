"""`StrongModels`: the method for models that can judge and repair. It writes once, then repairs from the evidence; on a
code base too large for a prompt it works with tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agents import Requirements, TestCase
from llm import ModelProfile
from orchestrator.coding.method import Answer, Carried, Try
from orchestrator.coding.proposals import assertions_of, property_cases
from orchestrator.coding.rewriting import Rewriting
from orchestrator.coding.state import CodeState
from orchestrator.coding.tool_loop import Tooling, works_with_tools
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.workbench.apply import apply_file_edits
from orchestrator.workbench.trial import Trial


class StrongModels:
    """Every hook that only a weaker model needs does nothing here."""

    approaches = 2
    runs_tests_often = False

    def suits(self, profile: ModelProfile) -> bool:
        """Every model; methods for certain models stand before this one."""
        return True

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """Nothing: the developer begins when the tests are red."""

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """Assertions of QA, one a test, and the properties that the task states."""
        return [*assertions_of(ctx, state, stated), *property_cases(ctx, state, fast=fast)]

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """Nothing to remember."""

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """An answer that was carried over first, then one written anew and repaired, or a loop with tools."""
        approach = state.earlier + state.turns
        with_tools = works_with_tools(ctx, state)
        if state.is_carried_over:
            yield Try(0, 1, Carried(state.answer))
        for number in range(1, ctx.services.settings.orchestrator.max_task_attempts + 1):
            yield Try(approach, number, Tooling() if with_tools else Rewriting("write" if number == 1 else "repair"))

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str, tests: str) -> str:
        """Whole files and search/replace blocks."""
        return apply_file_edits(root, protected, requirements=requirements, answer=answer)

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """No: the same answer leads to the same failure."""
        return False

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """The tests decide."""
        return trial.green

    def is_far(self, state: CodeState) -> bool:
        """Nothing is known of how near an answer is."""
        return False

    def is_hopeless(self, state: CodeState) -> bool:
        """Only the number of approaches ends its work."""
        return False

    def open_question(self, state: CodeState) -> StageFailed | None:
        """None: its answers fail or land."""
        return None

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """None: it gives one answer at a time."""
        return []
