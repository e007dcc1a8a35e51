"""Tests by QA with tools: written as the project writes its tests, where its own suite collects them, and seen to fail.

Examples that the task states become tests by code first; QA adds what they do not say. A test that the developer
disputes comes back into QA's conversation, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pydantic import BaseModel

from agents import TestAssignment
from agents.tools import as_data
from file_system import is_test_path
from llm import Turn
from memory import FailureReason
from orchestrator.coding.conversation import Talk, converse
from orchestrator.coding.state import CodeState, Dispute
from orchestrator.coding.tests_first import draft_tests, examples_of
from orchestrator.coding.tests_judged import NewTests, may_end, plain
from orchestrator.errors import StageFailed
from orchestrator.flow import OwnerAsked, StageContext
from orchestrator.workbench.context import meets
from orchestrator.workbench.protected import not_for_qa
from orchestrator.workbench.tool_bench import Rights
from orchestrator.workbench.tools import AlreadyDone, AskOwner, FinishTests, KeepTest
from orchestrator.workbench.trial import evidence_of

_GOES_ON = partial(Turn, "user")
"""The opening where there is a conversation already."""
_SHOWN = 4000
"""Characters of a diff or of evidence."""
_NAMED = 4500
"""Characters of the code that the task names."""


class Disputed(BaseModel):
    """What QA is shown when a test is disputed."""

    change: str = ""
    """The developer's work so far, as a diff."""
    result: str = ""
    """How the tests of the disputed test's file end with it."""


class Examples(BaseModel):
    """The stated examples, as a test file."""

    file: str = ""
    text: str = ""
    tree: str
    """The files of the base with it."""
    unusable: dict[str, str] = {}


def settle_by_conversation(ctx: StageContext, state: CodeState) -> None:
    """Fill `state` with the tests of QA, and commit them."""
    if state.dispute is not None and not state.dispute.answer:
        _answer(ctx, state, state.dispute)
        return
    if state.test_issues:
        _rework(ctx, state)
        return
    examples = ctx.step("examples as tests", Examples, partial(_examples, ctx, state))
    state.named = ctx.step("code that is named", list[str], ctx.views.named)
    state.examples_file = examples.file
    rights = _rights(ctx, state, examples.tree)
    _settle(ctx, state, _talk(ctx, state, rights, "qa", examples.tree, partial(_opening, ctx, state, examples)))


def _talk(
    ctx: StageContext,
    state: CodeState,
    rights: Rights,
    label: str,
    start: str,
    opening: Callable[[], Turn] = _GOES_ON,
    news: str = "",
) -> Talk:
    """QA's conversation, from the files of `start`; after an answer of the owner from where it asked, with that."""
    if answer := state.take_answer():
        return converse(ctx, ctx.team.qa, rights, label, state.asked_with, opening, answer)
    return converse(ctx, ctx.team.qa, rights, label, start, opening, news)


def _answer(ctx: StageContext, state: CodeState, dispute: Dispute) -> None:
    """QA's answer to a dispute: it keeps the test, or corrects it. It is shown how the developer's work fails it."""
    shown = ctx.step("the disputed work", Disputed, partial(_disputed, ctx, state, dispute))
    news = ctx.team.qa.dispute(dispute.test, dispute.reason, shown.change, shown.result)
    rights = _rights(ctx, state, state.tests_commit, disputed=True)
    talk = _talk(ctx, state, rights, "dispute", state.tests_commit, news=news)
    if talk.conclusion is not None and talk.conclusion.tool == KeepTest.tool:
        dispute.answer = f"QA keeps the test: {talk.conclusion.arguments['reason']}"
        state.disputed = [*state.disputed, dispute.test]  # it cannot be disputed again
        return
    before = state.tests_commit
    _settle(ctx, state, talk)
    correction = ctx.step("the correction", str, partial(ctx.bench.diff, before, state.tests_commit, _SHOWN))
    dispute.answer = f"QA has corrected the tests:\n{correction}"


def _disputed(ctx: StageContext, state: CodeState, dispute: Dispute) -> Disputed:
    if not state.unfinished:
        return Disputed()
    change = ctx.bench.diff(state.unfinished_on, state.unfinished, _SHOWN)
    result = ctx.bench.run(state.unfinished, [dispute.test.partition("::")[0]])
    return Disputed(change=change, result=evidence_of(result)[:_SHOWN] or "it passes")


def _rework(ctx: StageContext, state: CodeState) -> None:
    """Let QA change its tests as the review or a lacking proof asks."""
    issues = as_data("\n".join(f"- {issue}" for issue in state.test_issues))
    news = f"These changes of the tests are asked for:\n{issues}"
    rights = _rights(ctx, state, state.tests_commit)
    _settle(ctx, state, _talk(ctx, state, rights, "rework", state.tests_commit, news=news))
    state.test_issues = []


def _settle(ctx: StageContext, state: CodeState, talk: Talk) -> None:
    end = talk.conclusion
    if end is None:
        raise StageFailed(
            FailureReason.INVALID_OUTPUT,
            f"QA wrote no tests that fail for the right reason ({talk.reason} after {talk.calls} messages)"
            + (f"; it says: {talk.said}" if talk.said else "")
            + (f"; the last run:\n{talk.evidence}" if talk.evidence else ""),
            blocked=True,
        )
    if end.tool == AskOwner.tool:
        raise OwnerAsked(state, f"QA asks: {end.arguments['question']}", talk.tree)
    found = NewTests.model_validate(end.facts)
    if end.tool == AlreadyDone.tool:
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            f"the {len(found.guards)} new tests pass before any code is written: the work seems to be done already. QA "
            f"says: {end.arguments['reason']}. Cancel the task, or say with an example what is still wrong",
            blocked=True,
        )
    said = FinishTests.model_validate(end.arguments)
    state.kind = ctx.task.kind or said.kind.value
    state.brief, state.places = state.brief or said.brief, state.places or _places(talk, said.places, state.named)
    state.benchmark = said.benchmark or state.benchmark
    state.page = said.page or state.page
    state.tests_ids, state.red_ids = sorted([*found.red, *found.guards]), sorted(plain(found.red))
    state.red_count = len(found.red)
    state.changed_tests |= {changed.test: changed.reason for changed in said.changed_tests}
    state.tests_file = next(iter(found.files), "")
    commit = partial(ctx.commits.commit_tests_tree, talk.tree, state.base, state.changed_tests)
    state.tests_commit = state.shown = ctx.step("commit tests", str, commit)
    state.cases, state.hidden, state.proofs = [], [], found.proofs
    ctx.step("settled", bool, partial(_note, ctx, state, found))


def _places(talk: Talk, told: Sequence[str], named: Sequence[str]) -> list[str]:
    """The code that the developer has to see: what QA names, else what it has read; and what it was shown without
    looking, if that is of other files or lines."""
    read = [f"{path}:{first}-{last}" for path, ranges in talk.read.items() for first, last in ranges]
    places = [*told] or [place for place in read if not is_test_path(place.rpartition(":")[0])]
    return places + [place for place in named if not (is_test_path(place.rpartition(":")[0]) or meets(place, places))]


def _note(ctx: StageContext, state: CodeState, found: NewTests) -> bool:
    ctx.note("tests are red", red=len(found.red), already_green=len(found.guards), unfit=0, kind=state.kind)
    if found.proofs:
        ctx.note("proofs", found=[str(proof) for proof in found.proofs])
    if not ctx.task.kind:
        ctx.services.store.tasks.update(ctx.task.id, kind=state.kind)
    return True


# -- how it begins -------------------------------------------------------------------------------------------------


def _examples(ctx: StageContext, state: CodeState) -> Examples:
    cases, unusable = examples_of(ctx, state)
    if cases:
        trial = ctx.bench.trial(state.base, draft_tests(ctx, state, cases))
        holding = {test_id.rsplit("::", 1)[-1] for test_id in trial.passed}
        reason = "it holds already: it may be what is wrong today, or what must stay"
        if already := [case.lines[-1] for case in cases if case.name in holding]:
            unusable |= dict.fromkeys(already, reason)
            ctx.note("examples not used", examples=[f"{line.strip()}: {reason}" for line in already])
        cases = [case for case in cases if case.name not in holding]
    if not cases:
        return Examples(tree=state.base, unusable=unusable)
    file = ctx.bench.new_test_file(state.settled, state.base)
    text = ctx.bench.tests_text(state.settled, file, cases)
    return Examples(file=file, text=text, tree=ctx.bench.tree_with(state.base, {file: text}), unusable=unusable)


def _opening(ctx: StageContext, state: CodeState, examples: Examples) -> Turn:
    assignment = TestAssignment(
        project=ctx.views.project(state.base),
        kind=ctx.task.kind,
        lessons=state.lessons,
        places=ctx.views.places(state.base, state.named, _NAMED),
        examples_file=examples.file,
        examples=examples.text,
        unusable=examples.unusable,
    )
    return ctx.team.qa.begin(ctx.task, assignment)


def _rights(ctx: StageContext, state: CodeState, tree: str, *, disputed: bool = False) -> Rights:
    """`tree` has the file of the examples' tests, which only an answer to a dispute changes."""
    locked = "" if disputed else state.examples_file

    def refusal(path: str) -> str:
        return "its tests were made by code of the task's examples" if path == locked else not_for_qa(path)

    return Rights(
        base=state.base,
        refusal=refusal,
        protected=ctx.services.settings.file_system.protected,
        kept=(tree, (locked,)) if locked else None,
        may_end=partial(may_end, ctx, state, disputed),
        overview=ctx.views.map,
    )
