"""`sample`: asks a small model again and again, each time with another view of the task or at another temperature.

Asking it to repair an answer instead never helped in measurements. The first samples are drafts: solutions that it
writes from the task's text alone, before the tests are settled. They vote on proposed tests and are the developer's
first attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from agents import CodeView, Requirements, TestCase
from agents.sampled_developer import SampledDeveloper
from llm import TruncatedOutput
from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.coding.tests_first import assertions_of, draft_tests, property_cases
from orchestrator.flow import StageContext
from orchestrator.small_models.apply import apply_definitions
from orchestrator.small_models.state import Parts, Sample, SmallState
from orchestrator.small_models.views import SampleViews, compact_tests
from orchestrator.workbench.trial import Trial

_MOST_DRAFTS = 3
_ENOUGH_GOOD_DRAFTS = 2
"""Drafts needed for a vote: if two pass every stated example, what both of them do is right in most cases."""


@dataclass(frozen=True)
class _View:
    """What the model is shown for one sample: the task's text and the file, or the wanted function to complete."""

    simple: bool = False
    tests: bool = False
    begun: bool = False
    steps: bool = False


_VIEWS = (
    _View(),
    _View(begun=True),
    _View(simple=True),
    _View(begun=True, steps=True),
    _View(tests=True),
)
"""Used in this order. The first three samples are drawn before there are tests, so their views show none."""


@dataclass(frozen=True)
class Sampling:
    """The next answer in the order of views and temperatures."""

    parts: Parts
    name = "sample"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """One model call, one step."""
        return draw(ctx, state, state.tests_commit, f"write {attempt.label}", self.parts)


def draw(ctx: StageContext, state: CodeState, commit: str, step: str, parts: Parts) -> Answer:
    """The next answer, written for `commit` in a step of this name; no two have the same view, temperature and seed."""
    own, views = SmallState.of(state), _usable_views(ctx, parts)
    number = own.drawn
    if views[number % len(views)].tests and not state.cases:
        number += 1  # without tests, this view would show the same as the first one
    own.drawn = number + 1
    return ctx.step(step, Answer, partial(_write, ctx, state, commit, number, step, parts))


def _write(ctx: StageContext, state: CodeState, commit: str, sample: int, step: str, parts: Parts) -> Answer:
    """Answer number `sample` (from 0) of a small model: the new or changed definitions, written for `commit`.

    The first answers are greedy, one for each view, since more of those come close than of answers at a higher
    temperature. After that, every second answer continues the closest one so far from some statement on.
    """
    views = _usable_views(ctx, parts)
    number, turn = divmod(sample, len(views))
    resumes = parts.resuming and number > 0 and sample % 2 > 0
    texts = []
    for piece in _pieces(ctx, state, single=resumes or views[turn].begun):
        shown = _resumed(ctx, state, commit, sample, piece) if resumes else None
        shown = shown or _code_view(ctx, state, commit, views[turn], piece)
        try:
            developer = SampledDeveloper(ctx.services.llm, ctx.developer.model)
            ask = ctx.ask(step, "developer")
            texts.append(developer.write_definitions(ctx.task, piece, shown, number, ask, parts.seed))
        except TruncatedOutput as cut:
            return Answer(text=cut.partial, cut=True)
    return Answer(text="\n\n".join(texts))


def _usable_views(ctx: StageContext, parts: Parts) -> list[_View]:
    views = _VIEWS if parts.views else _VIEWS[:1]
    return [view for view in views if ctx.profile_of(ctx.developer).continues or not view.begun]


def _pieces(ctx: StageContext, state: CodeState, *, single: bool) -> list[Requirements]:
    """What the model is asked for, one call each: the wanted names of a file. With `single` and tests of the owner, one
    name at a time, since the model can complete only one function in a call."""
    pieces = state.settled.pieces
    if not (single and ctx.task.tests):
        return pieces
    return [piece.model_copy(update={"symbols": [name]}) for piece in pieces for name in piece.symbols] or pieces


def _resumed(ctx: StageContext, state: CodeState, commit: str, sample: int, piece: Requirements) -> CodeView | None:
    """The beginning of one of the closest answers; None if none is close or the model cannot continue a beginning."""
    own = SmallState.of(state)
    near = own.is_near(len(state.tests_ids or state.cases))
    if not (ctx.profile_of(ctx.developer).continues and near) or own.passing:
        return None
    fewest = min(known.missing for known in own.samples)
    closest = [known.answer for known in own.samples if known.missing == fewest]
    return _views_of(ctx).resumed_view(commit, piece, closest[sample // 2 % len(closest)], sample)


def _code_view(ctx: StageContext, state: CodeState, commit: str, view: _View, piece: Requirements) -> CodeView:
    if view.begun and (begun := _views_of(ctx).begun_view(commit, piece, steps=view.steps)):
        return begun
    tests = compact_tests(state.shown_cases) if view.tests else ""
    return replace(_views_of(ctx).view(commit, piece), tests=tests, simple=view.simple)


def _views_of(ctx: StageContext) -> SampleViews:
    return SampleViews(ctx.services, ctx.task)


def draft_solutions(ctx: StageContext, state: CodeState, stated: Sequence[TestCase], parts: Parts) -> None:
    """Draw drafts, run the stated examples on them, and put those that pass first."""
    drafts: list[Sample] = []
    for number in range(1, _MOST_DRAFTS + 1):
        answer = draw(ctx, state, state.base, f"draft {number}", parts)
        if known := next((draft for draft in drafts if draft.answer == answer.text), None):
            known.given += 1
            continue
        trial = ctx.step(f"try draft {number}", Trial, partial(_try, ctx, state, answer.text, stated, parts))
        if trial.applied:
            drafts.append(Sample.of(answer.text, trial))
        if stated and sum(draft.passed for draft in drafts) >= _ENOUGH_GOOD_DRAFTS:
            break
    SmallState.of(state).drafts = _best_first(drafts)


def voted_cases(
    ctx: StageContext, state: CodeState, stated: Sequence[TestCase], parts: Parts, *, fast: bool
) -> list[TestCase]:
    """Assertions of QA that a majority of the drafts passes, one per test, and stated properties that one draft passes.

    One draft is enough for a property, because the task's own words state it. If the task states examples, QA is not
    asked: its assertions rejected no answer that passed the examples in measurements (bench/NOTES.md).
    """
    own = SmallState.of(state)
    voters = [draft for draft in own.drafts if draft.passed or not stated]
    if len(voters) < _ENOUGH_GOOD_DRAFTS:
        return []
    proposed = assertions_of(ctx, state, stated, ask=parts.assertions and not stated)
    cases = [*proposed, *(property_cases(ctx, state, fast=fast) if parts.properties else [])]
    if not cases:
        return []
    passed = [
        ctx.step(f"vote {number}", list[str], partial(_vote, ctx, state, draft, cases, parts))
        for number, draft in enumerate(voters, start=1)
    ]
    votes = {case.name: sum(case.name in names for names in passed) for case in cases}
    needed = {"property": 1, "qa": len(voters) // 2 + 1}
    kept = [case for case in cases if votes[case.name] >= needed[case.origin]]
    state.dropped_tests += sum(case not in kept for case in proposed)
    if not stated:
        for draft, names in zip(voters, passed, strict=True):
            _judge(draft, [case for case in kept if case.name not in names])
        own.drafts = _best_first(own.drafts)
    return kept


def _try(ctx: StageContext, state: CodeState, answer: str, cases: Sequence[TestCase], parts: Parts) -> Trial:
    apply = partial(apply_definitions, requirements=state.settled, answer=answer, parts=parts)
    return ctx.bench.trial(state.base, draft_tests(ctx, state, cases), apply)


def _vote(ctx: StageContext, state: CodeState, draft: Sample, cases: Sequence[TestCase], parts: Parts) -> list[str]:
    """Names of the tests among `cases` that this draft passes."""
    return [test_id.rsplit("::", 1)[-1] for test_id in _try(ctx, state, draft.answer, cases, parts).passed]


def _judge(draft: Sample, failed: Sequence[TestCase]) -> None:
    """Record the result of a draft that could not be judged before, because there were no tests."""
    draft.passed, draft.missing = not failed, len(failed)
    draft.evidence = "\n".join(f"fails `{case.lines[-1]}`" for case in failed)


def _best_first(drafts: Sequence[Sample]) -> list[Sample]:
    return sorted(drafts, key=lambda draft: not draft.passed)
