"""Applies a small model's answer: its definitions, cut down to what the task is about, are merged into their files."""

from __future__ import annotations

import ast
import re
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
    Function,
    MergeRefused,
    assigned_names,
    code_for,
    ensure_export,
    first_line_of,
    is_javascript,
    javascript_for,
    merge_definitions,
    merge_javascript,
    renamed_function,
    with_missing_imports,
)
from file_system.code.outline import class_in, parsed
from orchestrator.coding.method import apply_file_edits
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models.settings import Parts
from orchestrator.workbench.javascript import is_esm


def apply_definitions(
    root: Path, protected: list[str], requirements: Requirements, answer: str, tests: str, parts: Parts
) -> str:
    """Put the definitions of `answer` into the files below `root`. What is wrong with it, in words for its author, or
    nothing.

    `protected`: patterns of what it may not write. `tests`: the text of the new tests, which show what a package must
    export.
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
                _merge(files, piece, answer, elsewhere, tests, parts)
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    return ""


def _merge(
    files: FileManager, requirements: Requirements, answer: str, elsewhere: Collection[str], tests: str, parts: Parts
) -> None:
    """Put the definitions of `answer`, but those that belong `elsewhere`, into the target module, and export what the
    tests import from its package."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    code = _without_definitions(code_for(answer, path), elsewhere)
    offer = _offered(code, before, requirements.symbols, parts)
    merged = merge_definitions(before, offer, path, add_imports=parts.missing_imports)
    files.write_file(path, merged.text)
    package, _, module = requirements.module.rpartition(".")
    init = f"{path.rpartition('/')[0]}/__init__.py"
    for name in merged.added if parts.exporting and package and files.exists(init) else ():
        wanted = rf"\bfrom {re.escape(package)} import {name}\b|\b{re.escape(package)}\.{name}\("
        if re.search(wanted, tests):
            files.write_file(init, ensure_export(files.read_file(init), module, name))


def _merge_javascript(files: FileManager, root: Path, requirements: Requirements, answer: str) -> None:
    """Put the definitions of `answer` into the target module, and export those that are wanted."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    esm = is_esm(root, path)
    merged = merge_javascript(before, javascript_for(answer, path), path, requirements.symbols, esm=esm)
    files.write_file(path, merged.text)


def _offered(code: str, present: str, wanted: Sequence[str], parts: Parts) -> str:
    """Of an answer's `code` what is to be merged into the module `present`, where `wanted` are the task's names."""
    if parts.renaming:
        code = with_wanted_name(code, present, wanted)
    return only_wanted(code, present, wanted) if parts.cutting_down else code


def only_wanted(code: str, present: str, wanted: Collection[str]) -> str:
    """`code` without definitions of names that the module `present` has already and the task does not name, and
    without imports that nothing in it uses.

    A small model likes to write neighbouring functions and methods anew, and worse, and to import what might be needed.
    What does not parse comes back as it is.
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
    dropped += _other_methods(kept, module.body, wanted)
    return _without(lines, dropped)


def _without_definitions(code: str, names: Collection[str]) -> str:
    """`code` without the top-level definitions of `names`; as it is when it does not parse."""
    lines = code.splitlines(keepends=True)
    dropped = [node for node in parsed(code) or () if isinstance(node, Definition) and node.name in names]
    return _without(lines, dropped)


def offered_code(ctx: StageContext, state: CodeState, answers: Iterable[str], parts: Parts) -> list[str]:
    """The code for the target file of those `answers` that can be read, as it would be merged into QA's commit."""
    wanted = state.settled
    path, symbols = wanted.target_file, wanted.symbols
    present = ctx.bench.text_of(state.tests_commit, path)
    found = []
    for answer in answers:
        with suppress(AnswerError):
            code = _offered(code_for(answer, path), present, symbols, parts)
            found.append(with_missing_imports(code, present) if parts.missing_imports else code)
    return found


def merged_modules(ctx: StageContext, state: CodeState, answers: Iterable[str], parts: Parts) -> list[str]:
    """The target file as each of the `answers` would leave it."""
    path = state.settled.target_file
    present = ctx.bench.text_of(state.tests_commit, path)
    found = []
    for code in offered_code(ctx, state, answers, parts):
        with suppress(AnswerError):
            found.append(merge_definitions(present, code, path, add_imports=parts.missing_imports).text)
    return found


def is_one_function(requirements: Requirements) -> bool:
    """Whether the task is about one function or method of a Python module, which a program can call."""
    return not requirements.further and bool(
        requirements.target_file.endswith(".py") and requirements.module and requirements.symbols
    )


def with_wanted_name(code: str, present: str, wanted: Sequence[str]) -> str:
    """`code` with its one new function under the wanted name, when it is written under another one.

    What defines a wanted name, several new functions, or a method, comes back as it is.
    """
    offered, module = parsed(code) or [], parsed(present) or []
    there = {node.name for node in module if isinstance(node, Definition)}
    new = [node for node in offered if isinstance(node, Function) and node.name not in there]
    missing = [name for name in wanted if "." not in name and name not in there]
    if len(missing) != 1 or len(new) != 1 or missing[0] in {name for node in offered for name in _names(node)}:
        return code
    try:
        return renamed_function("the answer", code, new[0].name, missing[0])
    except MergeRefused:
        return code


def _without(lines: list[str], dropped: Iterable[ast.stmt]) -> str:
    for node in sorted(dropped, key=lambda node: node.lineno, reverse=True):
        first = first_line_of(node) if isinstance(node, Definition) else node.lineno
        del lines[first - 1 : node.end_lineno]
    return "".join(lines)


def _other_methods(
    offered: Collection[ast.stmt], present: Collection[ast.stmt], wanted: Collection[str]
) -> Iterator[ast.stmt]:
    """Of the classes with a wanted method the other members that are there already."""
    for node in offered:
        own = [name for name in wanted if isinstance(node, ast.ClassDef) and name.startswith(f"{node.name}.")]
        old = class_in(list(present), own[0]) if own else None
        if isinstance(node, ast.ClassDef) and old is not None:
            there = set().union(*map(_names, old.body)) - {name.rpartition(".")[2] for name in own}
            yield from (part for part in node.body if isinstance(part, ast.Expr) or _names(part) & there)


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    return set(assigned_names(node))
