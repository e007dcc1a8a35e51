"""Facts that are read, without running anything: comments, functions no test speaks of, docstrings that are missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from agents import Fact, FactKind
from file_system import CodeMap, CodeOutline, FileManager, is_test_file, readable_text, todos_in
from orchestrator.workbench.sources import is_source

_CODE = {".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".go", ".rs", ".java", ".c", ".h", ".cpp", ".rb", ".sh"}
_MOST_TEXT = 1024 * 1024
_HABIT, _FEWEST = 0.6, 5
"""A project that documents so large a share of at least so many public functions wants the others to be, too."""


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

    `executed`: those the suite was seen to run, as (path, dotted name). Without it those count that a test file speaks
    of by name.
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
    """Public functions and classes without a docstring, where the project wants one: by its ruff or pydocstyle
    settings, or because most of its functions have one."""
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
    """Public functions, classes' methods of the project: module, dotted name, signature, line, docstring."""
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
