"""`recombined`: code searches among changes of a small model's near misses, which costs no tokens.

It finds what no answer came to, or a second way to what a single answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models import agreement
from orchestrator.small_models.search_program import Recombination


@dataclass(frozen=True)
class Recombining:
    """The search over the samples so far."""

    name = "recombined"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """What was found, as an answer; None when nothing was, or when it is one of many that differ elsewhere."""
        found = ctx.step(f"recombine {attempt.label}", Recombination, partial(_recombine, ctx, state))
        confirms = found.proven and agreement.is_alone(state)  # what lands has to mean the same as that answer
        if found.code and not (_is_certain(found, state) or confirms or ctx.task.tests):
            state.ambiguous = max(found.found, state.ambiguous)
            return None
        return Answer(text=f"```python\n{found.code}```") if found.code else None


def _is_certain(found: Recombination, state: CodeState) -> bool:
    """Whether the find stands by itself. Where an earlier search of the task found several ways, what a later one comes
    to says little: there are as many searches as approaches, and one of them finds a single way sooner or later.
    """
    return found.certain() and not state.ambiguous


def _recombine(ctx: StageContext, state: CodeState) -> Recombination:
    answers = [known.answer for known in state.samples if not known.passed]
    present = state.present is not None  # it comes last
    return ctx.laboratory.recombine(state.tests_commit, state.settled, answers, state.cases, present=present)
