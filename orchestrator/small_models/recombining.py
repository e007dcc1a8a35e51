"""`recombined`: code searches among changes of a small model's near misses, which costs no tokens.

It finds what no answer came to, or a second way to what a single answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, Field

from monitoring import get_logger
from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models import search
from orchestrator.small_models.apply import is_one_function, offered_code
from orchestrator.small_models.state import Parts, SmallState
from testing import MOST_RESULT_BYTES, Place, mutation, run_program

_log = get_logger(__name__)

_SECONDS = 7.0


class RecombinationTask(BaseModel):
    """What is searched: a `function` (or `Class.method`) of `module`, from `samples` (source), that passes `tests`.

    A test is the lines of its body. `seconds` bound the search. With `present` the last sample is the function as it is
    before the work.
    """

    module: str
    function: str
    samples: list[str]
    tests: list[list[str]]
    seconds: float
    present: bool = False


class Recombination(BaseModel):
    """What came of it: `code` (empty when nothing passes all), candidates tried, tests passed by the best, and all."""

    code: str = Field("", max_length=MOST_RESULT_BYTES)
    tried: int = Field(0, ge=0)
    best: int = Field(0, ge=0)
    of: int = Field(0, ge=0)
    found: int = Field(0, ge=0)
    """Solutions that pass all tests; `code` is one of them."""
    agreeing: int = Field(0, ge=0)
    """Of these, how many answer further calls as `code` does, itself included."""
    proven: bool = False
    """Whether the tests run every line of `code`, but for those of the function as it is."""
    seconds: float = 0.0

    def certain(self) -> bool:
        """Whether `code` is the only way found to pass these tests, and all of it is needed for that: what no test
        runs, nobody asked for. A sample that passes as it is was found by no search (`found` is 0)."""
        return self.agreeing == self.found and (self.proven or not self.found)


def recombine(place: Place, task: RecombinationTask) -> Recombination:
    """Search among changes of solutions that nearly work for one that passes all tests, on the files of `place`.

    What it finds is only a candidate: it was judged by code that ran beside the candidates. Raises SandboxUnavailable
    when nothing may be run.
    """
    found = run_program(place, [search, mutation], "search", task, Recombination, task.seconds)
    _log.info(
        "solutions recombined", function=task.function, samples=len(task.samples), found=bool(found.code),
        tried=found.tried, best=found.best, of=found.of, all=found.found, agreeing=found.agreeing,
        proven=found.proven, seconds=round(found.seconds, 2),
    )  # fmt: skip
    return found


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
        return recombine(place, task)
