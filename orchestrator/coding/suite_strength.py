"""How strong the accepted tests are, and which cases are missing: after green, before review.

Small faults (mutants) are put into the accepted code. If the tests notice too few of them, further cases are added. If
other solutions exist to check the expected results, code makes the cases from the tests' own calls; otherwise a strong
model is shown the faults and writes the assertions. A case is added if it notices a fault and the code passes it in the
real test run. The owner's tests are measured and left unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from agents import TestCase, missing_case
from file_system.code.outline import touched_functions
from memory import SuiteQuality
from orchestrator.coding.hidden_tests import lay_shown
from orchestrator.coding.method import Method
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.workbench.trial import Trial
from testing import Mutation, MutationTask, declared_tests, mutate

_MOST_ADDED = 3
_MOST_SHOWN = 4
"""Further cases per task, and faults that QA is shown."""


def settle_quality(ctx: StageContext, state: CodeState, method: Method) -> None:
    """Measure the tests of the accepted code, strengthen them once, and record their strength in `state`."""
    least = ctx.services.settings.testing.mutation_score
    if not (least and state.cases):  # tests that a conversation wrote are files, not cases
        return
    found = ctx.step("mutants", Mutation, partial(_examine, ctx, state, method, state.cases))
    weak = found.score is not None and found.score < least
    if weak and not ctx.task.tests and state.quality is None:
        found = _strengthened(ctx, state, method, found)
    state.quality = quality_of(state, found)
    ctx.step("record quality", bool, partial(_record, ctx, state.quality))


def quality_of(state: CodeState, found: Mutation) -> SuiteQuality:
    """The figures of the tests in `state`, with their strength from `found`."""
    by = Counter(case.origin for case in state.cases)
    proposed = by["qa"] + state.dropped_tests
    return SuiteQuality(
        assertions=len(state.cases),
        stated=by["example"],
        agreed=by["qa"],
        properties=by["property"],
        added=by["mutant"],
        given=by["owner"],
        hidden=len(state.hidden),
        agreement=round(by["qa"] / proposed, 3) if proposed else None,
        mutants=found.total,
        killed=found.killed,
    )


def _strengthened(ctx: StageContext, state: CodeState, method: Method, found: Mutation) -> Mutation:
    """Add further cases to `state` and examine the tests again; `found` unchanged if no case helps."""
    cases = _further_cases(ctx, state, found)
    if not cases:
        return found
    tried = ctx.step(
        "mutants with further cases", Mutation, partial(_examine, ctx, state, method, [*state.cases, *cases])
    )
    useful = [case for place, case in enumerate(cases, start=len(state.cases)) if tried.noticed_by(place)]
    if not useful:
        return found
    stronger = [*state.cases, *useful[:_MOST_ADDED]]
    text = ctx.bench.tests_text(state.settled, state.tests_file, stronger)
    ids = sorted({*state.tests_ids, *declared_tests(text, state.tests_file)})
    tests = (state.tests_file, text)
    trial = ctx.step("try further cases", Trial, partial(ctx.bench.with_tests, state.code_commit, tests, ids))
    if not trial.green:
        return found
    state.cases, state.tests_ids = stronger, ids
    state.tests_commit = ctx.step("commit further cases", str, partial(ctx.commits.commit_tests, *tests, state.base))
    lay_shown(ctx, state, "shown tests again")
    state.code_commit = ctx.step(
        "commit code again", str, partial(ctx.commits.commit_code, trial.tree, state.tests_commit)
    )
    if len(useful) <= _MOST_ADDED:
        return tried
    return ctx.step("mutants of the stronger tests", Mutation, partial(_examine, ctx, state, method, state.cases))


def _further_cases(ctx: StageContext, state: CodeState, found: Mutation) -> list[TestCase]:
    """Cases that independent solutions agree on, else assertions of a model that is able to judge."""
    agreed = [
        [*state.cases[told.test].lines[:-1], f"assert {told.call} == {told.expected}"]
        for told in found.distinguishing
        if told.agreed
    ]
    if agreed:
        return [missing_case(state.settled, number, lines) for number, lines in enumerate(agreed, start=1)]
    if not ctx.profile_of(ctx.team.qa).judges or not found.survivors:
        return []
    proposed = ctx.step("missing assertions", list[str], partial(_ask, ctx, state, found))
    return ctx.step("usable missing assertions", list[TestCase], partial(_usable, ctx, state, proposed))


def _usable(ctx: StageContext, state: CodeState, proposed: Sequence[str]) -> list[TestCase]:
    return ctx.team.qa.missing_cases(proposed, state.settled, ctx.bench.sources().imports, state.cases)


def _ask(ctx: StageContext, state: CodeState, found: Mutation) -> list[str]:
    shown = found.survivors[:_MOST_SHOWN]
    return ctx.team.qa.write_missing_assertions(
        ctx.task, state.settled, state.cases, shown, ctx.ask("missing assertions", "qa")
    )


def _examine(ctx: StageContext, state: CodeState, method: Method, cases: Sequence[TestCase]) -> Mutation:
    """How many small faults in what the code commit changed in the target file `cases` notice."""
    if ctx.task.tests and not _stand_alone(declared_tests(ctx.task.tests, state.tests_file), cases):
        return Mutation()
    wanted, path = state.settled, state.settled.target_file
    if not path:
        return Mutation()
    before, after = ctx.bench.text_of(state.tests_commit, path), ctx.bench.text_of(state.code_commit, path)
    touched = touched_functions(before, after) if path.endswith(".py") and wanted.module else []
    if not (touched and cases):
        return Mutation()
    task = MutationTask(
        module=wanted.module,
        source=after,
        functions=sorted(touched, key=lambda name: name not in wanted.symbols),
        tests=[case.lines for case in cases],
        samples=method.other_solutions(ctx, state),
    )
    with ctx.bench.place(state.code_commit) as place:
        return mutate(place, task)


def _stand_alone(test_ids: Sequence[str], cases: Sequence[TestCase]) -> bool:
    """Whether `cases` cover all of the owner's tests: none of these needs a fixture, parameters or a class."""
    names = {case.name for case in cases} | {case.name.rpartition("_")[0] for case in cases}
    return all(test_id.rpartition("::")[2] in names for test_id in test_ids)


def _record(ctx: StageContext, quality: SuiteQuality) -> bool:
    ctx.note("tests measured", **quality.model_dump())
    return True
