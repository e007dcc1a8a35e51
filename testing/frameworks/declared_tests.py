"""What a test file declares, read without running it, and some of its tests without the others."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from tree_sitter import Language, Node, Parser
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_tsx, language_typescript

from testing.frameworks.framework import NOT_PYTHON

JAVASCRIPT_SUFFIXES = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_TESTS, _SUITES = {"test", "it"}, {"describe", "suite"}
_PLAIN = {"only", "concurrent", "sequential", "shuffle"}
"""What may be chained to them: `.each` and `.for` make titles from a table, `.skip` and `.todo` tests never pass."""


def declared_tests(text: str, file: str) -> list[str]:
    """Ids of the tests that the test file `file` with this text defines, without their parameters, read without running
    it; empty when it does not parse. They say which tests a file holds that cannot be imported before the code exists.
    """
    if PurePosixPath(file).suffix in JAVASCRIPT_SUFFIXES:
        return _declared_javascript(text, file)
    try:
        tree = ast.parse(text)
    except NOT_PYTHON:
        return []
    return [f"{file}::{name}" for name, _ in _declared_nodes(tree.body, "")]


def declared_sources(text: str, file: str) -> dict[str, str]:
    """As `declared_tests`, with the source of each test, whatever its layout and comments; empty where only the name is
    known (JavaScript)."""
    if PurePosixPath(file).suffix in JAVASCRIPT_SUFFIXES:
        return dict.fromkeys(_declared_javascript(text, file), "")
    try:
        tree = ast.parse(text)
    except NOT_PYTHON:
        return {}
    return {f"{file}::{name}": ast.dump(node) for name, node in _declared_nodes(tree.body, "")}


def only_tests(text: str, file: str, ids: Collection[str]) -> str:
    """The text of the test file `file` without the tests that are not among `ids`; all of it when `file` itself is.

    Ids may bear parameters. A class that the rest of the file names, for example to inherit from it, stays whole. A
    text that does not parse is returned unchanged.
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


def _declared_nodes(body: Sequence[ast.stmt], within: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test"):
            yield within + node.name, node
        elif isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or _is_test_case(node)):
            yield from _declared_nodes(node.body, f"{within}{node.name}::")


def _is_test_case(node: ast.ClassDef) -> bool:
    return any("TestCase" in ast.unparse(base) for base in node.bases)


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
            if any(item not in dropped for item in node.body):  # an empty class is not valid Python
                yield from dropped


def _has_tests(node: ast.ClassDef) -> bool:
    return any(isinstance(item, _FUNCTIONS) and item.name.startswith("test") for item in ast.walk(node))


def _declared_javascript(text: str, file: str) -> list[str]:
    """Ids, `path::suite > name`, of the tests of the file `file` with this text that have a plain name and can pass."""
    return [f"{file}::{' > '.join(titles)}" for titles, _ in javascript_tests(text, file)]


def javascript_tests(text: str, file: str) -> list[tuple[tuple[str, ...], Node]]:
    """The calls that declare the tests of `_declared_javascript`, with the titles around them and their own; positions
    are those in the text as UTF-8. Empty when it does not parse."""
    grammar = (
        language_tsx()
        if file.endswith("x")
        else language_typescript()
        if "ts" in file.rpartition(".")[2]
        else javascript()
    )
    tree = Parser(Language(grammar)).parse(text.encode())
    return [] if tree.root_node.has_error else list(_javascript_tests(tree.root_node, ()))


def _javascript_tests(node: Node, within: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    for child in node.named_children:
        name, title = _call(child)
        if name not in _TESTS | _SUITES:
            yield from _javascript_tests(child, within)
        elif title is not None and name in _TESTS:
            yield (*within, title), child
        elif title is not None:
            yield from _javascript_tests(child, (*within, title))


def _call(node: Node) -> tuple[str, str | None]:
    """The called function without what is chained to it, and the title: None where only a run shows it, or where the
    test can never pass."""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if node.type != "call_expression" or function is None or arguments is None or not arguments.named_children:
        return "", None
    name, *variants = (function.text or b"").decode().split(".")
    if function.type == "call_expression":  # such as test.each(table)("adds %i", …)
        return name.partition("(")[0], None
    first = arguments.named_children[0]
    return name, _title(first) if _PLAIN.issuperset(variants) else None


def _title(node: Node) -> str | None:
    """The text of a plain string; None of anything else, and where an escape stands for another character."""
    if node.type not in ("string", "template_string") or any(
        part.type == "template_substitution" for part in node.children
    ):
        return None
    written = (node.text or b"").decode()[1:-1]
    if any(escaped.isalnum() or escaped == "\n" for escaped in re.findall(r"\\(.)", written, re.DOTALL)):
        return None
    return re.sub(r"\\(.)", r"\1", written)
