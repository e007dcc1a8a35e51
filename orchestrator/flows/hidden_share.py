"""A share of the tests that the developer is not shown, so that passing the others by their letter is noticed.

Examples that the task states are in its words and cannot be hidden. The share is run at the final check like all
others; what fails nothing but hidden tests is recorded as overfitted, and its author learns no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.flows.code_state import CodeState
from orchestrator.flows.flow import StageContext
from testing import declared_tests, only_tests

_LEAST = 6
_SHARE = 3
"""Tests from which on some are hidden, and which part of them: every third."""


def hide_some(ctx: StageContext, state: CodeState) -> None:
    """Choose the hidden tests among those of `state`, and lay down the files as the developer sees them."""
    state.hidden = hidden_of(state, _declared(ctx, state))
    state.shown = state.tests_commit
    if state.hidden:
        state.shown = ctx.step("shown tests", str, lambda: _shown(ctx, state))


def hidden_of(state: CodeState, declared: Sequence[str]) -> list[str]:
    """Of the tests, in the order in which they are `declared`, those to be hidden: evenly spread, a third at most."""
    stated = {case.name for case in state.cases if case.origin == "example"}
    possible = [test_id for test_id in declared if test_id.rsplit("::", 1)[-1] not in stated]
    count = min(len(declared) // _SHARE, len(possible)) if len(declared) >= _LEAST else 0
    return [possible[(2 * place + 1) * len(possible) // (2 * count)] for place in range(count)]


def _declared(ctx: StageContext, state: CodeState) -> list[str]:
    """The tests of the task's file; none where they cannot be told apart by reading it."""
    return declared_tests(_text(ctx, state), state.tests_file) if state.tests_file.endswith(".py") else []


def _shown(ctx: StageContext, state: CodeState) -> str:
    ids = set(_declared(ctx, state)) - set(state.hidden)
    text = only_tests(_text(ctx, state), state.tests_file, ids)
    return ctx.bench.tree_with(state.tests_commit, (state.tests_file, text))


def _text(ctx: StageContext, state: CodeState) -> str:
    return ctx.bench.text_of(state.tests_commit, state.tests_file)
