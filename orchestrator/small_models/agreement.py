"""Checks whether code that passes the tests is also right beyond them: independent solutions must behave alike.

A task states few examples, and a small model's code may pass them by chance. Wrong solutions then differ from each
other on other inputs, while right ones agree. So all solutions that pass are called with further arguments, derived
from those in the tests. If the results differ, the task leaves something open, and its owner gets the difference as a
question.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field

from memory import FailureReason
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.small_models import search
from orchestrator.small_models.apply import is_one_function, offered_code
from orchestrator.small_models.state import Parts, Sample, SmallState
from testing import Place, mutation, run_program

_ENOUGH = 2
_MAJORITY = 3
"""`_ENOUGH` answers must agree if none differs; otherwise `_MAJORITY` times as many must agree as differ."""
_MOST = 6
"""Number of passing answers after which the task counts as open."""
_RAISING = 0.2
"""Share of the further calls where one solution may raise while the other returns a value: many such calls are outside
of what the task asks. It is 0 if the tests state an error, since errors are then part of the task.
"""
_COMPARING_SECONDS = 10.0
_LONGEST_DIFFERENCE = 2000


class Opinion(BaseModel):
    """How many other solutions agree with one solution."""

    agreeing: int
    """Number of answers that behave like it, itself included."""
    differing: int = 0
    difference: str = ""
    """A call on which another solution differs, in words."""

    @property
    def settled(self) -> bool:
        """Whether the solution may land."""
        return self.agreeing >= (_MAJORITY * self.differing or _ENOUGH)


class ComparisonTask(BaseModel):
    """What is compared: `samples` (source code) of a `function` of `module`, by `tests` and by calls like theirs."""

    module: str
    function: str
    samples: list[str]
    tests: list[list[str]]


class Comparison(BaseModel):
    """Which samples pass all tests, and how they differ from the first one on further calls.

    Empty when nothing could be compared.
    """

    holds: list[bool] = []
    """For each sample whether it passes every test."""
    asked: int = Field(0, ge=0)
    """Further calls."""
    values: list[int] = []
    """For each sample the calls for which it and the first one give different values."""
    raising: list[int] = []
    """For each sample the calls for which one of the two raises something that the other does not."""
    differences: list[Annotated[str, Field(max_length=_LONGEST_DIFFERENCE)]] = []
    """For each sample one of these calls, in words; empty when there is none."""
    seconds: float = 0.0


def is_wanted(ctx: StageContext, own: SmallState, strategy: str) -> bool:
    """Whether an answer of this strategy needs others that agree with it: the model's own, unless the owner wrote the
    tests.

    A match of the search needs none, except when it is there to confirm the only answer that passed.
    """
    return not ctx.task.tests and (is_own(strategy) or (strategy == "recombined" and own.is_alone))


def is_own(strategy: str) -> bool:
    """Whether an answer of this strategy is the model's own, unchanged: only such answers count as votes."""
    return strategy in ("draft", "sample")


def opinion(ctx: StageContext, state: CodeState, answer: str, label: str, parts: Parts) -> Opinion:
    """Compares `answer`, which passed all tests, with the other samples that did."""
    green = [sample for sample in SmallState.of(state).drafts if sample.passed]
    given = sum(sample.given for sample in green if sample.answer == answer)
    others = [sample for sample in green if sample.answer != answer]
    if not others:
        return Opinion(agreeing=max(given, 1))
    answers = [answer, *(sample.answer for sample in others)]
    found = ctx.step(f"compare {label}", Comparison, partial(_compared, ctx, state, answers, parts))
    errors_stated = any("raises(" in case.lines[-1] for case in state.cases)
    return _counted(found, others, max(given, 1), most_raising=0.0 if errors_stated else _RAISING)


def is_hopeless(own: SmallState) -> bool:
    """Whether so many answers passed without agreeing that further ones will not help."""
    return own.passing >= _MOST


def open_question(own: SmallState) -> StageFailed | None:
    """The failure of a task whose passing answers do not agree; None if none has passed."""
    if count := own.passing:
        problem = "one answer passes every test, but no second one confirms it"
        if own.difference:
            who = f"{count} answers pass" if count > 1 else "one answer and a small change of another one pass"
            problem = f"{who} every test and do not mean the same: {own.difference}"
    elif own.ambiguous:
        problem = f"no answer passes every test; {own.ambiguous} small changes of the answers do, but they differ "
        problem += "on other calls or contain lines that no test runs"
    else:
        return None
    remedy = "add an example to the task that shows what is right"
    return StageFailed(FailureReason.REVIEW_REJECTED, f"{problem}; {remedy}", blocked=True)


def _compared(ctx: StageContext, state: CodeState, answers: list[str], parts: Parts) -> Comparison:
    found = _compare(ctx, state, answers, parts)
    ctx.note("answers compared", answers=len(answers), calls=found.asked, difference=max(found.differences, default=""))
    return found


def _compare(ctx: StageContext, state: CodeState, answers: list[str], parts: Parts) -> Comparison:
    """How `answers` differ from the first one on calls like those in the cases; empty if they cannot be compared."""
    wanted = state.settled
    samples = offered_code(ctx, state, answers, parts) if is_one_function(wanted) else []
    if not samples or len(samples) < len(answers):
        return Comparison()
    task = ComparisonTask(
        module=wanted.module,
        function=wanted.symbols[0],
        samples=samples,
        tests=[case.lines for case in state.cases],
    )
    with ctx.bench.place(state.tests_commit) as place:
        return compare(place, task)


def _counted(found: Comparison, others: list[Sample], agreeing: int, *, most_raising: float) -> Opinion:
    if not found.asked:  # there is no function to call, or no calls to derive: all passing answers count as agreeing
        return Opinion(agreeing=agreeing + sum(sample.given for sample in others))
    differing, difference = 0, ""
    rest = zip(others, found.holds[1:], found.values[1:], found.raising[1:], found.differences[1:], strict=True)
    for sample, holds, values, raising, sample_difference in rest:
        if not holds:
            continue
        if not values and raising <= most_raising * found.asked:
            agreeing += sample.given
        else:
            differing, difference = differing + sample.given, difference or sample_difference
    return Opinion(agreeing=agreeing, differing=differing, difference=difference)


def compare(place: Place, task: ComparisonTask) -> Comparison:
    """Compare on the files of `place`. Raises SandboxUnavailable when nothing may be run."""
    found = run_program(place, [search, mutation], "search.comparing", task, Comparison, _COMPARING_SECONDS)
    lengths = {len(found.holds), len(found.values), len(found.raising), len(found.differences)}
    # What says more about samples than there are was not written by our program.
    return found if lengths == {len(task.samples)} else Comparison()
