"""Whether new code holds what its tests ask and expect as literals: a table of the tests answers them and nothing else.

A mapping that is right holds them, too, so this is told to the reviewer and decides nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from file_system import NOT_PYTHON
from orchestrator.workbench.trial import listed

_FEWEST = 3
_SMALL = 10
"""Numbers below it stand in most code."""
_SHORT = 2
_NO_VALUE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


def tabulated(code: str, tests: Iterable[str], asked: str) -> str:
    """In a line, which cases of Python tests stand in `code`, the new lines of a change, with all their telling values;
    empty if it is less than half of the cases, or fewer than three. `asked`: the words of the task, whose values may
    stand in the code."""
    cases: dict[str, bool] = {}
    for text in tests:
        for shown, given, expected in _cases(text):
            inputs, outputs = [*_telling(given)], [*_telling(expected)]
            if inputs and not all(_stands_in(value, asked) for value in inputs):
                cases[shown] = all(_stands_in(value, code) for value in (*inputs, *outputs))
    found = [shown for shown, is_written in cases.items() if is_written]
    if len(found) < _FEWEST or len(found) * 2 < len(cases):
        return ""
    return (
        f"the new code holds as literals what {len(found)} of {len(cases)} cases of the tests give and expect: "
        f"{listed(found)}. Is it a table of the tests? Ask it for other values"
    )


def _cases(text: str) -> Iterator[tuple[str, list[object], object]]:
    """Each case of a test file as it is shown, with what it gives and what it expects: comparisons of a call with a
    value, and rows of `parametrize`."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return
    for node in ast.walk(module):
        match node:
            case (
                ast.Compare(left=ast.Call() as call, ops=[ast.Eq() | ast.Is()], comparators=[expected])
                | ast.Compare(left=expected, ops=[ast.Eq() | ast.Is()], comparators=[ast.Call() as call])
            ):
                arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
                values = _values([*arguments, expected])
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[_, ast.List(elts=rows) | ast.Tuple(elts=rows)]):
                for row in rows:
                    if isinstance(row, ast.Tuple | ast.List) and (values := _values(row.elts)) and len(values) > 1:
                        yield ast.unparse(row), values[:-1], values[-1]
                continue
            case _:
                continue
        if values and len(values) > 1:
            yield ast.unparse(node), values[:-1], values[-1]


def _values(nodes: Iterable[ast.expr]) -> list[object] | None:
    try:
        return [ast.literal_eval(node) for node in nodes]
    except _NO_VALUE:
        return None


def _telling(value: object) -> Iterator[str | bytes | int | float]:
    """The values in it that hardly stand in code by chance."""
    match value:
        case bool() | None:
            return
        case str() | bytes():
            if len(value) >= _SHORT:
                yield value
        case int() | float():
            if abs(value) >= _SMALL or value % 1:
                yield value
        case dict():
            for key, one in value.items():
                yield from (*_telling(key), *_telling(one))
        case Collection():
            for one in value:
                yield from _telling(one)


def _stands_in(value: str | bytes | int | float, text: str) -> bool:
    if isinstance(value, int | float):
        return re.search(rf"(?<![\w.]){re.escape(repr(abs(value)))}(?![\w.])", text) is not None
    inside = repr(value).removeprefix("b")[1:-1]
    return any(f"{mark}{inside}{mark}" in text for mark in "'\"`")
