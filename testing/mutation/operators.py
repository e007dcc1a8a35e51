"""The faults that are put into a function: one small change each, of the kinds that people make.

The operators are those that mutation tools have in common (mutmut, cosmic-ray, PIT), less what every test would notice
(a name that is not there, a text minus a number) and what no test should: the words of an error, annotations,
docstrings. A change is made in the syntax tree in place and undone again, since thousands are tried in a second.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_EMPTY = {"str": "''", "int": "0", "float": "0.0", "bool": "False", "bytes": "b''", "list": "[]", "dict": "{}",
          "tuple": "()", "set": "set()"}  # fmt: skip
_EITHER_WAY = {
    "min",
    "max",
    "gcd",
    "lcm",
    "hypot",
    "isclose",
    "union",
    "isinstance",
    "issubclass",
    "hasattr",
    "getattr",
}
"""Calls that do the same with their arguments swapped, or always fail."""
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "type_params", "format_spec", "msg"}
"""Fields whose content no test is about."""
_DROPPED = (ast.Expr, ast.AugAssign, ast.If, ast.For, ast.While, ast.Raise, ast.Continue, ast.Break, ast.Delete)


@dataclass(frozen=True)
class Change:
    """One change: `holder[key]` becomes `new`; `insert` puts it before `key`, `new` None takes out what is there."""

    holder: Any
    key: Any
    new: Any
    insert: bool = False

    def make(self) -> Any:
        """Make the change; gives what `undo` needs."""
        if self.insert:
            self.holder.insert(self.key, self.new)
            return None
        if not isinstance(self.holder, list):
            old = getattr(self.holder, self.key)
            setattr(self.holder, self.key, self.new)
            return old
        old = self.holder[self.key]
        if isinstance(self.key, slice):
            self.holder[self.key] = self.new
        elif self.new is None:
            del self.holder[self.key]
        else:
            self.holder[self.key] = self.new
        return old

    def undo(self, old: Any) -> None:
        """Put things back."""
        if self.insert:
            del self.holder[self.key]
        elif not isinstance(self.holder, list):
            setattr(self.holder, self.key, old)
        elif isinstance(self.key, slice):
            start = self.key.start
            self.holder[start : start + len(self.new)] = old
        elif self.new is None:
            self.holder.insert(self.key, old)
        else:
            self.holder[self.key] = old


@dataclass(frozen=True)
class Mutant:
    """One fault: what `change` does, within `statement`, and which operator made it."""

    operator: str
    statement: ast.stmt
    change: Change

    @property
    def line(self) -> int:
        return self.statement.lineno


def mutants(function: Function) -> list[Mutant]:
    """All of them, in the order of the code."""
    return [
        *(
            Mutant(operator, statement, change)
            for statement, holder, key, node in _expressions(function, function)
            for operator, change in _of_expression(holder, key, node)
        ),
        *_of_statements(function),
    ]


def omissions(function: Function, modules: Collection[str] = ()) -> list[Mutant]:
    """Further faults, of which many a suite lets some live: an argument is left out that may have a default, or a
    method is not called and its object taken as it is (PIT's "naked receiver"). `modules`: names of modules."""
    return [
        Mutant(operator, statement, change)
        for statement, holder, key, node in _expressions(function, function)
        if isinstance(node, ast.Call)
        for operator, change in _left_out(holder, key, node, modules)
    ]


def spread(found: Sequence[Mutant], seed: int = 0) -> Iterator[Mutant]:
    """`found` in an order whose every beginning is spread evenly over operators, and over the lines within each."""
    order = list(found)
    random.Random(seed).shuffle(order)  # noqa: S311  # nothing secret
    left: dict[str, list[Mutant]] = {}
    for mutant in order:
        left.setdefault(mutant.operator, []).append(mutant)
    taken: Counter[int] = Counter()
    while left:
        for operator in sorted(left):
            nearest = min(left[operator], key=lambda mutant: taken[mutant.line])
            left[operator].remove(nearest)
            taken[nearest.line] += 1
            yield nearest
        left = {operator: rest for operator, rest in left.items() if rest}


def header(statement: ast.stmt) -> str:
    """The statement in one line: of one with a body only its head."""
    return next(line for line in ast.unparse(statement).splitlines() if not line.startswith("@"))


def _expressions(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.stmt, Any, Any, ast.expr]]:
    """Where each expression hangs, as (the statement it is in, holder, key, itself)."""
    if isinstance(node, ast.Raise) or _is_docstring(node):
        return
    for field, value in ast.iter_fields(node):
        if field in _LEFT_ALONE:
            continue
        places = enumerate(value) if isinstance(value, list) else [(field, value)]
        for key, child in places:
            if isinstance(child, ast.expr):
                yield statement, value if isinstance(value, list) else node, key, child
            if isinstance(child, ast.AST):
                yield from _expressions(child, child if isinstance(child, ast.stmt) else statement)


def _of_expression(holder: Any, key: Any, node: ast.expr) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare():
            for index, comparison in enumerate(node.ops):
                yield "comparison", Change(node.ops, index, _COMPARISONS[type(comparison)]())
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            if not (_is_text(left) or _is_text(right)):
                yield "arithmetic", Change(node, "op", _ARITHMETIC[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", Change(holder, key, operand)
        case ast.UnaryOp(op=ast.USub(), operand=ast.expr() as operand):
            yield "arithmetic", Change(holder, key, operand)
        case ast.BoolOp():
            yield "boolean", Change(node, "op", ast.And() if isinstance(node.op, ast.Or) else ast.Or())
            for index in range(len(node.values)):
                rest = [*node.values[:index], *node.values[index + 1 :]]
                yield "condition", Change(holder, key, ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])
        case ast.IfExp():
            yield "condition", Change(holder, key, node.body)
            yield "condition", Change(holder, key, node.orelse)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            for part in node.generators:
                yield from (("condition", Change(part.ifs, index, None)) for index in range(len(part.ifs)))
        case ast.Call(args=[first, second, *_]):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred) and _ordered(node):
                yield "arguments", Change(node.args, slice(0, 2), [second, first])
        case ast.Constant(value=bool() as value):
            yield "boolean", Change(holder, key, ast.Constant(not value))
        case ast.Constant(value=int() | float() as value):
            yield from (("number", Change(holder, key, ast.Constant(value + step))) for step in (1, -1))
        case ast.Constant(value=str() as value):
            yield "text", Change(holder, key, ast.Constant(f"{value}x"))


def _left_out(holder: Any, key: Any, call: ast.Call, modules: Collection[str]) -> Iterator[tuple[str, Change]]:
    for index, keyword in enumerate(call.keywords):
        if keyword.arg is not None:
            yield "argument", Change(call.keywords, index, None)
    if len(call.args) > 1 and not isinstance(call.args[-1], ast.Starred):
        yield "argument", Change(call.args, len(call.args) - 1, None)
    if isinstance(call.func, ast.Attribute) and not isinstance(holder, ast.Expr):
        receiver = call.func.value
        if not (isinstance(receiver, ast.Name) and receiver.id in {"self", "cls", *modules}):
            yield "method", Change(holder, key, receiver)


def _of_statements(function: Function) -> Iterator[Mutant]:
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Compare | ast.Constant):
            negated = ast.UnaryOp(ast.Not(), node.test)
            yield Mutant("boolean", node, Change(node, "test", negated))
        if isinstance(node, ast.If):
            yield Mutant("condition", node, Change(node, "test", ast.Constant(True)))
        elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC and not _is_text(node.value):
            yield Mutant("arithmetic", node, Change(node, "op", _ARITHMETIC[type(node.op)]()))
        elif isinstance(node, ast.Return) and node.value is not None:
            yield Mutant("result", node, Change(node, "value", _nothing(function)))
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                for index, statement in enumerate(block):
                    if isinstance(statement, _DROPPED) and not (_is_docstring(statement) or _is_guard(statement)):
                        yield Mutant("statement", statement, Change(block, index, ast.Pass()))


def _ordered(call: ast.Call) -> bool:
    """Whether it may matter which argument comes first."""
    return ast.unparse(call.func).rpartition(".")[2] not in _EITHER_WAY


def _nothing(function: Function) -> ast.expr:
    """What an unfinished function of this type would give."""
    returned = ast.unparse(function.returns).partition("[")[0] if function.returns else ""
    return ast.parse(_EMPTY.get(returned, "None"), mode="eval").body


def _is_guard(statement: ast.stmt) -> bool:
    """Its `raise` is dropped, which is the same."""
    return isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Raise) and not statement.orelse


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def expression_places(function: ast.FunctionDef) -> list[tuple[Any, Any, ast.expr]]:
    """Where each expression hangs: in a field of a node, or in a list."""
    found: list[tuple[Any, Any, ast.expr]] = []
    for parent in (node for statement in function.body for node in ast.walk(statement)):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.expr):
                found.append((parent, field, value))
            elif isinstance(value, list):
                found += [(value, index, item) for index, item in enumerate(value) if isinstance(item, ast.expr)]
    return found
