"""What tests are worth that are the whole work: they have to run what no test ran, or to notice what none noticed."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from file_system.syntax import NOT_PYTHON
from memory import ProofOutcome
from orchestrator.coding.proofs.proof import holds, lacks, listed, not_checked
from orchestrator.flow import StageContext
from orchestrator.workbench.sources import is_source
from testing import InvalidSelection, LinesRun
from testing.mutation.operators import Function, header, mutants, omissions, spread

_NAME = "tests raise something"
_MOST_MUTANTS = 20
_MUTANT_SECONDS = 120.0
"""Faults that are tried, and the time for all of them."""
_MOST_SHOWN, _SHOWN = 4, 160
"""Faults that QA is shown, and characters of a statement in them."""
_NOTHING_RUN = "the new tests run none of the project's functions; test what the task is about"
_ELSEWHERE = re.compile(r"\b(?:subprocess|multiprocessing|pexpect|os\.system)\b")
"""Tests that name these may run the code in another process, where no lines are noted."""


@dataclass(frozen=True)
class Fault:
    """A small fault in one statement."""

    path: str
    text: str
    """The whole module with it."""
    told: str


def raised_by(
    ctx: StageContext, base: str, tree: str, test_ids: Sequence[str], texts: Mapping[str, str]
) -> ProofOutcome:
    """What the new tests `test_ids` of `tree` add to the suite of the commit `base`. `texts`: their files."""
    try:
        new = ctx.services.suite.lines_run(
            tree, sorted({test_id.partition("[")[0] for test_id in test_ids}), ctx.task.id
        )
    except InvalidSelection:  # names that cannot be given on a command line
        new = ctx.services.suite.lines_run(tree, sorted(texts), ctx.task.id)
    if new.problem:
        return not_checked(_NAME, new.problem)
    sources = [path for path in new.arcs if is_source(path)]
    found = _compared(ctx, base, tree, test_ids, new, sources) if sources else lacks(_NAME, _NOTHING_RUN)
    if found.outcome == "lacks" and any(_ELSEWHERE.search(text) for text in texts.values()):
        return not_checked(_NAME, "the tests run the code in processes of their own, where no lines are noted")
    return found


def _compared(
    ctx: StageContext, base: str, tree: str, test_ids: Sequence[str], new: LinesRun, sources: Sequence[str]
) -> ProofOutcome:
    """What the tests run for the first time, or else notice for the first time."""
    old = ctx.services.suite.lines_run(base, (), ctx.task.id)
    if old.problem:
        return not_checked(_NAME, old.problem)
    lines = [f"{path}:{line}" for path in sources for line in sorted(new.lines(path) - old.lines(path))]
    ways = [
        f"{path}, line {first} to {last}"
        for path in sources
        for first, last in sorted(new.arcs[path] - old.arcs.get(path, set()))
    ]
    if lines:
        return holds(_NAME, f"{len(lines)} lines are run for the first time: {listed(lines)}")
    if ways:
        return holds(_NAME, f"branches are taken for the first time: {listed(ways)}")
    return _noticed(ctx, base, tree, test_ids, new, sources)


def _noticed(
    ctx: StageContext, base: str, tree: str, test_ids: Sequence[str], new: LinesRun, sources: Sequence[str]
) -> ProofOutcome:
    """Whether the new tests notice a fault that the suite lets live."""
    begun, tried, missed = time.monotonic(), 0, list[str]()
    old = ctx.bench.texts_of(base, sources)
    files = sorted({test_id.partition("::")[0] for test_id in test_ids})
    for fault in _faults({path: old[path] for path in sources}, new):
        if tried >= _MOST_MUTANTS or time.monotonic() - begun > _MUTANT_SECONDS:
            break
        tried += 1
        if ctx.bench.notices(tree, {fault.path: fault.text}, files):
            if not ctx.bench.notices(base, {fault.path: fault.text}):
                return holds(_NAME, f"a fault is noticed that the suite let live: {fault.told}")
        else:
            missed.append(fault.told)
    if not tried:
        return lacks(_NAME, _NOTHING_RUN)
    told = (
        "the new tests run no line and no way through the code that the suite did not run before, and of "
        f"{tried} small faults they notice none that it let live"
    )
    told += f"; these they let live, too: {'; '.join(missed[:_MOST_SHOWN])}" if missed else ""
    return lacks(_NAME, f"{told}. Test what no test tests yet, or assert more")


def _faults(texts: Mapping[str, str], run: LinesRun) -> Iterator[Fault]:
    """Small faults in the statements that the run executed, spread over files and kinds."""
    waiting = [faults_in(path, text, run.lines(path)) for path, text in texts.items()]
    while waiting:
        for each in list(waiting):
            fault = next(each, None)
            if fault is None:
                waiting.remove(each)
            else:
                yield fault


def faults_in(path: str, text: str, executed: set[int]) -> Iterator[Fault]:
    """Small faults in the statements of a module that a run executed within functions."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return
    functions = [node for node in ast.walk(module) if isinstance(node, Function) and _is_called(node, executed)]
    modules = {
        alias.asname or alias.name for node in ast.walk(module) if isinstance(node, ast.Import) for alias in node.names
    }
    found = [
        mutant
        for function in functions
        for mutant in (*mutants(function), *omissions(function, modules))
        if mutant.line in executed
    ]
    seen = {ast.unparse(module)}
    for mutant in spread(found):
        before = header(mutant.statement)
        old = mutant.change.make()
        try:
            faulty = ast.unparse(module)
            after = "pass" if mutant.operator == "statement" else header(mutant.statement)
        except (ValueError, AttributeError, RecursionError):
            continue
        finally:
            mutant.change.undo(old)
        if faulty not in seen:
            seen.add(faulty)
            change = f"`{before[:_SHOWN]}` becomes `{after[:_SHOWN]}`"
            yield Fault(path, faulty, f"{path}:{mutant.line} {change}")


def _is_called(function: Function, executed: set[int]) -> bool:
    """Whether a run executed lines of the body, and not just the definition."""
    first = function.body[0].lineno
    return any(first <= line <= (function.end_lineno or first) for line in executed)
