"""Whether QA's tests are accepted: new, where the suite collects them, and failing for the right reason."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, JsonValue

from file_system.syntax import NOT_PYTHON
from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs import lacking
from orchestrator.coding.proofs.speed import unfit_benchmark
from orchestrator.coding.proofs.strength import raised_by
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.workbench.tool_bench import BenchTool, ToolBench
from orchestrator.workbench.tools import AlreadyDone, ChangedTest, FinishTests, KeepTest
from orchestrator.workbench.trial import Trial, files_of
from testing import declared_sources, declared_tests, without_claims

PROVEN_BY_TESTS = (TaskKind.FEATURE, TaskKind.BUGFIX)
"""Kinds of work that new tests prove, which fail before it."""
_NO_SUCH_NAME = ("ImportError", "ModuleNotFoundError", "AttributeError")
_MOST_NAMED = 8


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


def may_end(
    ctx: StageContext, state: CodeState, disputed: bool, bench: ToolBench, call: BenchTool
) -> dict[str, JsonValue] | str:
    """What was found out about the tests with which `call` ends QA's conversation, or why it may not end so."""
    if isinstance(call, KeepTest) and not disputed:
        return "no test is disputed"
    if isinstance(call, AlreadyDone):
        if state.tests_ids:
            return "tests of the task have failed already, so there is work to do"
        return _already_done(ctx, state, bench.tree)
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


def _already_done(ctx: StageContext, state: CodeState, tree: str) -> dict[str, JsonValue] | str:
    """The tests which show that the work is done; or why they do not: at least one is new, claims something, and all
    pass on the code as it is."""
    found = NewTests(files=ctx.bench.changed_tests(state.base, tree))
    if not found.files:
        return "no test was written: write those that the task would need, and see how they end"
    if problem := _changed_unnamed(ctx, state, tree, found.files, []) or _new_hooks(ctx, state.base, tree):
        return problem
    if problem := _run(ctx, state, tree, FinishTests(), found):
        return problem
    if found.red:
        return f"these tests fail, so the work is not done: {', '.join(sorted(found.red)[:_MOST_NAMED])}"
    if not found.guards:
        return "no new test ran"
    return _nothing_claimed(ctx, tree, found.guards) or found.model_dump(mode="json")


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
    there_before = plain(before) - plain(changed.test for changed in call.changed_tests)
    behind = (test_id for failure in failures for test_id in _ids(ctx, tree, failure.test_id))
    found.red = [test_id for test_id in behind if test_id not in there_before]
    nameless = {failure.test_id for failure in failures if failure.message.startswith(_NO_SUCH_NAME)}
    found.nameless = [test_id for test_id in found.red if {test_id, test_id.partition("::")[0]} & nameless]
    found.guards = [test_id for test_id in trial.passed if test_id not in before]
    if lost := sorted(plain([*found.red, *found.guards]) - ctx.bench.collected(tree)):
        names = ", ".join(lost[:_MOST_NAMED])
        return f"the project's own suite does not collect {names}: put them where it does, and name them as it does"
    return ""


def _unfit_for(kind: TaskKind, found: NewTests) -> str:
    """Why tests that end like this prove no work of the kind; empty if they do."""
    if kind in PROVEN_BY_TESTS and not found.red:
        return (
            "every new test passes on the code as it is, so none proves the work; if the work is done already, say so "
            "with already_done; if no failing test can prove it, say so by its kind or ask the owner"
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
    return _nothing_claimed(ctx, tree, found.red)


def _nothing_claimed(ctx: StageContext, tree: str, test_ids: Sequence[str]) -> str:
    """Why tests prove nothing, of which none claims anything; empty if one does."""
    names = {test_id.partition("[")[0] for test_id in test_ids}
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
    allowed = plain([*state.changed_tests, *(changed.test for changed in named)])
    unnamed = [test_id for test_id in touched if test_id not in allowed]
    if not unnamed:
        return ""
    return (
        f"existing tests were changed or removed: {', '.join(unnamed[:_MOST_NAMED])}; put them back, or name those "
        "in changed_tests that the task makes untrue or that you extend, with the reason"
    )


def plain(test_ids: Iterable[str]) -> set[str]:
    return {test_id.partition("[")[0] for test_id in test_ids}
