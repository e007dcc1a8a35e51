"""The tech lead's view of a verified change: by a conversation with tools, or by one structured answer."""

from __future__ import annotations

from functools import partial

from pydantic import JsonValue

from agents import Review, ReviewAssignment
from llm import Turn
from memory import TaskKind
from orchestrator.coding.conversation import converse
from orchestrator.coding.proofs import needs_code
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.workbench.tabulated import tabulated
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import MoreTools, VerdictTool
from orchestrator.workbench.trial import files_of

_TESTS_CHARACTERS = 8000
_SMALL = 12_000
"""Characters of a change that can be judged from what is shown of it, so that no tool is described to its reviewer."""


def review_of(ctx: StageContext, state: CodeState) -> Review:
    """The model's verdict. A reviewer that gives none in its conversation is asked for a plain one."""
    lead = ctx.team.tech_lead
    if ctx.profile_of(lead).tools:
        shown = len(_diff(ctx, state)) + len(_tests(ctx, state))
        first = (MoreTools.tool, VerdictTool.tool) if shown < _SMALL else ()
        rights = Rights(base=state.code_commit, first=first, may_end=_may_end, overview=ctx.views.map)
        opening = partial(_opening, ctx, state)
        news = _again(ctx, state) if state.review_rounds or state.landing_rounds else ""
        talk = converse(ctx, lead, rights, "review", state.code_commit, opening, news)
        if talk.conclusion is not None:
            return Review.model_validate(talk.conclusion.arguments)
    return ctx.step("review", Review, lambda: _plain_review(ctx, state))


def _may_end(_bench: ToolBench, call: BenchTool) -> dict[str, JsonValue] | str:
    review = Review.model_validate(call.model_dump())
    named = review.issues or review.test_issues
    return {} if review.approved or named else "a rejection needs its issues: what must change"


def _opening(ctx: StageContext, state: CodeState) -> Turn:
    return ctx.team.tech_lead.begin(ctx.task, _assignment(ctx, state))


def _assignment(ctx: StageContext, state: CodeState) -> ReviewAssignment:
    diff = _diff(ctx, state)
    return ReviewAssignment(
        diff=diff,
        report=_report(state),
        proofs=_told(ctx, state, diff),
        summary=state.summary,
        tests=_tests(ctx, state),
        changed_tests=state.changed_tests,
    )


def _again(ctx: StageContext, state: CodeState) -> str:
    def told() -> str:
        return ctx.team.tech_lead.review_again(_assignment(ctx, state))

    return ctx.step("what changed", str, told)


def _tests(ctx: StageContext, state: CodeState) -> str:
    """QA's change; empty where it is the whole change."""
    return ctx.bench.diff(state.base, state.tests_commit, _TESTS_CHARACTERS) if needs_code(state.kind) else ""


def _diff(ctx: StageContext, state: CodeState) -> str:
    return ctx.commits.diff(state.tests_commit if needs_code(state.kind) else state.base, state.code_commit)


def _report(state: CodeState) -> str:
    report = f"{len(state.tests_ids)} new tests pass, and the {state.suite_size} of the suite that passed before."
    if not state.tests_ids:
        report = f"There are no new tests; all {state.suite_size} of the suite pass that passed before."
    if state.red_ids:
        report += f" {state.red_count or len(state.red_ids)} of the new ones failed before the change."
    if state.kind and state.kind not in (TaskKind.FEATURE, TaskKind.BUGFIX):
        report += (
            f" It was done as work of the kind {state.kind}; reject it if the task asks for more than that proves."
        )
    if state.failing_before:
        report += f" {state.failing_before} others failed before the work already; they are not judged."
    return report


def _told(ctx: StageContext, state: CodeState, diff: str) -> str:
    """What was found out about the proofs of the kind of work and the new code, and the benchmark that was timed."""
    found = "\n".join(f"- {proof}" for proof in (*state.proofs, _table(ctx, state, diff)) if proof)
    return f"{found}\n\nThe benchmark:\n{state.benchmark}" if found and state.benchmark else found


def _table(ctx: StageContext, state: CodeState, diff: str) -> str:
    if not needs_code(state.kind):
        return ""
    added = [line[1:] for line in diff.split("\n") if line.startswith("+")]
    tests = [ctx.services.suite.text_of(state.tests_commit, path) for path in files_of(state.tests_ids)]
    return tabulated("\n".join(added), tests, f"{ctx.task.title}\n{ctx.task.description}")


def _plain_review(ctx: StageContext, state: CodeState) -> Review:
    diff = _diff(ctx, state)
    return ctx.team.tech_lead.review_change(ctx.task, diff, _report(state), _told(ctx, state, diff), ctx.ask("review"))
