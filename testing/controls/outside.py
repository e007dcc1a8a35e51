"""What tests call and the plain values that they expect, to be compared where no code of the project can interfere.

Of an assertion such as `assert add(1, 2) == 3` the call is made by a plain program (`measuring/calls.py`), and what it
gives is compared with the expected value in this process. The program never has the expected value, and the code under
test no test to look at, no framework to change and no object that decides what it equals.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from testing.controls.python import FUNCTIONS, functions, id_of, may_end, own_nodes
from testing.frameworks.framework import NOT_PYTHON

_FRAMEWORKS = {"pytest", "unittest", "hypothesis", "mock", "conftest", "tests", "test", "freezegun", "responses"}
_SETUP = re.compile(
    r"\bautouse\b|\busefixtures\b|\bdef (?:setUp\w*|setup\w*|pytest_(?:configure|sessionstart|runtest_\w+|load_\w+))\b"
    r"|\benviron\b|\bchdir\b|\.setup\("
)
_LONGEST = 1500
"""Characters of an expected value: what is much longer is not written down by the program."""
_SHOWN = 160


class Unknown(Exception):
    """A value that is no plain one."""


@dataclass(frozen=True)
class Call:
    """One assertion that can be checked outside."""

    test_id: str
    claim: str
    setup: str
    call: str
    expected: Any


def calls_of(path: str, text: str, wanted: Collection[str]) -> list[Call]:
    """The calls in the tests `wanted` (ids without parameters) of a Python file whose expected value is a plain one,
    and which need no fixture and nothing of a test framework."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return []
    shared = _shared(module)
    if shared is None:
        return []
    kept, foreign = shared
    found: list[Call] = []
    for owner, node in functions(module):
        test_id = id_of(path, owner, node.name)
        names = [argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        if test_id not in wanted or isinstance(node, ast.AsyncFunctionDef) or node.decorator_list:
            continue
        if names != ([] if owner is None else ["self"]):
            continue
        found += _calls(test_id, node.body, kept, foreign | {"self"})
    return [call for call in found if len(repr(call.expected)) <= _LONGEST]


def has_setup(text: str) -> bool:
    """Whether a file of tests, or a conftest.py, has something done before tests that did not ask for it by a fixture's
    name."""
    return _SETUP.search(text) is not None


def value_of(given: Any) -> Any:
    """The plain value that a program has written down. Raises Unknown for what is none, with its type."""
    kind, content = given
    match kind:
        case "NoneType":
            return None
        case "bool":
            return content == "True"
        case "int":
            return int(content)
        case "float":
            return float(content)
        case "complex":
            return complex(content)
        case "str":
            return str(content)
        case "bytes":
            return bytes.fromhex(content)
        case "list" | "tuple" | "set" | "frozenset":
            kinds: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
            return kinds[kind](value_of(part) for part in content)
        case "dict":
            return {value_of(key): value_of(part) for key, part in content}
    raise Unknown(str(content))


def _shared(module: ast.Module) -> tuple[list[ast.stmt], set[str]] | None:
    """The statements of a test module that a plain program needs, and names that it does not have: what comes from test
    frameworks and other tests. None if something is done at its beginning that the program cannot do."""
    kept: list[ast.stmt] = []
    foreign = {"__file__", "__name__"}
    for node in module.body:
        origins = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        origins += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        of_tests = any(origin.partition(".")[0] in _FRAMEWORKS for origin in origins)
        of_tests |= isinstance(node, ast.ImportFrom) and node.level > 0
        is_test = isinstance(node, FUNCTIONS) and node.name.startswith("test")
        is_test |= isinstance(node, ast.ClassDef) and node.name.startswith("Test")
        if not (of_tests or is_test or _used(node) & foreign):
            kept.append(node)
        elif of_tests or is_test or isinstance(node, ast.Assign | ast.AnnAssign | ast.ClassDef | FUNCTIONS):
            foreign |= _defined(node)
        elif not (isinstance(node, ast.If) and "__name__" in _used(node.test)):
            return None
        if of_tests and "*" in _defined(node):
            return None
    return kept, foreign


def _calls(test_id: str, body: Sequence[ast.stmt], kept: list[ast.stmt], foreign: set[str]) -> Iterator[Call]:
    before = list(kept)
    for statement in body:
        if any(map(may_end, own_nodes(statement))):
            return
        pair = _compared(statement)
        if pair is not None and not _used(pair[0]) & foreign:
            claim = ast.unparse(statement).partition("\n")[0][:_SHOWN]
            setup = ast.unparse(ast.Module(before, []))
            yield Call(test_id, claim, setup, ast.unparse(pair[0]), ast.literal_eval(pair[1]))
        elif isinstance(statement, ast.Assert) or _is_text(statement):
            continue
        elif _used(statement) & foreign:
            return
        elif any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            foreign = foreign | _defined(statement)  # it would tell what is expected
        else:
            before.append(statement)


def _compared(statement: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """The tested expression and the plain value that it is to equal, in `assert f(1) == 2` and `assertEqual`."""
    match statement:
        case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            pass
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="assertEqual"), args=[left, right])
        ):
            pass
        case _:
            return None
    if _is_plain(right) and any(isinstance(node, ast.Call) for node in ast.walk(left)):
        return left, right
    if _is_plain(left) and any(isinstance(node, ast.Call) for node in ast.walk(right)):
        return right, left
    return None


def _is_plain(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return not (isinstance(node, ast.Constant) and node.value is Ellipsis)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ClassDef | FUNCTIONS):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
