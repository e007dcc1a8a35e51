"""The tests that a JavaScript file declares, read without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Language, Node, Parser
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_tsx, language_typescript

_TESTS, _SUITES = {"test", "it"}, {"describe", "suite"}


def declared_javascript_tests(text: str, file: str) -> list[str]:
    """Ids, `path::suite > name`, of the tests with a plain name in the test file `file` with this text."""
    grammar = (
        language_tsx()
        if file.endswith("x")
        else language_typescript()
        if "ts" in file.rpartition(".")[2]
        else javascript()
    )
    tree = Parser(Language(grammar)).parse(text.encode())
    if tree.root_node.has_error:
        return []
    return [f"{file}::{' > '.join(titles)}" for titles in _declared(tree.root_node, ())]


def _declared(node: Node, within: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in node.named_children:
        name, title = _call(child)
        if title is not None and name in _TESTS:
            yield (*within, title)
        elif title is not None and name in _SUITES:
            yield from _declared(child, (*within, title))
        else:
            yield from _declared(child, within)


def _call(node: Node) -> tuple[str, str | None]:
    """Name of the called function and its first argument, where that is a plain string."""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if node.type != "call_expression" or function is None or arguments is None or not arguments.named_children:
        return "", None
    first = arguments.named_children[0]
    if first.type not in ("string", "template_string") or any(
        part.type == "template_substitution" for part in first.children
    ):
        return "", None
    written = (first.text or b"").decode()[1:-1]
    called = (function.text or b"").decode()
    return called.partition(".")[0], re.sub(r"\\(.)", r"\1", written)
