"""Tests before code, red for the right reason.

The owner's tests are used as they are. If there are none, code turns stated examples into tests, and QA's method adds
more: assertions that QA's model proposes, and properties that the task states.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel

from agents import TestCase, cases_in, contradicting, property_tests
from git_ops import secrets_in
from memory import FailureReason
from orchestrator.baseline import BY_COMMAND
from orchestrator.coding.hidden_tests import hide_some
from orchestrator.coding.method import Method
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from testing import BY_EXIT_CODE, declared_tests

MOST_RED_CHECKS = 3
_FURTHER_ASSERTIONS = 5
_MOST_NAMED = 10
"""Examples, in a line of the activity stream."""


class RedCheck(BaseModel):
    """The result of running the new tests without the code."""

    red: list[str]
    guards: list[str]
    """Tests that pass already: they guard the existing code."""
    unfit: dict[str, str]
    """Names of tests that fail because of a mistake of their own, with that reason."""
    problem: str = ""


def settle_tests(ctx: StageContext, state: CodeState, method: Method, qa_method: Method) -> bool:
    """Fill `state` with tests that were seen to fail, and commit them as QA. `method` is the developer's.

    False if none fails because the parts that the task was split into have done all of the work.
    """
    if ctx.task.tests:
        state.tests_file, state.cases = ctx.task.tests_file, cases_in(ctx.task.tests)
    elif not state.cases:
        stated = ctx.step("stated examples", list[TestCase], partial(_stated, ctx, state))
        method.prepare(ctx, state, stated)
        further = qa_method.further_cases(ctx, state, stated, fast=method.runs_tests_often)
        state.cases = [*stated, *further]
        if not state.cases:
            raise StageFailed(
                FailureReason.INVALID_OUTPUT,
                "no test could be made that independent solutions agree on; state examples in the task, "
                "such as: `name(2)` returns `4`",
                blocked=True,
            )
    if not state.tests_file:
        state.tests_file = ctx.step("name test file", str, lambda: ctx.bench.new_test_file(state.settled, state.base))
    red = _see_red(ctx, state)
    if not red:
        return False
    method.seen_red(ctx, state, red)
    state.tests_commit = ctx.step(
        "commit tests", str, lambda: ctx.commits.commit_tests(state.tests_file, _text(ctx, state), state.base)
    )
    hide_some(ctx, state)
    return True


def assertions_of(
    ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, ask: bool = True
) -> list[TestCase]:
    """The usable assertions of QA's model, one per test; none unless `ask`. The others count as dropped."""
    proposed = ctx.step("further assertions", list[str], partial(_propose, ctx, state, stated)) if ask else []
    usable = ctx.step("usable assertions", list[TestCase], partial(_usable, ctx, state, stated, proposed))
    state.dropped_tests = len(proposed) - len(usable)
    return usable


def property_cases(ctx: StageContext, state: CodeState, *, fast: bool) -> list[TestCase]:
    """The properties that the task states in words, as tests made by code: at most a few, often none.

    They use hypothesis if the project has it, unless the tests must be `fast`.
    """
    return ctx.step("stated laws", list[TestCase], partial(_properties, ctx, state, fast))


def draft_tests(ctx: StageContext, state: CodeState, cases: Sequence[TestCase]) -> tuple[str, str] | None:
    """A test file with `cases` for trying answers (path, text); never committed. None without cases."""
    if not cases:
        return None
    path = ctx.bench.draft_file(state.settled)
    return path, ctx.bench.tests_text(state.settled, path, cases)


def examples_of(ctx: StageContext, state: CodeState) -> tuple[list[TestCase], dict[str, str]]:
    """The stated examples as tests, and those that cannot be tests: the call and the reason. To be used in a step."""
    modules = ctx.bench.sources().imports
    cases = ctx.team.qa.tests_from_examples(ctx.task, state.settled, modules)
    if unusable := ctx.team.qa.unusable_examples(ctx.task, state.settled, modules):
        said = [f"{call}: {reason}" for call, reason in unusable.items()]
        ctx.note("examples not used", examples=[*said[:_MOST_NAMED]])
    outdated = _outdated(ctx, state, cases)
    return [case for case in cases if case.name not in outdated], unusable


def _stated(ctx: StageContext, state: CodeState) -> list[TestCase]:
    return examples_of(ctx, state)[0]


def _outdated(ctx: StageContext, state: CodeState, cases: Sequence[TestCase]) -> set[str]:
    """Names of the examples that describe the bug: of two that contradict each other, the one that holds today."""
    groups = contradicting(cases)
    if not groups:
        return set()
    trial = ctx.bench.trial(state.base, draft_tests(ctx, state, cases))
    holding = {test_id.rsplit("::", 1)[-1] for test_id in trial.passed}
    for group in groups:
        if len([case for case in group if case.name not in holding]) != 1:
            said = " and ".join(f"`{case.lines[-1]}`" for case in group)
            raise StageFailed(FailureReason.INVALID_OUTPUT, f"the task contradicts itself: {said}", blocked=True)
    return holding & {case.name for group in groups for case in group}


def _see_red(ctx: StageContext, state: CodeState) -> int:
    """Run the tests without the code; drop those that fail because of a mistake of their own; at least one must be red.

    The number of red tests; 0 only if the task's parts have made them pass.
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
        return 0
    if not check.red and ctx.bench.project_of(state.tests_file).framework in BY_EXIT_CODE:
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            f"the test script of package.json ends as before with the new tests in {state.tests_file}, so it does not "
            "seem to run them: let it take the files that it is given (its arguments are added at its end) or all in "
            f"their folder, or {BY_COMMAND}",
            blocked=True,
        )
    if not check.red:
        raise StageFailed(
            FailureReason.INVALID_OUTPUT,
            f"all {len(check.guards)} new tests pass before any code is written: the work seems to be done already, "
            "or the task states nothing new",
        )
    state.tests_ids = sorted([*check.red, *check.guards])
    state.red_ids = sorted({test_id.partition("[")[0] for test_id in check.red})
    return len(check.red)


def _has_parts(ctx: StageContext) -> bool:
    return bool(ctx.services.store.tasks.select(parent_id=ctx.task.id, limit=1))


def _red_check(ctx: StageContext, state: CodeState) -> RedCheck:
    trial = ctx.bench.trial(state.base, (state.tests_file, _text(ctx, state)))
    # The owner's tests may fail in any way, as long as their file can be read.
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
    return RedCheck(red=red, guards=trial.passed, unfit=unfit, problem=problem)


def _ids(test_id: str, ctx: StageContext, state: CodeState) -> list[str]:
    """The tests behind a failure: all tests of the file if it cannot be imported without the code."""
    return declared_tests(_text(ctx, state), state.tests_file) if test_id == state.tests_file else [test_id]


def _text(ctx: StageContext, state: CodeState) -> str:
    if ctx.task.tests:
        return ctx.task.tests
    return ctx.bench.tests_text(state.settled, state.tests_file, state.cases)


def _propose(ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> list[str]:
    return ctx.team.qa.write_assertions(
        ctx.task, state.settled, stated, _FURTHER_ASSERTIONS, ctx.ask("further assertions"), state.lessons
    )


def _usable(ctx: StageContext, state: CodeState, stated: Sequence[TestCase], proposed: Sequence[str]) -> list[TestCase]:
    modules = ctx.bench.sources().imports
    clean = [assertion for assertion in proposed if not secrets_in(assertion)]
    return ctx.team.qa.cases_from_assertions(clean, state.settled, modules, stated, _FURTHER_ASSERTIONS)


def _properties(ctx: StageContext, state: CodeState, fast: bool) -> list[TestCase]:
    text = f"{ctx.task.title}\n{ctx.task.description}"
    hypothesis = not fast and ctx.bench.has_module(state.base, "hypothesis")
    modules, signatures = ctx.bench.sources().imports, ctx.views.signatures(text)
    return property_tests(text, state.settled, modules, signatures, hypothesis=hypothesis)
