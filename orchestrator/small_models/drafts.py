"""Drafts: independent solutions that the model writes from the task's text alone, before the tests are settled.

They vote on proposed tests and are the developer's first attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from agents import TestCase
from orchestrator.coding.state import CodeState
from orchestrator.coding.tests_first import assertions_of, draft_tests, property_cases
from orchestrator.flow import StageContext
from orchestrator.small_models.apply import apply_definitions
from orchestrator.small_models.sampling import draw
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.state import Sample, SmallState
from orchestrator.workbench.trial import Trial

_MOST_DRAFTS = 3
_ENOUGH_GOOD_DRAFTS = 2
"""Drafts needed for a vote: if two pass every stated example, what both of them do is right in most cases."""


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
    asked: its assertions rejected no answer that passed the examples in measurements (docs/CODING.md).
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
