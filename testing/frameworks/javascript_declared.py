"""The tests that a JavaScript file declares, read without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Language, Node, Parser
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_tsx, language_typescript

_TESTS, _SUITES = {"test", "it"}, {"describe", "suite"}
_PLAIN = {"only", "concurrent", "sequential", "shuffle"}
"""What may be chained to them: `.each` and `.for` make titles from a table, `.skip` and `.todo` tests never pass."""


def declared_javascript_tests(text: str, file: str) -> list[str]:
    """Ids, `path::suite > name`, of the tests of the file `file` with this text that have a plain name and can pass."""
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
        if name not in _TESTS | _SUITES:
            yield from _declared(child, within)
        elif title is not None and name in _TESTS:
            yield (*within, title)
        elif title is not None:
            yield from _declared(child, (*within, title))


def _call(node: Node) -> tuple[str, str | None]:
    """The called function without what is chained to it, and the title: None where only a run tells it, or where no
    run ever says that the test passed."""
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
