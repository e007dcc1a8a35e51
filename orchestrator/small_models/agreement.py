"""Whether code that passes the tests is right beyond them: independent solutions that pass must mean the same.

A task states few examples, and a small model's code may pass them by chance. What it then does elsewhere differs from
one wrong solution to the next, while right ones agree; so solutions are asked the same further calls, made from the
tests' own. Where they differ, the task is open: the difference is the question that its owner has to answer.
"""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel

from memory import FailureReason
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.small_models import search_program
from orchestrator.small_models.apply import is_one_function, offered_code
from orchestrator.small_models.search_program import Comparison, ComparisonTask
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.state import Sample, SmallState

_ENOUGH = 2
_MAJORITY = 3
"""Answers that must agree when no other differs, and how many times as many as differ when some do."""
_MOST = 6
"""Passing answers after which a task is given up as open."""
_RAISING = 0.2
"""Share of further calls that may be errors with one and values with the other: many are outside of what is asked.

None may be where the tests say what is an error: then the task is about that, too.
"""


class Opinion(BaseModel):
    """What the other solutions say of one."""

    agreeing: int
    """Answers that mean the same, itself included."""
    differing: int = 0
    difference: str = ""
    """A call on which one differs, in words."""

    @property
    def settled(self) -> bool:
        """Whether the solution may land."""
        return self.agreeing >= (_MAJORITY * self.differing or _ENOUGH)


def is_wanted(ctx: StageContext, own: SmallState, strategy: str) -> bool:
    """Whether passing the tests is not enough: the model's own code, and tests that the owner did not write.

    What the search found stands by itself, unless an answer passed that it is to confirm.
    """
    return not ctx.task.tests and (is_own(strategy) or (strategy == "recombined" and own.is_alone))


def is_own(strategy: str) -> bool:
    """Whether an answer of this strategy is as the model gave it, and so a vote on what is right."""
    return strategy in ("draft", "sample")


def opinion(ctx: StageContext, state: CodeState, answer: str, label: str, parts: Parts) -> Opinion:
    """What the passing samples say of `answer`, which passed all tests, too."""
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
    """Whether so many answers passed without agreeing that more of them will not help."""
    return own.passing >= _MOST


def open_question(own: SmallState) -> StageFailed | None:
    """The end of a task whose passing answers do not agree; None when none has passed."""
    if count := own.passing:
        told = "one answer passes every test, but no second one confirms it"
        if own.difference:
            who = f"{count} answers pass" if count > 1 else "one answer and a small change of another one pass"
            told = f"{who} every test and do not mean the same: {own.difference}"
    elif own.ambiguous:
        told = f"no answer passes; {own.ambiguous} small changes of them do, but mean different things"
        told += " or hold lines that no test runs"
    else:
        return None
    say = "say what is right with a further example in the task"
    return StageFailed(FailureReason.REVIEW_REJECTED, f"{told}; {say}", blocked=True)


def _compared(ctx: StageContext, state: CodeState, answers: list[str], parts: Parts) -> Comparison:
    found = _compare(ctx, state, answers, parts)
    ctx.note("answers compared", answers=len(answers), calls=found.asked, difference=max(found.differences, default=""))
    return found


def _compare(ctx: StageContext, state: CodeState, answers: list[str], parts: Parts) -> Comparison:
    """How `answers` differ from the first of them on calls like those of the cases; empty where code cannot know."""
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
        return search_program.compare(place, task)


def _counted(found: Comparison, others: list[Sample], agreeing: int, *, most_raising: float) -> Opinion:
    if not found.asked:  # nothing to ask: no function, no calls
        return Opinion(agreeing=agreeing + sum(sample.given for sample in others))
    differing, difference = 0, ""
    rest = zip(others, found.holds[1:], found.values[1:], found.raising[1:], found.differences[1:], strict=True)
    for sample, holds, values, raising, told in rest:
        if not holds:
            continue
        if not values and raising <= most_raising * found.asked:
            agreeing += sample.given
        else:
            differing, difference = differing + sample.given, difference or told
    return Opinion(agreeing=agreeing, differing=differing, difference=difference)
