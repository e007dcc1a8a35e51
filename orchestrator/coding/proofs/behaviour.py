"""Proofs that work changes nothing that it should not: what code does, how it is called, what no test watches over."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping, Sequence

from file_system import same_but_documentation
from file_system.syntax import NOT_PYTHON
from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, lacks, listed, not_checked
from orchestrator.workbench.sources import is_source, surface_changes
from testing import LinesRun


class NothingRunsDifferently:
    """Documentation changes nothing that a program runs or reads."""

    name = "nothing runs differently"

    def applies(self, work: Work) -> bool:
        return work.state.kind == TaskKind.DOCUMENTATION

    def examine(self, work: Work) -> ProofOutcome:
        old, new = work.old_texts, work.new_texts
        changed = [path for path in work.paths if not same_but_documentation(path, old[path], new[path])]
        if not changed:
            return holds(self.name, f"only texts, comments, docstrings and annotations change in {listed(work.paths)}")
        return lacks(
            self.name,
            f"the work is documentation, but what code does changes in {listed(changed)}; change only texts, comments, "
            "docstrings and annotations",
        )


class PublicSurface:
    """Refactoring keeps every public name, and how it is called."""

    name = "public surface"

    def applies(self, work: Work) -> bool:
        return work.state.kind == TaskKind.REFACTORING

    def examine(self, work: Work) -> ProofOutcome:
        named = {path for change in work.changes for path in (change.path, change.old_path) if path}
        sources = [path for path in named if path.endswith(".py") and is_source(path)]
        if not sources:
            return not_checked(self.name, "no source in Python changes, and others have no surface that is read here")
        with work.ctx.bench.exported(work.before) as before, work.ctx.bench.exported(work.after) as after:
            found = surface_changes(before, after, sources)
        if found.changes:
            return lacks(
                self.name,
                f"the work is refactoring, but the public surface changes: {listed(found.changes)}; keep names and "
                "signatures as they are",
            )
        if found.unread:
            return not_checked(self.name, f"these cannot be read: {listed(found.unread)}")
        return holds(self.name, f"of {listed(found.compared)}")


class TouchedCodeIsTested:
    """What refactoring touches was run by the suite before the work; what was not, QA pins down first."""

    name = "touched code is tested"

    def applies(self, work: Work) -> bool:
        return work.state.kind == TaskKind.REFACTORING and any(
            path.endswith(".py") and is_source(path) for path in work.paths
        )

    def examine(self, work: Work) -> ProofOutcome:
        sources = [change for change in work.changes if change.path.endswith(".py") and is_source(change.path)]
        old, new = work.old_texts, work.new_texts
        touched = {
            change.old_path or change.path: touched_statements(old[change.path], new[change.path]) for change in sources
        }
        run = work.suite.lines_run(work.before, (), work.label) if any(touched.values()) else LinesRun()
        if run.problem:
            return not_checked(self.name, run.problem)
        if untested := _not_run(touched, run):
            return lacks(
                self.name,
                f"the refactoring touches code that no test runs: {listed(untested)} (lines before the work). It needs "
                "tests that pin down what this code does now and that pass before and after",
                by_tests=True,
            )
        added = {change.path: touched_statements(new[change.path], old[change.path]) for change in sources}
        run = work.suite.lines_run(work.after, (), work.label) if any(added.values()) else LinesRun()
        if not run.problem and (untested := _not_run(added, run)):
            return lacks(
                self.name,
                f"no test runs these new lines: {listed(untested)}; a refactoring adds nothing that is not tested",
                by_tests=True,
            )
        number = sum(map(len, touched.values()))
        told = f"all {number} statements that change were run by the suite before"
        return holds(self.name, told if number else "no statement that was there before is changed")


def _not_run(statements: Mapping[str, Sequence[range]], run: LinesRun) -> list[str]:
    """The places of the statements, by path, of which the run executed no line."""
    return [
        f"{path}:{place[0]}" + (f"-{place[-1]}" if len(place) > 1 else "")
        for path, places in statements.items()
        for place in places
        if not run.lines(path) & set(place)
    ]


def touched_statements(before: str, after: str) -> list[range]:
    """The lines of the statements of the module `before` that are changed or gone in `after`; of one with a body only
    its head. Left out is what no run can reach or shows: docstrings, bare annotations, `pass`, imports for types."""
    try:
        places = sorted(_places(ast.parse(before).body), key=len)
    except NOT_PYTHON:
        return []
    lines = before.splitlines()
    matcher = difflib.SequenceMatcher(None, lines, after.splitlines(), autojunk=False)
    found: dict[tuple[int, int], range] = {}
    for what, first, last, *_ in matcher.get_opcodes():
        for line in range(first + 1, last + 1) if what in ("replace", "delete") else ():
            if not lines[line - 1].split("#", 1)[0].strip():
                continue
            place = next((place for place in places if line in place), None)
            if place is not None:
                found[place.start, place.stop] = place
    return [found[key] for key in sorted(found)]


def _places(body: Sequence[ast.stmt]) -> Iterator[range]:
    """The lines of each statement that a run can reach."""
    for node in body:
        inner = [part for field in _BODIES for part in getattr(node, field, ())]
        statements = [one for part in inner for one in ([part] if isinstance(part, ast.stmt) else part.body)]
        if not (_is_silent(node) or _is_for_types(node)):
            decorators = [decorator.lineno for decorator in getattr(node, "decorator_list", ())]
            first = min([node.lineno, *decorators])
            end = min([part.lineno for part in statements], default=(node.end_lineno or node.lineno) + 1)
            yield range(first, max(end, first + 1))
        if not _is_for_types(node):
            yield from _places(statements)


_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


def _is_silent(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Global() | ast.Nonlocal() | ast.AnnAssign(value=None):
            return True
        case _:
            return False


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
