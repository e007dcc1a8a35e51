"""Finds facts in a tree that may call for work: by reading, and by running code in the sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from agents import Fact, FactKind
from file_system import CodeMap, CodeOutline, FileManager, is_test_file, readable_text, todos_in
from orchestrator.engine.failures import typed_failures
from orchestrator.errors import StageFailed
from orchestrator.idle.failing_tests import failing_tests
from orchestrator.suite import Suite
from orchestrator.workbench.sources import is_source
from testing import CHECKERS, Checked, Finding

RUNNING = frozenset({FactKind.FAILING_TESTS, FactKind.TYPES, FactKind.LINT})
"""Kinds that require running code of the repository, or code that it chooses."""
_LABEL = "facts"
_MOST_OF_A_KIND = 200

_CODE = {".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".go", ".rs", ".java", ".c", ".h", ".cpp", ".rb", ".sh"}
_MOST_TEXT = 1024 * 1024
_HABIT, _FEWEST = 0.6, 5
"""A project that documents at least this share of at least this many functions wants the others documented too."""


class Found(BaseModel):
    """The facts, in the order of their kinds, and notes on what could not be examined."""

    facts: list[Fact] = []
    notes: list[str] = []


class FactFinder:
    """Finds facts in trees of one project."""

    def __init__(self, suite: Suite, *, may_run: bool) -> None:
        """`may_run`: whether code of the repository may be run (in the sandbox)."""
        self._suite = suite
        self._may_run = may_run

    def find(self, treeish: str, kinds: Collection[FactKind]) -> Found:
        """The facts of `kinds` in a commit or tree; a kind that cannot be examined is a note."""
        found = Found()
        for kind in FactKind:
            if kind not in kinds:
                continue
            if kind in RUNNING and not self._may_run:
                found.notes.append(f"{kind}: not examined, because nothing may be run before you approve it")
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
                    notes.append(f"{kind}: by names only, because {checked.problem}")
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
    """Findings in the project's own code, one fact per rule and file."""
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


# -- facts by reading: comments, functions that no test mentions, missing docstrings ----------------------------------


def todo_comments(root: Path) -> list[Fact]:
    """The `TODO` and `FIXME` comments below `root`."""
    facts = []
    files = FileManager(root)
    for found in files.find_files("*"):
        path = found.as_posix()
        if found.suffix in _CODE and (text := _text(files, path)):
            for todo in todos_in(path, text):
                facts.append(
                    Fact.of(FactKind.TODO, path, todo.line, todo.symbol, f"{todo.word}: {todo.text}", todo.around)
                )
    return facts


def untested_functions(root: Path, executed: Collection[tuple[str, str]] | None = None) -> list[Fact]:
    """Public functions and methods that no test runs.

    `executed`: those that the suite ran, as (path, dotted name). Without it, those that a test file mentions by name
    count as tested.
    """
    files = FileManager(root)
    tests = [found.as_posix() for found in files.find_files("*.py") if is_test_file(found.as_posix())]
    spoken = {word for path in tests for word in re.findall(r"\w+", _text(files, path))}
    facts = []
    for module, name, signature, line, _ in _public(root):
        plain = name.rpartition(".")[2]
        if plain.startswith("__"):
            continue
        known = (module.path, name) in executed if executed is not None else plain in spoken
        if not known:
            told = "no test runs it" if executed is not None else "no test names it"
            facts.append(Fact.of(FactKind.UNCOVERED, module.path, line, name, f"{told}: `{signature}`", signature))
    return facts


def missing_docstrings(root: Path) -> list[Fact]:
    """Public functions and methods without a docstring, if the project wants docstrings: according to its ruff or
    pydocstyle settings, or because most of its functions have one."""
    public = [found for found in _public(root) if not found[1].rpartition(".")[2].startswith("__")]
    documented = sum(bool(doc) for *_, doc in public)
    habit = len(public) >= _FEWEST and documented >= _HABIT * len(public)
    if not (habit or _demands_docstrings(FileManager(root))):
        return []
    return [
        Fact.of(FactKind.DOCSTRINGS, module.path, line, name, f"no docstring: `{signature}`", signature)
        for module, name, signature, line, doc in public
        if not doc
    ]


def _public(root: Path) -> Iterator[tuple[CodeOutline, str, str, int, str]]:
    """The public functions and methods of the project: module, dotted name, signature, line, docstring."""
    for module in CodeMap.of(root).modules:
        if not is_source(module.path) or PurePosixPath(module.path).name.startswith("_"):
            continue
        for function in module.functions:
            if function.public:
                yield module, function.name, function.signature, function.line, function.doc
        for owner in module.classes:
            for method in owner.methods if owner.public else ():
                if method.public:
                    yield module, f"{owner.name}.{method.name}", method.signature, method.line, method.doc


def _demands_docstrings(files: FileManager) -> bool:
    ruff = r"""(?s)\b(?:extend-)?select\s*=\s*\[[^\]]*["'](?:D|D1\d*|ALL)["']"""
    if any(re.search(ruff, _text(files, name)) for name in ("pyproject.toml", "ruff.toml", ".ruff.toml")):
        return True
    return "[pydocstyle]" in _text(files, "setup.cfg") + _text(files, "tox.ini") + _text(files, ".pydocstyle")


def _text(files: FileManager, path: str) -> str:
    text = readable_text(files, path)
    return text if len(text) <= _MOST_TEXT else ""
