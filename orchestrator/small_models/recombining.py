"""`recombined`: code searches among changes of a small model's near misses, which costs no tokens.

It finds what no answer came to, or a second way to what a single answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models import search_program
from orchestrator.small_models.apply import is_one_function, offered_code
from orchestrator.small_models.search_program import Recombination, RecombinationTask
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.state import SmallState

_SECONDS = 7.0


@dataclass(frozen=True)
class Recombining:
    """The search over the samples so far."""

    parts: Parts
    name = "recombined"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """What was found, as an answer; None when nothing was, or when it is one of many that differ elsewhere."""
        own = SmallState.of(state)
        found = ctx.step(f"recombine {attempt.label}", Recombination, partial(_recombine, ctx, state, self.parts))
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


def _recombine(ctx: StageContext, state: CodeState, parts: Parts) -> Recombination:
    """Search among changes of the failed samples for code that passes the cases; only a candidate, to be verified."""
    own, wanted = SmallState.of(state), state.settled
    if not is_one_function(wanted):
        return Recombination()
    task = RecombinationTask(
        module=wanted.module,
        function=wanted.symbols[0],
        samples=offered_code(ctx, state, [known.answer for known in own.samples if not known.passed], parts),
        tests=[case.lines for case in state.cases],
        seconds=_SECONDS,
        present=own.present is not None,  # it comes last
    )
    with ctx.bench.place(state.tests_commit) as place:
        return search_program.recombine(place, task)
