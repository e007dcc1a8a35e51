"""Some tests of a test file without the others, its text otherwise as it is."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Collection, Iterator, Sequence

from testing.frameworks.framework import NOT_PYTHON, declared_tests

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def only_tests(text: str, file: str, ids: Collection[str]) -> str:
    """The text of the test file `file` without the tests that are not among `ids`; all of it when `file` itself is.

    Ids may bear parameters. A class that the rest of the file speaks of, as one that inherits from it does, stays
    whole. A text that does not parse is given back as it is.
    """
    if file in ids:
        return text
    try:
        body = ast.parse(text).body
    except NOT_PYTHON:
        return text
    wanted = {test_id.partition("[")[0] for test_id in ids}
    lines = io.StringIO(text, newline="").readlines()  # as the parser counts them, which `splitlines` does not
    for node in _unwanted(body, f"{file}::", wanted, text):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        for number in range(first - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    return "".join(lines)


def has_tests(text: str, file: str, tests: str) -> bool:
    """Whether the test file `file` with this text still has `tests`, which were taken from it, as they were."""
    return _lines(only_tests(text, file, declared_tests(tests, file))) == _lines(tests)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _unwanted(
    body: Sequence[ast.stmt], within: str, wanted: Collection[str], text: str
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test"):
            if within + node.name not in wanted:
                yield node
        elif isinstance(node, ast.ClassDef) and len(re.findall(rf"\b{node.name}\b", text)) == 1:
            inside = f"{within}{node.name}::"
            if _has_tests(node) and not any(test_id.startswith(inside) for test_id in wanted):
                yield node
                continue
            dropped = list(_unwanted(node.body, inside, wanted, text))
            if any(item not in dropped for item in node.body):  # a class of nothing is no Python
                yield from dropped


def _has_tests(node: ast.ClassDef) -> bool:
    return any(isinstance(item, _FUNCTIONS) and item.name.startswith("test") for item in ast.walk(node))
