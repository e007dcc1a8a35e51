"""Further questions to solutions of a task: calls like those of its tests, with other arguments."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, EllipsisType
from typing import TypeAlias

MOST_PROBES = 60
_TRIES = 400
RESULT = "_result"

_Value: TypeAlias = str | bytes | int | float | complex | EllipsisType | None


@dataclass(frozen=True)
class Probe:
    """A further question: a call in the place of that of a test, the statements before it, and the program of both."""

    test: int
    call: str
    before: tuple[str, ...]
    code: CodeType


def probes(
    name: str, tests: Sequence[Sequence[str]], solutions: Sequence[ast.AST], chooser: random.Random
) -> list[Probe]:
    """Programs that call `name` with other arguments than `tests` do, and leave what comes back in `RESULT`.

    `name` is a function or `Class.method`; what a test does before its call is done before, too.
    """
    calls = [(place, *call) for place, lines in enumerate(tests) for call in _calls(name, lines)]
    if not calls:
        return []
    pool = [
        node.value
        for part in [*(call for _, _, call in calls), *solutions]
        for node in ast.walk(part)
        if isinstance(node, ast.Constant)
    ]
    known = {ast.unparse(call) for _, _, call in calls}
    found: dict[str, Probe] = {}
    for _ in range(_TRIES):
        test, before, call = chooser.choice(calls)
        varied = _varied(call, pool, chooser)
        body: list[ast.stmt] = [*before, ast.Assign([ast.Name(RESULT, ast.Store())], varied)]
        text = ast.unparse(varied)
        if text not in found and text not in known:
            code = compile(ast.fix_missing_locations(ast.Module(body, [])), "<probe>", "exec")
            found[text] = Probe(test, text, tuple(ast.unparse(node) for node in before), code)
        if len(found) >= MOST_PROBES:
            break
    return list(found.values())


def _calls(name: str, lines: Sequence[str]) -> list[tuple[list[ast.stmt], ast.Call]]:
    """The calls of `name` in a test's body, each with the statements before it that are no assertions."""
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return []
    owner, _, last = name.rpartition(".")
    found: list[tuple[list[ast.stmt], ast.Call]] = []
    before: list[ast.stmt] = []
    for statement in tree.body:
        found += [
            (before[:], node)
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and (_attribute(node) if owner else _plain(node)) == last
        ]
        if not isinstance(statement, ast.Assert):
            before.append(statement)
    return found


def _plain(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _varied(call: ast.Call, pool: Sequence[_Value], chooser: random.Random) -> ast.Call:
    """The call with one or two things in its arguments changed."""
    varied = copy.deepcopy(call)
    arguments = [*varied.args, *(keyword.value for keyword in varied.keywords)]
    nodes = [node for argument in arguments for node in ast.walk(argument)]
    for _ in range(chooser.randint(1, 2)):
        node = chooser.choice(nodes) if nodes else None
        if isinstance(node, ast.Constant):
            node.value = _other(node.value, pool, chooser)
        elif isinstance(node, ast.List) and node.elts:
            index = chooser.randrange(len(node.elts))
            match chooser.randrange(3):
                case 0:
                    del node.elts[index]
                case 1:
                    node.elts.insert(index, copy.deepcopy(chooser.choice(node.elts)))
                case _:
                    node.elts.reverse()
    return varied


def _other(value: _Value, pool: Sequence[_Value], chooser: random.Random) -> _Value:
    """A value like `value`: near to it, or another one of its type from the tests and samples."""
    alike = [other for other in pool if type(other) is type(value)]
    if isinstance(value, bool) or not isinstance(value, int | float | str) or chooser.random() < 0.4:
        return chooser.choice(alike) if alike else value
    if isinstance(value, int | float):
        return chooser.choice([value + 1, value - 1, value * 2, value * 10, value // 2])
    return _other_text(value, [other for other in alike if isinstance(other, str)], chooser)


def _other_text(text: str, pool: Sequence[str], chooser: random.Random) -> str:
    words = text.split(" ")
    index = chooser.randrange(len(words))
    match chooser.randrange(6):
        case 0:
            words.pop(index)
        case 1:
            words.insert(index, chooser.choice(words))
        case 2:
            chooser.shuffle(words)
        case 3:
            words[index] = words[index][:1]
        case 4:
            words[index] = words[index].swapcase()
        case _:
            words.append(chooser.choice(pool) if pool else "x")
    return " ".join(words)
