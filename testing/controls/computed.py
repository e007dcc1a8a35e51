"""Values of a plain program as programs have them: computed ones, not constants of the code that calls.

Code can tell a literal from other values, by whether it is interned, how large its memory is or how many hold it. So
each that stands in the program is handed through a function of `measuring/program.py`, which makes one like it.
"""

from __future__ import annotations

import ast
import re

_LOOKED_AT = re.compile(
    r"\b(?:getrefcount|getsizeof|__sizeof__|intern|gc|tracemalloc|weakref)\b|\bis (?:not )?['\"\d\[]"
)
"""What a test says that is about such things itself."""


def can_be_computed(text: str) -> bool:
    """Whether a program does not itself look at which object a value is."""
    return not (_LOOKED_AT.search(text) or any(map(_is_identity, ast.walk(ast.parse(text)))))


def computed(text: str, name: str) -> str:
    """A program's text in which `name` is called with each list, text and number that stands in it."""
    return ast.unparse(ast.fix_missing_locations(_Computed(name).visit(ast.parse(text))))


def _is_identity(node: ast.AST) -> bool:
    """Whether it asks whether two things are one, neither of which there is but once."""
    if not (isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)):
        return False
    once = [
        isinstance(side, ast.Constant) and side.value in (None, True, False) for side in (node.left, *node.comparators)
    ]
    return not any(once)


class _Computed(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self._name = name

    def _made(self, node: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(self._name, ast.Load()), [node], [])

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        is_made = type(node.value) in (str, bytes, int, float) and node.value not in ("", b"")
        return self._made(node) if is_made else node

    def visit_List(self, node: ast.List) -> ast.expr:
        self.generic_visit(node)
        return self._made(node) if isinstance(node.ctx, ast.Load) else node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return self._made(node)

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        node.body = [self.visit(statement) for statement in node.body]  # a pattern has no calls
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        return self._of_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.stmt:
        return self._of_function(node)

    def _of_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        returns, node.returns = node.returns, None
        self.generic_visit(node)
        node.returns = returns
        return node
