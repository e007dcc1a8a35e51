"""A small model's code, cut down to what the task is about before it is merged into the module."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress

from file_system import (
    NOT_PYTHON,
    AnswerError,
    Definition,
    Function,
    MergeRefused,
    assigned_names,
    code_for,
    first_line_of,
    merge_definitions,
    renamed_function,
    with_missing_imports,
)
from file_system.code.outline import class_in, parsed
from orchestrator.small_models.settings import Parts


def offered(code: str, present: str, wanted: Sequence[str], parts: Parts) -> str:
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


def without(code: str, names: Collection[str]) -> str:
    """`code` without the top-level definitions of `names`; as it is when it does not parse."""
    lines = code.splitlines(keepends=True)
    dropped = [node for node in parsed(code) or () if isinstance(node, Definition) and node.name in names]
    return _without(lines, dropped)


def offered_code(answers: Iterable[str], path: str, present: str, wanted: Sequence[str], parts: Parts) -> list[str]:
    """The code for the file at `path` of those `answers` that can be read, cut down as `offered` does, and with the
    imports that merging would add."""
    found = []
    for answer in answers:
        with suppress(AnswerError):
            code = offered(code_for(answer, path), present, wanted, parts)
            found.append(with_missing_imports(code, present) if parts.missing_imports else code)
    return found


def merged_modules(answers: Iterable[str], path: str, present: str, wanted: Sequence[str], parts: Parts) -> list[str]:
    """The module `present` as each of the `answers` would leave it."""
    found = []
    for code in offered_code(answers, path, present, wanted, parts):
        with suppress(AnswerError):
            found.append(merge_definitions(present, code, path, add_imports=parts.missing_imports).text)
    return found


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
