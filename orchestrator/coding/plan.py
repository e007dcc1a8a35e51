"""Which attempts an approach has, in order: by what the model can do, and by what is known of the task."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.coding.method import Strategy, Try, Written
from orchestrator.coding.rewriting import Rewriting
from orchestrator.coding.state import CodeState
from orchestrator.coding.tooling import Tooling
from orchestrator.flow import StageContext
from orchestrator.small_models import agreement
from orchestrator.small_models.recombining import Recombining
from orchestrator.small_models.sampling import Sampling, near

_LARGE = 25
"""Files of code."""
_TOOL_APPROACHES = 2
"""A loop costs what many samples do: after so many approaches a model that can be sampled is."""


def tries(ctx: StageContext, state: CodeState) -> Iterator[Try]:
    """The attempts of the approach that `state.turns` counts. What one of them finds may change what comes next."""
    small, approach = ctx.profile_of(ctx.developer).small, state.turns
    with_tools = approach <= _TOOL_APPROACHES and ctx.profile_of(ctx.developer).tools and _large(ctx)
    if state.answer and not state.review_issues and approach == 1:
        yield Try(0, 1, Written("carried", state.answer))
    drafts = state.drafts[:] if approach == 1 and not state.answer and not state.model else []
    most = ctx.services.settings.orchestrator.max_task_attempts
    for number in range(1, most + 1):
        if number <= len(drafts):
            draft = drafts[number - 1]
            yield Try(state.earlier + approach, number, Written("draft", draft.answer), None if draft.passed else draft)
        else:
            yield Try(state.earlier + approach, number, _strategy(small, with_tools, number))
    if small and near(state) and (agreement.is_alone(state) or not agreement.passing(state)):
        yield Try(state.earlier + approach, most + 1, Recombining())


def _large(ctx: StageContext) -> bool:
    """Whether there is more code than a prompt shows: then it pays to let the developer look for itself."""
    return ctx.step("files of code", int, ctx.views.files_of_code) >= _LARGE


def _strategy(small: bool, with_tools: bool, number: int) -> Strategy:
    if with_tools:
        return Tooling()
    if small:
        return Sampling()
    return Rewriting("write" if number == 1 else "repair")
