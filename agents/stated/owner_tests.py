"""Tests that the owner gives with a task: run as they are, and read by code for what they say about the work."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from agents.answers import TestCase
from file_system import NOT_PYTHON

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def imported_names(text: str) -> list[tuple[str, str]]:
    """What the test file `text` imports by name, each as (module, name), in order."""
    return [
        (node.module, alias.name)
        for node in ast.walk(_parsed(text))
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    ]


def cases_in(text: str) -> list[TestCase]:
    """The tests of a file one assertion each, where a test stands by itself: a plain function without parameters.

    Each case brings the imports, constants and helpers of the file that it uses. What needs fixtures, parameters or a
    class is left out: it counts when the file itself is run, not where single cases are looked at.
    """
    body = _parsed(text).body
    shared = [node for node in body if not _is_test(node) and not isinstance(node, ast.Expr | ast.ClassDef)]
    return [
        case
        for node in body
        if _is_test(node) and isinstance(node, ast.FunctionDef) and not _needs_pytest(node)
        for case in _split(node, shared)
    ]


def _split(function: ast.FunctionDef, shared: Sequence[ast.stmt]) -> list[TestCase]:
    """A case for each assertion: what comes before it without the other assertions, then itself."""
    checks = [index for index, node in enumerate(function.body) if _is_check(node)]
    if not checks:
        checks = [len(function.body) - 1]  # assertions inside loops and branches: all of it is one case
    cases = []
    for number, index in enumerate(checks, start=1):
        own = [*(node for node in function.body[:index] if not _is_check(node)), function.body[index]]
        name = function.name if len(checks) == 1 else f"{function.name}_{number}"
        lines = [ast.unparse(node) for node in [*_used(own, shared), *own] if not _is_docstring(node)]
        cases.append(TestCase(name=name, lines=lines, origin="owner"))
    return cases


def _used(own: Iterable[ast.stmt], shared: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Of the `shared` statements those that `own` needs, and those that these need, in the file's order."""
    wanted = _names(own)
    kept: list[ast.stmt] = []
    for node in reversed(shared):  # what is used is defined before
        if _defined(node) & {*wanted, "*"}:
            kept.insert(0, node)
            wanted |= _names([node])
    return kept


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, _FUNCTIONS) and node.name.startswith("test")


def _needs_pytest(node: ast.FunctionDef) -> bool:
    given = node.args
    return bool(node.decorator_list or given.args or given.posonlyargs or given.kwonlyargs or given.vararg)


def _is_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert) or (isinstance(node, ast.With) and "raises" in ast.unparse(node.items[0]))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _names(nodes: Iterable[ast.stmt]) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


def _defined(node: ast.stmt) -> set[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        case ast.FunctionDef():
            return {node.name}
        case _:
            return {
                name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            }


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except NOT_PYTHON:
        return ast.Module([], [])
