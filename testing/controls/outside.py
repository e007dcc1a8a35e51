"""What tests call and the plain values that they expect, to be compared where no code of the project can interfere.

Of a test with `assert add(1, 2) == 3` a plain program (`measuring/calls.py`) does what the test does, up to where it
cannot, and tells what the call gives, which is compared with the expected value in this process. The program never has
the expected value, and the code under test no test to look at, no framework to change and no object that decides what
it equals.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Replay:
    """What a test does, without a word of what it expects."""

    test_id: str
    setup: str
    """Statements of its file."""
    steps: list[tuple[str, bool]] = field(default_factory=list)
    """Its own statements and expressions in their order, and whether it is told what they give."""
    claims: list[tuple[str, Any]] = field(default_factory=list)
    """For each step that is told: the assertion, and the expected value."""

    @property
    def imports(self) -> set[str]:
        """The topmost modules that it imports."""
        nodes = [node for text in (self.setup, *(line for line, _ in self.steps)) for node in ast.walk(ast.parse(text))]
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        plain |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        return {name.partition(".")[0] for name in plain}


def replays_of(path: str, text: str, wanted: Collection[str]) -> list[Replay]:
    """Those of the tests `wanted` (ids without parameters) of a Python file that begin without a fixture or anything of
    a test framework, and expect a plain value."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return []
    shared = _shared(module)
    if shared is None:
        return []
    kept, foreign = shared
    setup = ast.unparse(ast.Module(kept, []))
    found: list[Replay] = []
    for owner, node in functions(module):
        replay = Replay(id_of(path, owner, node.name), setup)
        names = [argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        if replay.test_id not in wanted or isinstance(node, ast.AsyncFunctionDef) or node.decorator_list:
            continue
        if names == ([] if owner is None else ["self"]):
            _take(replay, node.body, foreign | {"self"})
            if replay.claims:
                found.append(replay)
    return found


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


def _take(replay: Replay, body: Sequence[ast.stmt], foreign: Collection[str]) -> None:
    """Take the steps of a test up to the first that a plain program cannot do, or that would tell what is expected."""
    for statement in body:
        if any(map(may_end, own_nodes(statement))):
            return
        pair, parts = _compared(statement), _parts_of_claim(statement)
        if _used(*(pair[:1] if pair else [statement] if parts is None else parts)) & {*foreign}:
            return
        if pair is not None and len(repr(expected := ast.literal_eval(pair[1]))) <= _LONGEST:
            replay.steps.append((ast.unparse(pair[0]), True))
            replay.claims.append((ast.unparse(statement).partition("\n")[0][:_SHOWN], expected))
        elif parts is not None:
            replay.steps += [(ast.unparse(part), False) for part in parts]
        elif any(isinstance(node, ast.Assert) for node in ast.walk(statement)):
            return
        elif not _is_text(statement):
            replay.steps.append((ast.unparse(statement), False))


def _parts_of_claim(statement: ast.stmt) -> list[ast.expr] | None:
    """Of an assertion, what is called in it and may have an effect; None of another statement."""
    match statement:
        case ast.Assert(test=test):
            return _calling(test)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=arguments)):
            if name.startswith("assert"):
                return [part for argument in arguments for part in _calling(argument)]
    return None


def _calling(claim: ast.expr) -> list[ast.expr]:
    match claim:
        case ast.Compare(left=left, comparators=others):
            return [side for side in (left, *others) if _has_call(side)]
        case ast.BoolOp(values=values):
            return [part for value in values for part in _calling(value)]
        case ast.UnaryOp(operand=operand):
            return _calling(operand)
    return [claim] if _has_call(claim) else []


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


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
    if _is_plain(right) and _has_call(left):
        return left, right
    if _is_plain(left) and _has_call(right):
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


def _used(*nodes: ast.AST) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ClassDef | FUNCTIONS):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
