"""Tests before code, red for the right reason.

The owner's tests are used as they are. Without any, stated examples become tests by code, and what a model adds must be
agreed upon by independent solutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel

from agents import TestCase, cases_in, contradicting
from git_ops import secrets_in
from memory import FailureReason
from orchestrator.coding.hidden_tests import hide_some
from orchestrator.coding.method import Answer
from orchestrator.coding.property_cases import law_cases
from orchestrator.coding.state import CodeState, Sample
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.small_models.sampling import next_sample, write_definitions
from orchestrator.workbench.trial import Trial
from testing import declared_tests

MOST_DRAFTS = 3
ENOUGH_GOOD_DRAFTS = 2
"""Solutions that must agree: with two that pass every stated example, what both say is right in most cases."""
FURTHER_ASSERTIONS = 5
MOST_RED_CHECKS = 3


class RedCheck(BaseModel):
    """What running the new tests without the code showed."""

    red: list[str]
    guards: list[str]
    """Tests that pass already: they keep what is there from breaking."""
    unfit: dict[str, str]
    """Test names that fail for a reason of their own, with that reason."""
    present: str = ""
    """The wanted function as it is, where it is there."""
    problem: str = ""


def settle_tests(ctx: StageContext, state: CodeState) -> bool:
    """Fill `state` with tests that were seen to be red, committed as QA's commit.

    False when none is red, since the parts that the task was split into have done all of it.
    """
    ctx.use_model("")
    ctx.profile_of(ctx.team.qa)
    if ctx.task.tests:
        state.tests_file, state.cases = ctx.task.tests_file, cases_in(ctx.task.tests)
    elif not state.cases:
        stated = ctx.step("stated examples", list[TestCase], partial(_stated, ctx, state))
        drafts = _draft_solutions(ctx, state, stated) if ctx.profile_of(ctx.developer).small else []
        further = _further(ctx, state, stated, drafts)
        state.cases, state.drafts = [*stated, *further], sorted(drafts, key=lambda draft: not draft.passed)
    if not state.tests_file:
        state.tests_file = ctx.step("name test file", str, lambda: ctx.bench.new_test_file(state.settled))
    if not _see_red(ctx, state):
        return False
    state.tests_commit = ctx.step(
        "commit tests", str, lambda: ctx.bench.commit_tests(state.tests_file, _text(ctx, state), state.base)
    )
    hide_some(ctx, state)
    return True


def _stated(ctx: StageContext, state: CodeState) -> list[TestCase]:
    modules = ctx.bench.sources().imports
    cases = ctx.team.qa.tests_from_examples(ctx.task, state.settled, modules)
    outdated = _outdated(ctx, state, cases)
    return [case for case in cases if case.name not in outdated]


def _outdated(ctx: StageContext, state: CodeState, cases: Sequence[TestCase]) -> set[str]:
    """Names of the examples that tell the bug: of two that contradict each other the one that holds today."""
    groups = contradicting(cases)
    if not groups:
        return set()
    trial = ctx.bench.trial(state.base, None, "", _as_file(ctx, state, cases))
    holding = {test_id.rsplit("::", 1)[-1] for test_id in trial.passed}
    for group in groups:
        if len([case for case in group if case.name not in holding]) != 1:
            said = " and ".join(f"`{case.lines[-1]}`" for case in group)
            raise StageFailed(FailureReason.INVALID_OUTPUT, f"the task contradicts itself: {said}", blocked=True)
    return holding & {case.name for group in groups for case in group}


def _draft_solutions(ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> list[Sample]:
    """Independent solutions, drawn from the task's words alone and tried on the stated examples."""
    drafts: list[Sample] = []
    tests = _as_file(ctx, state, stated)
    for number in range(MOST_DRAFTS):
        name = f"draft {number + 1}"
        answer = ctx.step(name, Answer, partial(_draft, ctx, state, next_sample(ctx, state), name))
        if known := next((draft for draft in drafts if draft.answer == answer.text), None):
            known.given += 1
            continue
        trial = ctx.step(f"try {name}", Trial, partial(ctx.bench.trial, state.base, state.settled, answer.text, tests))
        if trial.applied:
            drafts.append(Sample.of(answer.text, trial))
        if stated and sum(draft.passed for draft in drafts) >= ENOUGH_GOOD_DRAFTS:
            break
    return drafts


def _draft(ctx: StageContext, state: CodeState, number: int, step: str) -> Answer:
    return write_definitions(ctx, state, state.base, number, step)


def _further(
    ctx: StageContext, state: CodeState, stated: Sequence[TestCase], drafts: Sequence[Sample]
) -> list[TestCase]:
    """Assertions of QA, one a test, and the laws the task states. With a small model only those are kept that a
    majority of drafts satisfies; for a law, which the task's own words state, one is enough. Where examples are stated
    it is not asked at all, since such assertions were measured to refuse no answer that passes the examples
    (docs/CODING.md).
    """
    small = ctx.profile_of(ctx.team.qa).small
    voters = [draft for draft in drafts if draft.passed or not stated]
    if small and len(voters) < ENOUGH_GOOD_DRAFTS:
        if not stated:
            raise _nothing_to_test()
        return []
    asked = not (small and stated)
    proposed = ctx.step("further assertions", list[str], partial(_propose, ctx, state, stated)) if asked else []
    own = ctx.step("usable assertions", list[TestCase], partial(_usable, ctx, state, stated, proposed))
    cases = [*own, *law_cases(ctx, state)]
    if small and cases:
        passed = [
            ctx.step(f"vote {number}", list[str], partial(_vote, ctx, state, draft, cases))
            for number, draft in enumerate(voters, start=1)
        ]
        votes = {case.name: sum(case.name in names for names in passed) for case in cases}
        needed = {"property": 1, "qa": len(voters) // 2 + 1}
        cases = [case for case in cases if votes[case.name] >= needed[case.origin]]
        if not stated:
            for draft, names in zip(voters, passed, strict=True):
                _judge(draft, [case for case in cases if case.name not in names])
    state.dropped_tests = len(proposed) - sum(case.origin == "qa" for case in cases)
    if not stated and not cases:
        raise _nothing_to_test()
    return cases


def _propose(ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> list[str]:
    return ctx.team.qa.write_assertions(
        ctx.task, state.settled, stated, FURTHER_ASSERTIONS, ctx.ask("further assertions"), state.lessons
    )


def _usable(ctx: StageContext, state: CodeState, stated: Sequence[TestCase], proposed: Sequence[str]) -> list[TestCase]:
    modules = ctx.bench.sources().imports
    clean = [assertion for assertion in proposed if not secrets_in(assertion)]
    return ctx.team.qa.cases_from_assertions(clean, state.settled, modules, stated, FURTHER_ASSERTIONS)


def _judge(draft: Sample, failed: Sequence[TestCase]) -> None:
    """Note how a draft did that could not be judged before, since there were no tests."""
    draft.passed, draft.missing = not failed, len(failed)
    draft.evidence = "\n".join(f"fails `{case.lines[-1]}`" for case in failed)


def _vote(ctx: StageContext, state: CodeState, draft: Sample, cases: Sequence[TestCase]) -> list[str]:
    """Names of the tests among `cases` that this draft passes."""
    trial = ctx.bench.trial(state.base, state.settled, draft.answer, _as_file(ctx, state, cases))
    return [test_id.rsplit("::", 1)[-1] for test_id in trial.passed]


def _see_red(ctx: StageContext, state: CodeState) -> bool:
    """Run the tests without the code; drop those that fail for a reason of their own; at least one must be red.

    False when none is, and the task's parts are why.
    """
    for number in range(MOST_RED_CHECKS):
        check = ctx.step(f"red check {number + 1}", RedCheck, partial(_red_check, ctx, state))
        if check.problem:
            raise StageFailed(FailureReason.INVALID_OUTPUT, f"the new tests cannot be run: {check.problem}")
        reasons = "; ".join(f"{name}: {why}" for name, why in check.unfit.items())
        if check.unfit and ctx.task.tests:
            problem = f"the tests given with the task fail for a reason of their own: {reasons}"
            raise StageFailed(FailureReason.INVALID_OUTPUT, problem, blocked=True)
        state.cases = [case for case in state.cases if case.name not in check.unfit]
        state.dropped_tests += len(check.unfit)
        if not state.cases and not ctx.task.tests:
            raise StageFailed(FailureReason.INVALID_OUTPUT, f"no usable test is left: {reasons}", blocked=True)
        if not check.unfit:
            break
    if not check.red and ctx.step("done by its parts", bool, partial(_has_parts, ctx)):
        return False
    if not check.red:
        raise StageFailed(
            FailureReason.INVALID_OUTPUT,
            f"all {len(check.guards)} new tests pass before any code is written: the work seems to be done already, "
            "or the task states nothing new",
        )
    state.tests_ids = sorted([*check.red, *check.guards])
    state.red_ids = sorted({test_id.partition("[")[0] for test_id in check.red})
    if check.present:
        state.present = Sample(answer=check.present, passed=False, missing=len(check.red))
    return True


def _has_parts(ctx: StageContext) -> bool:
    return bool(ctx.services.store.list_tasks(parent_id=ctx.task.id, limit=1))


def _red_check(ctx: StageContext, state: CodeState) -> RedCheck:
    trial = ctx.bench.trial(state.base, None, "", (state.tests_file, _text(ctx, state)))
    # How the owner's tests fail is the owner's affair, as long as their file can be read.
    fair = {
        failure.test_id: failure.fair or bool(ctx.task.tests and failure.test_id != state.tests_file)
        for failure in trial.failures
    }
    unfit = {
        failure.test_id.rsplit("::", 1)[-1]: failure.message for failure in trial.failures if not fair[failure.test_id]
    }
    red = [test_id for failed, is_fair in fair.items() if is_fair for test_id in _ids(failed, ctx, state)]
    nothing = "" if trial.passed or trial.failures else "no test was collected"
    problem = trial.problem or nothing if trial.applied else trial.evidence
    ctx.note("tests are red", red=len(red), already_green=len(trial.passed), unfit=len(unfit))
    present = ctx.views.present(state.base, state.settled) if ctx.profile_of(ctx.developer).small else ""
    return RedCheck(red=red, guards=trial.passed, unfit=unfit, present=present, problem=problem)


def _ids(test_id: str, ctx: StageContext, state: CodeState) -> list[str]:
    """The tests behind a failure: all of the file's when it could not even be imported without the code."""
    return declared_tests(_text(ctx, state), state.tests_file) if test_id == state.tests_file else [test_id]


def _as_file(ctx: StageContext, state: CodeState, cases: Sequence[TestCase]) -> tuple[str, str] | None:
    if not cases:
        return None
    path = ctx.bench.draft_file(state.settled)
    return path, ctx.bench.tests_text(state.settled, path, cases)


def _text(ctx: StageContext, state: CodeState) -> str:
    if ctx.task.tests:
        return ctx.task.tests
    return ctx.bench.tests_text(state.settled, state.tests_file, state.cases)


def _nothing_to_test() -> StageFailed:
    return StageFailed(
        FailureReason.INVALID_OUTPUT,
        "no test could be made that independent solutions agree on; state examples in the task, "
        "such as: `name(2)` returns `4`",
        blocked=True,
    )
