"""Tests by QA with tools: written as the project writes its tests, where its own suite collects them, and seen to fail.

Examples that the task states become tests by code first; QA adds what they do not say. A test that the developer
disputes comes back into QA's conversation, once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from pydantic import BaseModel, JsonValue

from agents import TestAssignment
from agents.tools import as_data
from file_system import is_test_path
from file_system.syntax import NOT_PYTHON
from llm import Turn
from memory import FailureReason, ProofOutcome, TaskKind
from orchestrator.coding.conversation import Talk, converse
from orchestrator.coding.proofs import lacking
from orchestrator.coding.proofs.speed import unfit_benchmark
from orchestrator.coding.proofs.strength import raised_by
from orchestrator.coding.state import CodeState, Dispute
from orchestrator.coding.tests_first import draft_tests, examples_of
from orchestrator.errors import StageFailed
from orchestrator.flow import OwnerAsked, StageContext
from orchestrator.workbench.context import meets
from orchestrator.workbench.protected import not_for_qa
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import AskOwner, ChangedTest, FinishTests, KeepTest
from orchestrator.workbench.trial import Trial, evidence_of, files_of
from testing import declared_sources, declared_tests, without_claims

PROVEN_BY_TESTS = (TaskKind.FEATURE, TaskKind.BUGFIX)
"""Kinds of work that new tests prove, which fail before it."""
_NO_SUCH_NAME = ("ImportError", "ModuleNotFoundError", "AttributeError")
_MOST_NAMED = 8
_GOES_ON = partial(Turn, "user")
"""The opening where there is a conversation already."""
_SHOWN = 4000
"""Characters of a diff or of evidence."""
_NAMED = 4500
"""Characters of the code that the task names."""


class NewTests(BaseModel):
    """The tests that QA's conversation came to, as code found them."""

    red: list[str] = []
    guards: list[str] = []
    """Tests that pass already."""
    nameless: list[str] = []
    """Those of `red` that fail because a name is not there yet."""
    files: list[str] = []
    """The files with tests that it wrote or changed."""
    proofs: list[ProofOutcome] = []
    """What was found out about tests that are the whole work."""


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
    said = FinishTests.model_validate(end.arguments)
    state.kind = ctx.task.kind or said.kind.value
    state.brief, state.places = state.brief or said.brief, state.places or _places(talk, said.places, state.named)
    state.benchmark = said.benchmark or state.benchmark
    state.page = said.page or state.page
    state.tests_ids, state.red_ids = sorted([*found.red, *found.guards]), sorted(_plain(found.red))
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
        may_end=partial(_may_end, ctx, state, disputed),
        overview=ctx.views.map,
    )


# -- how it ends ---------------------------------------------------------------------------------------------------


def _may_end(
    ctx: StageContext, state: CodeState, disputed: bool, bench: ToolBench, call: BenchTool
) -> dict[str, JsonValue] | str:
    if isinstance(call, KeepTest) and not disputed:
        return "no test is disputed"
    if not isinstance(call, FinishTests):
        return {}
    kind = TaskKind(ctx.task.kind) if ctx.task.kind else call.kind
    files = ctx.bench.changed_tests(state.base, bench.tree)
    if problem := _changed_unnamed(ctx, state, bench.tree, files, call.changed_tests):
        return problem
    if problem := _new_hooks(ctx, state.base, bench.tree):
        return problem
    found = NewTests(files=files)
    if not files and kind in (*PROVEN_BY_TESTS, TaskKind.TESTS):
        return f"no test was written, and work of the kind {kind.value} is proven by tests"
    if files and (problem := _run(ctx, state, bench.tree, call, found) or _unfit_for(kind, found)):
        return problem
    if kind in PROVEN_BY_TESTS and (problem := _without_claims(ctx, bench.tree, found)):
        return problem
    if kind is TaskKind.PERFORMANCE and (
        problem := unfit_benchmark(ctx, state.base, bench.tree, call.benchmark or state.benchmark)
    ):
        return problem
    if kind is TaskKind.TESTS:
        new = [*found.red, *found.guards]
        found.proofs = [raised_by(ctx, state.base, bench.tree, new, ctx.bench.texts_of(bench.tree, files))]
        if problem := lacking(found.proofs):
            return problem
    return found.model_dump(mode="json")


def _new_hooks(ctx: StageContext, base: str, tree: str) -> str:
    """Why changed files of fixtures are refused: with hooks they would decide how tests end, those of others too."""
    changes = [c for c in ctx.bench.changed(base, tree) if c.path.rpartition("/")[2] == "conftest.py"]
    for change in changes:
        old = ctx.bench.text_of(base, change.old_path or change.path)
        if added := sorted(hooks_in(ctx.bench.text_of(tree, change.path)) - hooks_in(old)):
            return (
                f"{change.path} defines {', '.join(added[:_MOST_NAMED])}: hooks decide what is collected and how tests "
                "end, so QA adds only fixtures and helpers there"
            )
    return ""


def hooks_in(text: str) -> set[str]:
    """The names by which a conftest.py changes how pytest works."""
    try:
        tree = ast.parse(text)
    except NOT_PYTHON:
        return set()
    named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    named |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    named |= {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
              for alias in node.names}  # fmt: skip
    return {name for name in named if name.startswith(("pytest_", "collect_ignore"))}


def _run(ctx: StageContext, state: CodeState, tree: str, call: FinishTests, found: NewTests) -> str:
    """Run the tests without the code and note in `found` how the new ones end; or why they are not accepted."""
    trial = Trial.of(ctx.bench.run(tree, found.files), tree)
    if trial.problem and not trial.failures:
        return f"the tests cannot be run: {trial.problem}\n{trial.evidence}"
    known = ctx.bench.baseline(state.base)
    if unread := [note for note in trial.failures if "::" not in note.test_id and note.test_id in known.failed]:
        told = "; ".join(f"{note.test_id}: {note.message}" for note in unread[:_MOST_NAMED])
        return f"these files could not be collected before the work either, so nothing in them is run: {told}"
    before = {*known.passed, *known.failed} - {changed.test for changed in call.changed_tests}
    failures = [failure for failure in trial.failures if failure.test_id not in before]
    if unfit := [f"{failure.test_id}: {failure.message}" for failure in failures if failure.broken]:
        return "these tests fail for a fault of their own, not for the missing work:\n" + "\n".join(unfit[:_MOST_NAMED])
    if broken := sorted({failure.test_id for failure in trial.failures} & before & set(known.passed)):
        return (
            f"existing tests fail that passed before: {', '.join(broken[:_MOST_NAMED])}; name those in changed_tests "
            "that the task makes untrue, and leave the others as they are"
        )
    there_before = _plain(before) - _plain(changed.test for changed in call.changed_tests)
    behind = (test_id for failure in failures for test_id in _ids(ctx, tree, failure.test_id))
    found.red = [test_id for test_id in behind if test_id not in there_before]
    nameless = {failure.test_id for failure in failures if failure.message.startswith(_NO_SUCH_NAME)}
    found.nameless = [test_id for test_id in found.red if {test_id, test_id.partition("::")[0]} & nameless]
    found.guards = [test_id for test_id in trial.passed if test_id not in before]
    if lost := sorted(_plain([*found.red, *found.guards]) - ctx.bench.collected(tree)):
        names = ", ".join(lost[:_MOST_NAMED])
        return f"the project's own suite does not collect {names}: put them where it does, and name them as it does"
    return ""


def _unfit_for(kind: TaskKind, found: NewTests) -> str:
    """Why tests that end like this prove no work of the kind; empty if they do."""
    if kind in PROVEN_BY_TESTS and not found.red:
        return (
            "every new test passes on the code as it is, so none proves the work; if the work is done already, "
            "or no failing test can prove it, say so by its kind or ask the owner"
        )
    may_fail = found.nameless if kind is TaskKind.REFACTORING else []  # what it moves has a new name
    if kind not in (*PROVEN_BY_TESTS, TaskKind.PERFORMANCE) and (wrong := [*set(found.red) - set(may_fail)]):
        red = ", ".join(sorted(wrong)[:_MOST_NAMED])
        return f"these tests fail, but work of the kind {kind.value} changes no behaviour: {red}"
    return ""


def _without_claims(ctx: StageContext, tree: str, found: NewTests) -> str:
    """Why the new tests prove nothing of what the code is to do; empty if one of them claims something. That code which
    is there raises no error is a claim."""
    if set(found.red) - set(found.nameless):
        return ""
    names = {test_id.partition("[")[0] for test_id in found.red}
    texts = ctx.bench.texts_of(tree, [path for path in files_of([*names]) if path.endswith(".py")])
    empty = [test_id for path, text in texts.items() for test_id in without_claims(path, text, names)]
    if names - set(empty):
        return ""
    told = f"these tests would pass whatever the code gives back: {', '.join(empty[:_MOST_NAMED])}"
    return f"{told}; they call it, or look whether a name is there. Assert what the task wants of it"


def _ids(ctx: StageContext, tree: str, name: str) -> list[str]:
    """The tests behind a failure: those that a file declares which cannot be imported without the code."""
    return declared_tests(ctx.bench.text_of(tree, name), name) if "::" not in name else [name]


def _changed_unnamed(
    ctx: StageContext, state: CodeState, tree: str, files: Sequence[str], named: Sequence[ChangedTest]
) -> str:
    """Why the change of existing tests is refused; empty if it is not: only those that QA names may change or go."""
    changes = [
        change for change in ctx.bench.changed(state.base, tree)
        if change.status != "added" and (change.path in files or change.status == "deleted" or change.old_path)
    ]  # fmt: skip
    old = ctx.bench.texts_of(state.base, [change.old_path or change.path for change in changes])
    new = ctx.bench.texts_of(tree, [change.path for change in changes])
    touched: list[str] = []
    for change in changes:
        before = declared_sources(old[change.old_path or change.path], change.path)
        after = declared_sources(new[change.path], change.path)
        touched += [test_id for test_id, source in before.items() if after.get(test_id) != source]
    allowed = _plain([*state.changed_tests, *(changed.test for changed in named)])
    unnamed = [test_id for test_id in touched if test_id not in allowed]
    if not unnamed:
        return ""
    return (
        f"existing tests were changed or removed: {', '.join(unnamed[:_MOST_NAMED])}; put them back, or name those "
        "in changed_tests that the task makes untrue or that you extend, with the reason"
    )


def _plain(test_ids: Iterable[str]) -> set[str]:
    return {test_id.partition("[")[0] for test_id in test_ids}
