"""`write` and `repair`: whole files or search/replace blocks, written once and then mended from what failed.

For models whose profile says that repairing pays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from llm import TruncatedOutput
from orchestrator.flows.code_state import CodeState
from orchestrator.flows.flow import StageContext
from orchestrator.flows.strategies.strategy import Answer, Standing, Try


@dataclass(frozen=True)
class Rewriting:
    """An answer to the files as they stand, with the evidence against them."""

    name: str
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """One model call, one step."""
        step = f"write {attempt.label}"
        return ctx.step(step, Answer, partial(_write, ctx, state, attempt, step, standing))


def _write(ctx: StageContext, state: CodeState, attempt: Try, step: str, standing: Standing) -> Answer:
    view = replace(
        ctx.views.wide_view(standing.tree, state.settled),
        tests=f"# {state.tests_file}\n{ctx.bench.text_of(state.shown, state.tests_file)}",
        evidence=standing.evidence,
        review="\n".join(f"- {issue}" for issue in state.review_issues),
        fresh_start=attempt.approach > 1 and not standing.evidence,
    )
    try:
        return Answer(text=ctx.developer.write_files(ctx.task, view, ctx.ask(step)))
    except TruncatedOutput as cut:
        return Answer(text=cut.partial, cut=True)
