"""Whether two texts of a file say the same: with other blanks and comments a program does what it did before."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from file_system.code.repository_map.languages import grammar_of, language_of


def same_code(path: str, one: str, other: str) -> bool:
    """Whether the two texts of the file at `path` differ in nothing but blanks, line ends and comments.

    Files in a language that is not parsed here are the same only as texts.
    """
    language = language_of(path)
    if language is None or one == other:
        return one == other
    parser = grammar_of(language).parser
    first, second = (parser.parse(text.encode("utf-8", "surrogatepass")).root_node for text in (one, other))
    return list(_told(first)) == list(_told(second))


def _told(root: Node) -> Iterator[tuple[str, bytes | None]]:
    """Kinds and words in their order, comments left out. How blocks nest is told by where each one ends."""
    waiting: list[Node | None] = [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            yield ("end", None)
        elif not node.type.endswith("comment"):
            yield (node.type, None if node.children else node.text)
            waiting += [None, *reversed(node.children)]
