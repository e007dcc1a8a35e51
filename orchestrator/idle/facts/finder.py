"""Looks a tree over for facts: what can be read is read, what must be run is run in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from pydantic import BaseModel

from agents import Fact, FactKind
from orchestrator.engine.failures import typed_failures
from orchestrator.errors import StageFailed
from orchestrator.idle.facts.failing import failing_tests
from orchestrator.idle.facts.reading import missing_docstrings, todo_comments, untested_functions
from orchestrator.suite import Suite
from orchestrator.workbench.sources import is_source
from testing import CHECKERS, Checked, Finding

RUNNING = frozenset({FactKind.FAILING_TESTS, FactKind.TYPES, FactKind.LINT})
"""Kinds for which code of the repository, or chosen by it, has to run."""
_LABEL = "facts"
_MOST_OF_A_KIND = 200


class Found(BaseModel):
    """What was found, in the order of its kinds, and what could not be looked at."""

    facts: list[Fact] = []
    notes: list[str] = []


class FactFinder:
    """Finds facts in trees of one project."""

    def __init__(self, suite: Suite, *, may_run: bool) -> None:
        """`may_run`: whether code of the repository may be run (in the sandbox)."""
        self._suite = suite
        self._may_run = may_run

    def find(self, treeish: str, kinds: Collection[FactKind]) -> Found:
        """The facts of `kinds` in a commit or tree; a kind that cannot be looked at is a note."""
        found = Found()
        for kind in FactKind:
            if kind not in kinds:
                continue
            if kind in RUNNING and not self._may_run:
                found.notes.append(f"{kind}: not looked at, since nothing may be run before you approve it")
                continue
            try:
                facts = typed_failures(partial(self._of_kind, kind, treeish, found.notes))
            except StageFailed as problem:
                found.notes.append(f"{kind}: {problem.detail.splitlines()[0]}")
                continue
            if len(facts) > _MOST_OF_A_KIND:
                found.notes.append(f"{kind}: the first {_MOST_OF_A_KIND} of {len(facts)}")
            found.facts += facts[:_MOST_OF_A_KIND]
        return found

    def _of_kind(self, kind: FactKind, treeish: str, notes: list[str]) -> list[Fact]:
        match kind:
            case FactKind.FAILING_TESTS:
                baseline = self._suite.baseline(treeish, _LABEL)
                with self._suite.exported(treeish) as (folder, _):
                    return failing_tests(folder, baseline)
            case FactKind.TYPES | FactKind.LINT:
                checkers = [checker.name for checker in CHECKERS.values() if checker.finds == kind.value]
                return [fact for checker in checkers for fact in self._checked(kind, treeish, checker, notes)]
            case FactKind.UNCOVERED:
                checked = self._suite.check(treeish, "coverage", _LABEL) if self._may_run else None
                if checked and checked.problem:
                    notes.append(f"{kind}: by names only, since {checked.problem}")
                executed = set(checked.executed) if checked and not checked.problem else None
                with self._suite.exported(treeish) as (folder, _):
                    return untested_functions(folder, executed)
            case FactKind.TODO | FactKind.DOCSTRINGS:
                look: Callable[..., list[Fact]] = todo_comments if kind is FactKind.TODO else missing_docstrings
                with self._suite.exported(treeish) as (folder, _):
                    return look(folder)

    def _checked(self, kind: FactKind, treeish: str, checker: str, notes: list[str]) -> list[Fact]:
        checked = self._suite.check(treeish, checker, _LABEL)
        if checked is None:
            return []
        if checked.problem:
            notes.append(f"{kind}: {checked.problem}")
        return list(_grouped(kind, checked))


def _grouped(kind: FactKind, checked: Checked) -> Iterator[Fact]:
    """Findings in the project's own code, one fact for each rule in each file."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in checked.findings:
        if is_source(finding.path):
            groups.setdefault((finding.path, finding.rule), []).append(finding)
    for (path, rule), findings in groups.items():
        lines = ", ".join(str(finding.line) for finding in findings[1:6])
        more = f" ({len(findings)} times, also in lines {lines})" if len(findings) > 1 else ""
        told = f"{rule}: {findings[0].message}{more}"
        around = "\n".join(sorted(finding.message for finding in findings))
        yield Fact.of(kind, path, findings[0].line, "", told, f"{rule}\n{around}")
