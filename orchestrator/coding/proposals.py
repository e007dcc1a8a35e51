"""Tests beside the stated examples: assertions that QA's model proposes, and properties that the task states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from agents import TestCase, property_tests
from git_ops import secrets_in
from memory import FailureReason
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext

_FURTHER_ASSERTIONS = 5


def assertions_of(
    ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, ask: bool = True
) -> list[TestCase]:
    """The usable assertions of QA's model, one a test; none unless it may be asked. The others count as dropped."""
    proposed = ctx.step("further assertions", list[str], partial(_propose, ctx, state, stated)) if ask else []
    usable = ctx.step("usable assertions", list[TestCase], partial(_usable, ctx, state, stated, proposed))
    state.dropped_tests = len(proposed) - len(usable)
    return usable


def property_cases(ctx: StageContext, state: CodeState, *, fast: bool) -> list[TestCase]:
    """The properties that the task's words state, as tests read by code: at most a few, often none.

    With hypothesis where the project has it, unless the tests must be `fast`.
    """
    return ctx.step("stated laws", list[TestCase], partial(_properties, ctx, state, fast))


def nothing_to_test() -> StageFailed:
    """The end of a task that states nothing a test could check."""
    return StageFailed(
        FailureReason.INVALID_OUTPUT,
        "no test could be made that independent solutions agree on; state examples in the task, "
        "such as: `name(2)` returns `4`",
        blocked=True,
    )


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
