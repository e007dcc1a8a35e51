"""Whole tests as plain programs: for what `outside.py` cannot take apart, such as loops, helpers, fixtures and classes.

Each assertion of the file, in helpers, too, becomes a call that tells the values it is about; what a framework gives to
tests, `measuring/plainly.py` gives. So the code under test has neither a framework nor a test's name around it, and no
object decides what it equals. Other than in `outside.py`, values that it expects may be in the program's memory.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from testing.controls.claims import Claim, claim_of
from testing.controls.outside import FOR_TESTS, UNFIT, Replay
from testing.controls.python import functions, may_end, own_nodes
from testing.controls.twins import word
from testing.controls.values import imported
from testing.frameworks.framework import NOT_PYTHON
from testing.frameworks.registry import guarded_modules

_GIVEN = {"pytest", "unittest"}
_FOREIGN = re.compile(r"\b(?:hypothesis|caplog|recwarn|mocker|pytester|benchmark|snapshot|pytest_\w+|__file__)\b")
"""What nobody gives to a plain program."""
_RAISES = re.compile(r"[rR]aises|suppress|warns")
_HOOKS = re.compile(r"\bdef pytest_(?!addoption\b|collection_modifyitems\b)|\.setup\(|\bdjango\b")
"""What a conftest.py does before tests, other than in fixtures."""


def whole_tests(
    path: str, text: str, wanted: Collection[str], prepared: Mapping[str, str] = MappingProxyType({})
) -> list[Replay]:
    """Those of the tests `wanted` (ids without parameters) of a Python file that a plain program can run as they are,
    without what they claim. `prepared`: the texts of the files `conftest.py` by path."""
    above = [prepared[each] for each in sorted(prepared, key=len) if PurePosixPath(path).is_relative_to(_folder(each))]
    if any(map(_HOOKS.search, above)):
        return []
    try:
        module, *others = (ast.parse(each) for each in (text, *above))
    except NOT_PYTHON:
        return []
    for owner, node in [*functions(module)]:
        if _is_unfit(ast.unparse(node)) and node.name.startswith("test"):
            body = owner.body if owner else module.body
            body[body.index(node)] = ast.Pass()
    if any(map(_is_unfit, (ast.unparse(module), *above))):
        return []
    told = f"_{word()}"
    chosen = [(owner.name if owner else "", node.name) for owner, node in functions(module)]
    chosen = [(owner, name) for owner, name in chosen if _id(path, owner, name) in wanted]
    for other in others:
        begin = next((n for n, each in enumerate(module.body) if not _is_first(each)), len(module.body))
        module.body[begin:begin] = [each for each in other.body if not _is_first(each)]
    early = {
        (owner.name if owner else "", node.name)
        for owner, node in functions(module)
        if any(may_end(part) for statement in node.body for part in own_nodes(statement))
    }
    telling = _Telling(told, {part for pair in chosen for part in pair if part}, imported(module))
    setup = ast.unparse(ast.fix_missing_locations(telling.visit(module)))
    return [
        Replay(
            _id(path, owner, name),
            setup,
            steps=[(".".join(telling.names[part] for part in (owner, name) if part), False)],
            claims=telling.claims,
            told=told,
            is_whole=True,
            own=frozenset() if (owner, name) in early else frozenset(telling.own[owner, name]),
        )
        for owner, name in chosen
    ]


def _owner_and_name(place: Sequence[str]) -> tuple[str, str]:
    """The class and the function that something stands in, functions in it aside."""
    first = next((n for n, name in enumerate(place) if not name.endswith(".")), 0)
    return (place[0][:-1] if first else "", place[first]) if place else ("", "")


def _is_unfit(text: str) -> bool:
    return bool(UNFIT.search(text) or _FOREIGN.search(text))


def _folder(path: str) -> PurePosixPath:
    return PurePosixPath(path).parent


def _is_first(node: ast.stmt) -> bool:
    """Whether it may only stand at the beginning."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _id(path: str, owner: str, name: str) -> str:
    return f"{path}::{owner}::{name}" if owner else f"{path}::{name}"


class _Telling(ast.NodeTransformer):
    """Puts a call in the place of each assertion, and other names in the place of those of tests."""

    def __init__(self, told: str, names: Collection[str], standing: Mapping[str, str]) -> None:
        """`standing`: what imported names stand for."""
        self._told = told
        self._standing = standing
        self.names = {name: f"{'X' if name[0].isupper() else 'x'}_{word()}" for name in names}
        self.claims: list[Claim] = []
        self.own: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._place: list[str] = []
        self._conditions = 0

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return self._of_claim(node) or self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return self._of_claim(node) or self.generic_visit(node)

    def _of_claim(self, node: ast.stmt) -> ast.AST | None:
        claim = claim_of(node, self._standing)
        if claim is None:
            return None
        self.claims.append(claim)
        if not self._conditions:
            self.own[_owner_and_name(self._place)].add(len(self.claims) - 1)
        values = ", ".join(f"({text})" for text in claim.told)
        call = ast.parse(f"{self._told}({len(self.claims) - 1}, {values})").body[0]
        return self.generic_visit(ast.copy_location(call, node))

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.stmt]:
        kept = [alias for alias in node.names if _origin(alias.name) is None]
        made: list[ast.stmt] = [ast.Import(kept)] if kept else []
        for alias in node.names:
            if _origin(alias.name) in _GIVEN and "." not in alias.name:
                made += ast.parse(f"{alias.asname or alias.name} = {self._told}_{alias.name}").body
        return made or ast.Pass()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        origin = _origin(node.module or "") if not node.level else "tests"
        if origin is None:
            return node
        if origin not in _GIVEN or "." in str(node.module):
            return ast.Pass()
        names = ((alias.asname or alias.name, alias.name) for alias in node.names)
        return ast.parse("\n".join(f"{name} = {self._told}_{origin}.{of}" for name, of in names)).body

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._named(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._named(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._named(node)

    def _named(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        self._place.append(f"{node.name}." if isinstance(node, ast.ClassDef) else node.name)
        node.name = self.names.get(node.name, node.name)
        found = self.generic_visit(node)
        self._place.pop()
        return found

    def visit_If(self, node: ast.If) -> ast.AST:
        return self._conditional(node)

    def visit_Match(self, node: ast.Match) -> ast.AST:
        return self._conditional(node)

    def visit_With(self, node: ast.With) -> ast.AST:
        is_raising = any(_RAISES.search(ast.unparse(item)) for item in node.items)
        return self._conditional(node) if is_raising else self.generic_visit(node)

    def _conditional(self, node: ast.stmt) -> ast.AST:
        self._conditions += 1
        found = self.generic_visit(node)
        self._conditions -= 1
        return found

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node


def _origin(module: str) -> str | None:
    """The topmost module if only tests use it; None of another. `unittest.mock` is everybody's."""
    top = module.partition(".")[0]
    return top if module != "unittest.mock" and top in FOR_TESTS | guarded_modules("python") else None
