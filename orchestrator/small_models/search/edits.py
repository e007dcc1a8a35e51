"""Small changes of one function, many of them made of parts that other solutions of the same task have.

The "plastic surgery hypothesis" of program repair: the parts of a right solution are mostly there already, in other
places.
"""

from __future__ import annotations

import ast
import copy
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from testing.mutation.operators import Change, expression_places

from .templates import Hints, exchanges, usual_mends, wrappings

_BLOCKS = ("body", "orelse", "finalbody")
_EXPRESSIONS = (
    ast.Call, ast.BinOp, ast.Compare, ast.BoolOp, ast.Subscript, ast.ListComp, ast.GeneratorExp, ast.IfExp,
    ast.UnaryOp, ast.JoinedStr, ast.SetComp, ast.DictComp,
)  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
STAGES = 5
"""Of changes, the likely and few ones first."""
_MOST_UNKNOWN_NAMES = 2
_MOST_RENAMINGS = 12


def changes(
    stage: int, function: ast.FunctionDef, donors: Sequence[ast.FunctionDef], known: set[str], hints: Hints
) -> list[Change]:
    """Single changes of `function`: those of one `stage` (from 0), in random order.

    `known`: names that every solution may use (builtins, imports, the module's own).
    """
    match stage:
        case 0:
            found = [*usual_mends(function, hints), *_mutations(function), *_guards(function, donors, known)]
        case 1:
            found = [*_other_endings(function, donors), *exchanges(function, hints)]
        case 2:
            found = [*wrappings(function, hints), *_statements(function, donors, known)]
        case 3:
            found = [*_expressions(function, donors, known)]
        case _:
            # Last, since leaving something out is how a search fools its tests most easily.
            found = [*_deletions(function)]
    random.shuffle(found)
    return found


def _blocks(function: ast.FunctionDef) -> list[list[ast.stmt]]:
    return [
        block
        for node in ast.walk(function)
        for field in _BLOCKS
        if isinstance(block := getattr(node, field, None), list) and block and isinstance(block[0], ast.stmt)
    ]


def _deletions(function: ast.FunctionDef) -> Iterator[Change]:
    for block in _blocks(function):
        if len(block) > 1:
            yield from (Change(block, index, None) for index in range(len(block)))


def _mutations(function: ast.FunctionDef) -> Iterator[Change]:
    """The usual slips: a comparison, an `and`, a number that is one off, one term too many."""
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from (Change(node, "ops", [other()]) for other in _COMPARISONS.get(type(node.ops[0]), ()))
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield from (Change(node, "value", node.value + step) for step in (1, -1))
        elif isinstance(node, ast.BoolOp):
            yield Change(node, "op", ast.And() if isinstance(node.op, ast.Or) else ast.Or())
            if len(node.values) > 2:
                yield from (Change(node.values, index, None) for index in range(len(node.values)))
    for holder, key, node in expression_places(function):
        if isinstance(node, ast.BinOp) or (isinstance(node, ast.BoolOp) and len(node.values) == 2):
            sides = [node.left, node.right] if isinstance(node, ast.BinOp) else node.values
            yield from (Change(holder, key, side) for side in sides)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            yield Change(node, "op", ast.Sub() if isinstance(node.op, ast.Add) else ast.Add())


def _other_endings(function: ast.FunctionDef, donors: Sequence[ast.FunctionDef]) -> list[Change]:
    """The beginning of this function with the end of another one."""
    return [
        Change(function.body, slice(begin, len(function.body)), donor.body[end:])
        for donor in donors
        for begin in range(1, len(function.body))
        for end in range(1, len(donor.body))
    ]


def _guards(function: ast.FunctionDef, donors: Sequence[ast.FunctionDef], known: set[str]) -> Iterator[Change]:
    """What other solutions refuse or return early, at the beginning."""
    own = bound_names(function)
    early = (statement for donor in donors for statement in donor.body if isinstance(statement, ast.If))
    for statement in _distinct(early):
        if isinstance(statement.body[-1], ast.Raise | ast.Return) and not statement.orelse:
            yield from (Change(function.body, 0, fitted, insert=True) for fitted in _fitted(statement, own, known))


def _statements(function: ast.FunctionDef, donors: Sequence[ast.FunctionDef], known: set[str]) -> Iterator[Change]:
    own = bound_names(function)
    blocks = _blocks(function)
    for statement in _distinct(statement for donor in donors for block in _blocks(donor) for statement in block):
        for fitted in _fitted(statement, own, known):
            for block in blocks:
                yield from (Change(block, index, fitted) for index in range(len(block)))
                yield from (Change(block, index, fitted, insert=True) for index in range(len(block) + 1))


def _expressions(function: ast.FunctionDef, donors: Sequence[ast.FunctionDef], known: set[str]) -> Iterator[Change]:
    own = bound_names(function)
    places = [place for place in expression_places(function) if isinstance(place[2], _EXPRESSIONS)]
    for expression in _distinct(node for donor in donors for node in ast.walk(donor) if isinstance(node, _EXPRESSIONS)):
        for fitted in _fitted(expression, own, known):
            yield from (Change(holder, key, fitted) for holder, key, _ in places)


def _distinct(nodes: Iterator[Any]) -> list[Any]:
    return list({ast.dump(node): node for node in nodes}.values())


def bound_names(function: ast.FunctionDef) -> set[str]:
    """The names that `function` binds: its parameters and what it assigns."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    names = {argument.arg for argument in every}
    names |= {extra.arg for extra in (function.args.vararg, function.args.kwarg) if extra}
    stored = (node for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return names | {node.id for node in stored}


def _fitted(part: ast.AST, own: set[str], known: set[str]) -> Iterator[ast.AST]:
    """`part` with its unknown names replaced by names of this function, in the ways that are worth a try."""
    nodes = [node for node in ast.walk(part) if isinstance(node, ast.Name)]
    stored = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    unknown = sorted({node.id for node in nodes if isinstance(node.ctx, ast.Load)} - stored - own - known)
    if not unknown:
        yield part
    elif len(unknown) <= _MOST_UNKNOWN_NAMES:
        ways = list(itertools.permutations(sorted(own), len(unknown)))
        for way in random.sample(ways, min(len(ways), _MOST_RENAMINGS)):
            yield _Renamed(dict(zip(unknown, way, strict=True))).visit(copy.deepcopy(part))


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node
