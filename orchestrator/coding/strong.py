"""`StrongModels`: the method for models that can judge and repair, but call no tools. It writes once, then repairs from
the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from agents import Requirements, TestCase
from llm import ModelProfile, ProviderRefused, TruncatedOutput
from orchestrator.coding.attempts import make_tests_pass
from orchestrator.coding.method import Answer, Carried, Method, Progress, Standing, Try, apply_file_edits
from orchestrator.coding.state import CodeState
from orchestrator.coding.tests_first import assertions_of, property_cases, settle_tests
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.workbench.trial import Trial

_LONGER = 4
"""Factor on the configured length limit for an answer that the limit had cut off."""


@dataclass(frozen=True)
class Rewriting:
    """`write` and `repair`: whole files or search/replace blocks for the files as they stand, with the evidence against
    them."""

    name: str
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """One model call in one step; a second one with a higher limit if the first was cut off."""
        step = f"write {attempt.label}"
        answer = ctx.step(step, Answer, partial(_write, ctx, state, attempt, step, standing))
        if answer.cut:
            step = f"write {attempt.label} longer"
            answer = ctx.step(step, Answer, partial(_write, ctx, state, attempt, step, standing, _LONGER))
        return answer


class StrongModels:
    """The method for strong models; hooks that only weaker models need do nothing."""

    approaches = 2
    chooses_file = True
    takes_test_issues = False
    runs_tests_often = False

    def suits(self, profile: ModelProfile) -> bool:
        """Every model; methods for certain models are listed before this one."""
        return True

    def settle_tests(self, ctx: StageContext, state: CodeState, qa_method: Method) -> bool:
        """Tests of the owner, or by code and QA's method."""
        return settle_tests(ctx, state, self, qa_method)

    def write_code(self, ctx: StageContext, state: CodeState) -> Progress:
        """Attempts until one is green."""
        return make_tests_pass(ctx, state, self)

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """Nothing: the developer begins once the tests are red."""

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """Assertions of QA, one a test, and the properties that the task states."""
        return [*assertions_of(ctx, state, stated), *property_cases(ctx, state, fast=fast)]

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """Nothing to remember."""

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """A carried-over answer first, then a new one that is repaired."""
        approach = state.earlier + state.turns
        if state.is_carried_over:
            yield Try(0, 1, Carried(state.answer))
        for number in range(1, ctx.services.settings.orchestrator.max_task_attempts + 1):
            yield Try(approach, number, Rewriting("write" if number == 1 else "repair"))

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str) -> str:
        """Whole files and search/replace blocks."""
        return apply_file_edits(root, protected, requirements=requirements, answer=answer)

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """No: the same answer leads to the same failure."""
        return False

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """The tests decide."""
        return trial.green

    def is_far(self, state: CodeState) -> bool:
        """No: how close an answer is, is not known."""
        return False

    def is_hopeless(self, state: CodeState) -> bool:
        """No: only the number of approaches ends its work."""
        return False

    def open_question(self, state: CodeState) -> StageFailed | None:
        """None: its answers fail or land."""
        return None

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """None: it gives one answer at a time."""
        return []


def _write(ctx: StageContext, state: CodeState, attempt: Try, step: str, standing: Standing, longer: int = 1) -> Answer:
    view = replace(
        ctx.views.wide_view(standing.tree, state.settled, state.lessons),
        tests=f"# {state.tests_file}\n{ctx.bench.text_of(state.shown, state.tests_file)}",
        evidence=standing.evidence,
        review="\n".join(f"- {issue}" for issue in state.review_issues),
        earlier_approaches=attempt.approach - 1,
    )
    try:
        return Answer(text=ctx.developer.write_files(ctx.task, view, ctx.ask(step), longer))
    except TruncatedOutput as cut:
        return Answer(text=cut.partial, cut=True)
    except ProviderRefused:
        if longer == 1:
            raise
        return Answer(text="", cut=True)  # more than the model can write
