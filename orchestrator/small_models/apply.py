"""Applies a small model's answer: keeps the definitions that the task asks for and merges them into their files."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from agents import Requirements
from file_system import (
    NOT_PYTHON,
    AnswerError,
    Definition,
    FileManager,
    FileSystemError,
    assigned_names,
    code_for,
    first_line_of,
    is_javascript,
    javascript_for,
    merge_definitions,
    merge_javascript,
)
from file_system.code.outline import class_in, parsed
from orchestrator.coding.method import apply_file_edits
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models.state import Parts
from orchestrator.workbench.javascript import is_esm


def apply_definitions(root: Path, protected: list[str], requirements: Requirements, answer: str, parts: Parts) -> str:
    """Merge the definitions of `answer` into the files below `root`.

    Returns what is wrong with the answer, in words for its author; empty if nothing is. `protected`: patterns of files
    that it may not write.
    """
    javascript = is_javascript(requirements.target_file)
    if not (javascript or requirements.target_file.endswith(".py")):
        return apply_file_edits(root, protected, requirements=requirements, answer=answer)
    files = FileManager(root, protected=protected)
    try:
        with files.transaction():
            if javascript:
                _merge_javascript(files, root, requirements, answer)
            for piece in () if javascript else requirements.pieces:
                elsewhere = {name for other in requirements.pieces if other != piece for name in other.symbols}
                _merge_python(files, piece, answer, elsewhere, parts)
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    return ""


def _merge_python(
    files: FileManager, requirements: Requirements, answer: str, elsewhere: Collection[str], parts: Parts
) -> None:
    """Merge the definitions of `answer` into the target module, without the names that belong to another file
    (`elsewhere`)."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    code = _without_definitions(code_for(answer, path), elsewhere)
    offer = _offered(code, before, requirements.symbols, parts)
    files.write_file(path, merge_definitions(before, offer, path).text)


def _merge_javascript(files: FileManager, root: Path, requirements: Requirements, answer: str) -> None:
    """Merge the definitions of `answer` into the target module, and export the names that the task asks for."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    esm = is_esm(root, path)
    merged = merge_javascript(before, javascript_for(answer, path), path, requirements.symbols, esm=esm)
    files.write_file(path, merged.text)


def _offered(code: str, present: str, wanted: Sequence[str], parts: Parts) -> str:
    """The part of an answer's `code` to merge into the module with the text `present`; `wanted`: the task's names."""
    return only_wanted(code, present, wanted) if parts.cutting_down else code


def only_wanted(code: str, present: str, wanted: Collection[str]) -> str:
    """`code` without unused imports and without definitions that the module `present` already has, unless the task
    names them. Code that does not parse is returned unchanged.

    A small model often rewrites neighbouring functions and methods, making them worse, and imports what it might need.
    """
    try:
        tree, module = ast.parse(code), ast.parse(present)
    except NOT_PYTHON:
        return code
    wanted = {*wanted, *(name.partition(".")[0] for name in wanted)}
    taken = {node.name for node in module.body if isinstance(node, Definition)} - wanted
    taken |= set().union(*map(assigned_names, module.body)) - wanted
    lines = code.splitlines(keepends=True)
    kept = [node for node in tree.body if not _names(node) & taken]
    used = {name.id for node in kept for name in ast.walk(node) if isinstance(name, ast.Name)}
    dropped = [
        node
        for node in tree.body
        if node not in kept or (isinstance(node, ast.Import | ast.ImportFrom) and not _imported(node) & used)
    ]
    dropped += _rewritten_members(kept, module.body, wanted)
    return _without(lines, dropped)


def _without_definitions(code: str, names: Collection[str]) -> str:
    """`code` without the top-level definitions of `names`; unchanged if it does not parse."""
    lines = code.splitlines(keepends=True)
    dropped = [node for node in parsed(code) or () if isinstance(node, Definition) and node.name in names]
    return _without(lines, dropped)


def offered_code(ctx: StageContext, state: CodeState, answers: Iterable[str], parts: Parts) -> list[str]:
    """The code that each of the `answers` adds to the target file of QA's commit; unreadable answers are left out."""
    wanted = state.settled
    path, symbols = wanted.target_file, wanted.symbols
    present = ctx.bench.text_of(state.tests_commit, path)
    found = []
    for answer in answers:
        with suppress(AnswerError):
            found.append(_offered(code_for(answer, path), present, symbols, parts))
    return found


def merged_modules(ctx: StageContext, state: CodeState, answers: Iterable[str], parts: Parts) -> list[str]:
    """The target file as each of the `answers` would leave it."""
    path = state.settled.target_file
    present = ctx.bench.text_of(state.tests_commit, path)
    found = []
    for code in offered_code(ctx, state, answers, parts):
        with suppress(AnswerError):
            found.append(merge_definitions(present, code, path).text)
    return found


def is_one_function(requirements: Requirements) -> bool:
    """Whether the task is about a single function or method of a Python module, so that code can call it."""
    return not requirements.further and bool(
        requirements.target_file.endswith(".py") and requirements.module and requirements.symbols
    )


def _without(lines: list[str], dropped: Iterable[ast.stmt]) -> str:
    for node in sorted(dropped, key=lambda node: node.lineno, reverse=True):
        first = first_line_of(node) if isinstance(node, Definition) else node.lineno
        del lines[first - 1 : node.end_lineno]
    return "".join(lines)


def _rewritten_members(
    answered: Collection[ast.stmt], present: Collection[ast.stmt], wanted: Collection[str]
) -> Iterator[ast.stmt]:
    """In classes with a wanted method: the other members that the class in the module already has."""
    for node in answered:
        own = [name for name in wanted if isinstance(node, ast.ClassDef) and name.startswith(f"{node.name}.")]
        old = class_in(list(present), own[0]) if own else None
        if isinstance(node, ast.ClassDef) and old is not None:
            existing = set().union(*map(_names, old.body)) - {name.rpartition(".")[2] for name in own}
            yield from (part for part in node.body if isinstance(part, ast.Expr) or _names(part) & existing)


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    return set(assigned_names(node))
