"""`recombined`: code searches among changes of a small model's near misses, which costs no tokens.

It finds what no answer came to, or a second way to what a single answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models.search_program import Recombination
from orchestrator.small_models.searching import recombine
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.state import SmallState


@dataclass(frozen=True)
class Recombining:
    """The search over the samples so far."""

    parts: Parts
    name = "recombined"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """What was found, as an answer; None when nothing was, or when it is one of many that differ elsewhere."""
        own = SmallState.of(state)
        found = ctx.step(f"recombine {attempt.label}", Recombination, partial(recombine, ctx, state, self.parts))
        confirms = found.proven and own.is_alone  # what lands means the same as that answer
        if found.code and not (self._is_certain(found, own) or confirms or ctx.task.tests):
            own.ambiguous = max(found.found, own.ambiguous)
            return None
        return Answer(text=f"```python\n{found.code}```") if found.code else None

    def _is_certain(self, found: Recombination, own: SmallState) -> bool:
        """Whether the match stands by itself. Where an earlier search of the task found several ways, what a later one
        comes to says little: there are as many searches as approaches, and one of them finds a single way sooner or
        later.
        """
        certain = found.certain() or not self.parts.certainty
        return certain and not (self.parts.remembering and own.ambiguous)
