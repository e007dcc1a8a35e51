"""What an assertion claims of values that a plain program has told, decided here over plain values alone.

`assert 2 < round(f(1), 1) < 3` asks the program for `f(1)`; rounding and comparing is done in this process. So no
object of the project decides what it equals, is less than, contains or rounds to.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from testing.controls.python import NO_VALUE, called
from testing.controls.twins import SHOWN
from testing.controls.values import Approximately, Opaque, OtherClass, standing

_LARGEST = 10**60
_SEVEN = ast.Constant(7)
"""Places that `assertAlmostEqual` looks at by itself."""
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: lambda a, b: type(a) is type(b) and a == b,
    ast.IsNot: lambda a, b: type(a) is not type(b) or a != b, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_METHODS: dict[str, Callable[..., ast.expr]] = {
    "assertEqual": lambda a, b: _compare(a, ast.Eq(), b),
    "assertNotEqual": lambda a, b: _compare(a, ast.NotEq(), b),
    "assertTrue": lambda a: a,
    "assertFalse": lambda a: ast.UnaryOp(ast.Not(), a),
    "assertIs": lambda a, b: _compare(a, ast.Is(), b),
    "assertIsNone": lambda a: _compare(a, ast.Is(), ast.Constant(None)),
    "assertIsNotNone": lambda a: _compare(a, ast.IsNot(), ast.Constant(None)),
    "assertIn": lambda a, b: _compare(a, ast.In(), b),
    "assertNotIn": lambda a, b: _compare(a, ast.NotIn(), b),
    "assertLess": lambda a, b: _compare(a, ast.Lt(), b),
    "assertLessEqual": lambda a, b: _compare(a, ast.LtE(), b),
    "assertGreater": lambda a, b: _compare(a, ast.Gt(), b),
    "assertGreaterEqual": lambda a, b: _compare(a, ast.GtE(), b),
    "assertListEqual": lambda a, b: _compare(a, ast.Eq(), b),
    "assertDictEqual": lambda a, b: _compare(a, ast.Eq(), b),
    "assertTupleEqual": lambda a, b: _compare(a, ast.Eq(), b),
    "assertAlmostEqual": lambda a, b, places=_SEVEN: _compare(
        ast.Call(ast.Name("round", ast.Load()), [ast.BinOp(a, ast.Sub(), b), places], []),
        ast.Eq(),
        ast.Constant(0),
    ),
}


class _Undecided(Exception):
    """An object has the say."""


@dataclass(frozen=True)
class Claim:
    """An assertion over told values."""

    text: str
    """Its first line, as it stands in the test."""
    expression: ast.expr
    """With the names `_0`, `_1`, … in place of what is told."""
    told: tuple[str, ...]
    """The expressions that the program is to evaluate, in their order."""
    about_plain: bool
    """A told value is compared with one that stands in the test: an object of the project's has no place there."""

    @property
    def is_equality(self) -> bool:
        """Whether it asks nothing of the values but what they equal."""
        inner = [node for node in ast.walk(self.expression) if isinstance(node, ast.Compare)]
        ops = {type(op) for node in inner for op in node.ops}
        compared = {id(side) for node in inner for side in (node.left, *node.comparators)}
        names = [node for node in ast.walk(self.expression) if isinstance(node, ast.Name) and node.id[:1] == "_"]
        return ops <= {ast.Eq, ast.NotEq, ast.Is, ast.IsNot} and all(id(name) in compared for name in names)

    def obliging(self, values: Sequence[Any]) -> set[str]:
        """The classes of objects among these values that it compares with a plain one."""
        found: set[str] = set()
        for node in ast.walk(self.expression):
            if isinstance(node, ast.Compare):
                sides = [_side(side, values) for side in (node.left, *node.comparators)]
                for place, op in enumerate(node.ops):
                    pair = sides[place : place + 2]
                    kinds = {side.kind for side in pair if isinstance(side, Opaque)}
                    if isinstance(op, ast.Eq) and len(kinds) == 1 and not all(isinstance(one, Opaque) for one in pair):
                        found |= kinds
        return found

    def holds_in_any_case(self, values: Sequence[Any]) -> bool | None:
        """As `holds`, where letters count the same in upper and in lower case."""
        expression = _Folding().visit(copy.deepcopy(self.expression))
        return replace(self, expression=expression).holds([folded(value) for value in values])

    def holds(self, values: Sequence[Any]) -> bool | None:
        """Whether it is true of these values; None if that is up to an object, or too large."""
        names = {f"_{number}": value for number, value in enumerate(values)}
        try:
            return bool(_plain(_value(self.expression, names)))
        except _Undecided:
            return None
        except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError):
            return False


def folded(value: Any) -> Any:
    """A value with its texts in lower case."""
    match value:
        case str():
            return value.casefold()
        case dict():
            return {folded(key): part for key, part in value.items()}
        case set() | frozenset() | list() | tuple():
            return type(value)(map(folded, value))
    return value


class _Folding(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(folded(node.value))


def claim_of(statement: ast.stmt, names: Mapping[str, str] = MappingProxyType({})) -> Claim | None:
    """What an assertion claims; None of another statement, and of one that claims nothing of a value. `names`: what
    those of the file stand for (see `values.imported`)."""
    match statement:
        case ast.Assert(test=test):
            pass
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=arguments, keywords=[])
        ) if name in _METHODS:
            try:
                test = _METHODS[name](*arguments[: _METHODS[name].__code__.co_argcount])
            except TypeError:
                return None
        case _:
            return None
    lifting = _Lifting(names)
    expression = lifting.lift(test)
    if not lifting.told:
        return None
    text = ast.unparse(statement).partition("\n")[0][:SHOWN]
    return Claim(text, expression, tuple(lifting.told), lifting.about_plain)


def is_plain(node: ast.expr) -> bool:
    """Whether a value stands there as it is written."""
    try:
        ast.literal_eval(node)
    except NO_VALUE:
        return False
    return not (isinstance(node, ast.Constant) and node.value is Ellipsis)


class _Lifting:
    """Takes out of an expression what the program has to tell."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self.told: list[str] = []
        self.about_plain = False

    def lift(self, node: ast.expr) -> ast.expr:
        if is_plain(node):
            return node
        with contextlib.suppress(ValueError):
            return ast.Constant(standing(node, self._names))  # of any type: it is only evaluated
        match node:
            case ast.BoolOp(op=ast.And() as op, values=values):  # of `or` not all may be meant to be run
                return ast.BoolOp(op, [self.lift(value) for value in values])
            case ast.UnaryOp(op=ast.Not() | ast.USub() as op, operand=operand) if not isinstance(operand, ast.BoolOp):
                return ast.UnaryOp(op, self.lift(operand))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self.lift(side) for side in (left, *others)]
                self.about_plain |= _is_about_plain(sides, ops)
                return ast.Compare(sides[0], ops, sides[1:])
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op, right=right) if (
                _is_number(left) or _is_number(right)
            ):
                return ast.BinOp(self.lift(left), op, self.lift(right))
            case ast.Call(func=func, args=[first, *rest], keywords=keywords) if _is_ours(func, first, rest, keywords):
                self.about_plain |= called(node) == "isclose"
                return ast.Call(func, [self.lift(argument) for argument in (first, *rest)], keywords)
        self.told.append(ast.unparse(node))
        return ast.Name(f"_{len(self.told) - 1}", ast.Load())


def _is_ours(func: ast.expr, first: ast.expr, rest: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> bool:
    """Whether a call is computed here: of numbers, for which objects hardly have ways of their own."""
    if any(keyword.arg is None or not is_plain(keyword.value) for keyword in keywords):
        return False
    match func:
        case ast.Name(id="round"):
            return len(rest) < 2 and all(map(is_plain, rest)) and not keywords
        case ast.Name(id="abs"):
            return isinstance(first, ast.BinOp) and not rest
        case ast.Attribute(value=ast.Name(id="math"), attr="isclose") | ast.Name(id="isclose"):
            return len(rest) == 1 and {keyword.arg for keyword in keywords} <= {"rel_tol", "abs_tol"}
        case ast.Attribute(value=ast.Name(id="pytest"), attr="approx") | ast.Name(id="approx"):
            return not rest and {keyword.arg for keyword in keywords} <= {"rel", "abs"}
    return False


def _is_number(node: ast.expr) -> bool:
    return is_plain(node) and isinstance(ast.literal_eval(node), int | float)


def _is_about_plain(sides: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> bool:
    """Whether one side is written down, and the other has to be like it."""
    for place, op in enumerate(ops):
        one, other = sides[place : place + 2]
        if isinstance(op, ast.Eq | ast.Lt | ast.LtE | ast.Gt | ast.GtE) and (_stands(one) or _stands(other)):
            return True
        if isinstance(op, ast.In) and is_plain(other):
            return True
    return False


def _stands(node: ast.expr) -> bool:
    return is_plain(node) or (isinstance(node, ast.Call) and called(node) == "approx")  # of numbers


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [op], [right])


# ---- deciding


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if is_plain(node):
        return ast.literal_eval(node)
    match node:
        case ast.Name(id=name):
            return names[name]
        case ast.BoolOp(values=values):
            return all(bool(_plain(_value(value, names))) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _plain(_value(operand, names))
        case ast.UnaryOp(operand=operand):
            return -_plain(_value(operand, names))
        case ast.Compare(left=left, ops=ops, comparators=others):
            one = _value(left, names)
            for op, side in zip(ops, others, strict=True):
                other = _value(side, names)
                if not isinstance(op, ast.Is | ast.IsNot):
                    one, other = _plain(one), _plain(other)
                elif not {type(one), type(other)} & {bool, type(None), type, OtherClass}:
                    raise _Undecided  # values do not tell whether they are one object
                if not _COMPARED[type(op)](one, other):
                    return False
                one = other
            return True
        case ast.BinOp(left=left, op=op, right=right):
            return _COMPUTED[type(op)](_bounded(_value(left, names)), _bounded(_value(right, names)))
        case ast.Call(args=arguments, keywords=keywords):
            given = [_plain(_value(argument, names)) for argument in arguments]
            named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
            return _computed(called(node), given, named)
    raise _Undecided


def _side(node: ast.expr, values: Sequence[Any]) -> Any:
    """A side of a comparison, if it is told or stands there."""
    if isinstance(node, ast.Name):
        return values[int(node.id[1:])]
    return ast.literal_eval(node) if is_plain(node) else Opaque("?")


def _computed(name: str, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
    match name:
        case "round":
            return round(*given)
        case "abs":
            return abs(given[0])
        case "isclose":
            return math.isclose(*given, **named)
    return Approximately(given[0], float(named.get("rel") or 1e-6), float(named.get("abs") or 1e-12))


def _plain(value: Any) -> Any:
    if isinstance(value, Opaque):
        raise _Undecided
    return value


def _bounded(value: Any) -> Any:
    """A number that nothing large comes of."""
    if not isinstance(value, int | float | complex) or (isinstance(value, int) and abs(value) > _LARGEST):
        raise _Undecided
    return value
