"""The life of an analysis task: one agent answers with a typed report, a second one reviews it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agents import Report, Review
from memory import FailureReason, TaskType
from orchestrator.errors import StageFailed
from orchestrator.flow import Done, Flow, FlowState, Next, Outcome, Result, Stage, StageContext


class AnalysisState(FlowState):
    """The report, as it passes through the stages."""

    report: Report | None = None
    calls: int = 0


_APPROACHES = 2
"""Fewer than for code: sampling pays where tests decide, not for reports."""


def answer(ctx: StageContext) -> Outcome:
    """[assigned agent] A report on the repository, checked and corrected by its author."""
    limits = ctx.services.settings.orchestrator
    ranked = ctx.team.by_name(ctx.agent).profile.judges
    context = ctx.step("material", str, partial(ctx.views.overview, ranked=ranked))
    work = ctx.team.by_name(ctx.agent).process_task(
        ctx.task,
        context,
        ctx.ask,
        attempts=limits.max_task_attempts,
        approaches=limits.max_approaches or _APPROACHES,
        step=partial(_as_step, ctx, Report),
        judge=partial(_as_step, ctx, Review),
    )
    if not work.accepted:
        issues = "; ".join(work.review.issues) if work.review else ""
        raise StageFailed(
            FailureReason.INVALID_OUTPUT, f"no report was good enough in {work.calls} calls: {issues}", blocked=True
        )
    return Next("review", AnalysisState(report=work.report, calls=work.calls))


def review(ctx: StageContext) -> Outcome:
    """[the role that reviews its author's, else product] A second agent reviews the report; the verdict is recorded."""
    state = AnalysisState.model_validate(ctx.task.result)
    assert state.report is not None
    reviewer = ctx.team.by_name(ctx.agent)
    if not reviewer.profile.judges:
        return Done(state)
    verdict = ctx.step("review", Review, partial(reviewer.validate_result, ctx.task, state.report, ctx.ask("review")))
    ctx.step("record verdict", bool, partial(ctx.record_review, verdict, 1))
    if not verdict.approved:
        raise StageFailed(FailureReason.REVIEW_REJECTED, "; ".join(verdict.issues) or verdict.reasoning, blocked=True)
    return Done(state)


ANALYSIS_FLOW = Flow(
    TaskType.ANALYSIS, (Stage("answer", None, answer), Stage("review", None, review, seat=1, otherwise="product"))
)


def _as_step(ctx: StageContext, returns: type[Result], name: str, action: Callable[[], Result]) -> Result:
    return ctx.step(name, returns, action)
