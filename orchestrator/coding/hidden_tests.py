"""A share of the tests that the developer is not shown, so that code which fits only the shown tests is noticed.

Examples in the task's text cannot be hidden. Hidden tests are run in the final check like all others. An answer that
fails only hidden tests is recorded as overfitted, and its author learns no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from testing import declared_tests, only_tests

_LEAST = 6
_SHARE = 3
"""From this many tests on some are hidden, and which share: every third."""


def hide_some(ctx: StageContext, state: CodeState) -> None:
    """Choose the hidden tests among those of `state`, and store the files as the developer sees them.

    None are hidden if the test file is already in the repository, or if that would hide all red tests.
    """
    found = ctx.step("hidden tests", list[str], lambda: _chosen(ctx, state))
    state.hidden = [] if set(state.red_ids) <= set(found) else found
    lay_shown(ctx, state, "shown tests")


def lay_shown(ctx: StageContext, state: CodeState, step: str) -> None:
    """Store the files with the tests of `state` without its hidden ones."""
    state.shown = ctx.step(step, str, lambda: _shown(ctx, state)) if state.hidden else state.tests_commit


def hidden_of(state: CodeState, declared: Sequence[str]) -> list[str]:
    """The tests to hide, of those in `declared` order: evenly spread, a third at most."""
    stated = {case.name for case in state.cases if case.origin == "example"}
    possible = [test_id for test_id in declared if test_id.rsplit("::", 1)[-1] not in stated]
    count = min(len(declared) // _SHARE, len(possible)) if len(declared) >= _LEAST else 0
    return [possible[(2 * place + 1) * len(possible) // (2 * count)] for place in range(count)]


def _chosen(ctx: StageContext, state: CodeState) -> list[str]:
    if not state.tests_file.endswith(".py") or ctx.bench.text_of(state.base, state.tests_file):
        return []
    text = _text(ctx, state)
    declared = declared_tests(text, state.tests_file)
    hidden = hidden_of(state, declared)
    left = declared_tests(_without(text, state.tests_file, hidden), state.tests_file)
    return [test_id for test_id in hidden if test_id not in left]  # a class that others build on stays whole


def _shown(ctx: StageContext, state: CodeState) -> str:
    text = _without(_text(ctx, state), state.tests_file, state.hidden)
    return ctx.bench.tree_with(state.tests_commit, {state.tests_file: text})


def _without(text: str, file: str, hidden: Sequence[str]) -> str:
    return only_tests(text, file, set(declared_tests(text, file)) - set(hidden))


def _text(ctx: StageContext, state: CodeState) -> str:
    return ctx.bench.text_of(state.tests_commit, state.tests_file)
