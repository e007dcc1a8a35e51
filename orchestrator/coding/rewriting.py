"""`write` and `repair`: whole files or search/replace blocks, written once and then mended from what failed.

For models whose profile says that repairing pays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from llm import ProviderRefused, TruncatedOutput
from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext

_LONGER = 4
"""Times the configured limit that an answer gets which was cut off by it."""


@dataclass(frozen=True)
class Rewriting:
    """An answer to the files as they stand, with the evidence against them."""

    name: str
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """One model call, one step; a second one with room enough when the first was cut off."""
        step = f"write {attempt.label}"
        answer = ctx.step(step, Answer, partial(_write, ctx, state, attempt, step, standing))
        if answer.cut:
            step = f"write {attempt.label} longer"
            answer = ctx.step(step, Answer, partial(_write, ctx, state, attempt, step, standing, _LONGER))
        return answer


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
