"""The laws that a task states, as tests: read by code, from the task's words and the signatures in the project."""

from __future__ import annotations

from functools import partial

from agents import TestCase, property_tests
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext


def law_cases(ctx: StageContext, state: CodeState) -> list[TestCase]:
    """At most a few, often none. From a small model's task they are to be agreed upon like any further assertion."""
    return ctx.step("stated laws", list[TestCase], partial(_law_cases, ctx, state))


def _law_cases(ctx: StageContext, state: CodeState) -> list[TestCase]:
    text = f"{ctx.task.title}\n{ctx.task.description}"
    # A search among changes runs the tests thousands of times, for which hypothesis is too slow.
    hypothesis = not ctx.profile_of(ctx.developer).small and ctx.bench.has_module(state.base, "hypothesis")
    modules, signatures = ctx.bench.sources().imports, ctx.views.signatures(text)
    return property_tests(text, state.settled, modules, signatures, hypothesis=hypothesis)
