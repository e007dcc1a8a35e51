"""Runs the search program on one task's answers in the sandbox: recombines them, or compares what they mean."""

from __future__ import annotations

from collections.abc import Sequence

from agents import Requirements
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models import search_program
from orchestrator.small_models.search_program import Comparison, ComparisonTask, Recombination, RecombinationTask
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.state import SmallState
from orchestrator.small_models.wanted_code import offered_code

_RECOMBINING_SECONDS = 7.0


def recombine(ctx: StageContext, state: CodeState, parts: Parts) -> Recombination:
    """Search among changes of the failed samples for code that passes the cases; only a candidate, to be verified."""
    own, wanted = SmallState.of(state), state.settled
    if not _is_about_a_function(wanted):
        return Recombination()
    answers = [known.answer for known in own.samples if not known.passed]
    task = RecombinationTask(
        module=wanted.module,
        function=wanted.symbols[0],
        samples=_samples(ctx, state, answers, parts),
        tests=[case.lines for case in state.cases],
        seconds=_RECOMBINING_SECONDS,
        present=own.present is not None,  # it comes last
    )
    with ctx.bench.place(state.tests_commit) as place:
        return search_program.recombine(place, task)


def compare(ctx: StageContext, state: CodeState, answers: Sequence[str], parts: Parts) -> Comparison:
    """How `answers` differ from the first of them on calls like those of the cases; empty where code cannot know."""
    wanted = state.settled
    if not _is_about_a_function(wanted):
        return Comparison()
    samples = _samples(ctx, state, answers, parts)
    if len(samples) < len(answers):
        return Comparison()
    task = ComparisonTask(
        module=wanted.module,
        function=wanted.symbols[0],
        samples=samples,
        tests=[case.lines for case in state.cases],
    )
    with ctx.bench.place(state.tests_commit) as place:
        return search_program.compare(place, task)


def _samples(ctx: StageContext, state: CodeState, answers: Sequence[str], parts: Parts) -> list[str]:
    """The code that `answers` offer for the target file as QA's commit has it; not of unreadable ones."""
    path = state.settled.target_file
    return offered_code(answers, path, ctx.bench.text_of(state.tests_commit, path), state.settled.symbols, parts)


def _is_about_a_function(requirements: Requirements) -> bool:
    return not requirements.further and bool(
        requirements.target_file.endswith(".py") and requirements.module and requirements.symbols
    )
