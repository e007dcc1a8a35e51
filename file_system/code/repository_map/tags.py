"""What one file says about itself: the definitions it holds and the names its code uses."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from pydantic import BaseModel, ConfigDict
from tree_sitter import Node, Point, QueryCursor, Tree

from file_system.code.repository_map.languages import Grammar

_LONGEST_SIGNATURE = 140
_LONGEST_CONSTANT = 80
_MOST_DEFINITIONS = 1000
_MOST_NAMES = 3000
_PARSING_SECONDS = 1.0
"""A file that takes longer is no code that anybody wrote."""
_NAME = re.compile(r"[^\W\d][\w$]{2,60}")
_BLANK = re.compile(r"\s+")
_INNER_BLANK = re.compile(r"([(\[]) |,? ([)\]])")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Definition(_Frozen):
    """Something a file defines, but for what is local to a function. `line` counts from 1."""

    name: str
    """Empty for a group of definitions that defines no name, such as Rust's `impl`."""
    signature: str
    """As in the source up to the body, on one line: `def add(a: int) -> int`."""
    line: int
    depth: int = 0
    """Definitions around it, such as the class of a method."""


class Tags(_Frozen):
    """A file's definitions in the order of its lines, and how often its code (not its comments) uses which name."""

    definitions: tuple[Definition, ...] = ()
    uses: dict[str, int] = {}


def tags_of(source: bytes, grammar: Grammar) -> Tags:
    """Read the tags of a file. What cannot be parsed in a second has none; errors in the syntax are read around."""
    tree = _parsed(source, grammar)
    if tree is None:
        return Tags()
    captures = QueryCursor(grammar.query).captures(tree.root_node)
    source = _without(source, captures.pop("comment", []))
    code = _without(source, captures.pop("text", []))
    names = Counter(_NAME.findall(code.decode("utf-8", "replace")))
    nodes = sorted(
        ((node, kind) for kind, found in captures.items() for node in found),
        key=lambda item: (item[0].start_byte, -item[0].end_byte),
    )
    definitions = tuple(islice(_outer(nodes, source), _MOST_DEFINITIONS))
    return Tags(definitions=definitions, uses=dict(names.most_common(_MOST_NAMES)))


def _without(source: bytes, nodes: list[Node]) -> bytes:
    """The source with blanks in the place of `nodes`."""
    code = bytearray(source)
    for node in nodes:
        code[node.start_byte : node.end_byte] = b" " * (node.end_byte - node.start_byte)
    return bytes(code)


def _parsed(source: bytes, grammar: Grammar) -> Tree | None:
    deadline = time.monotonic() + _PARSING_SECONDS

    def rest(offset: int, _: Point) -> bytes:
        return source[offset : offset + 65_536]

    try:
        return grammar.parser.parse(rest, progress_callback=lambda *_: time.monotonic() > deadline)
    except ValueError:  # given up
        return None


def _outer(nodes: list[tuple[Node, str]], source: bytes) -> Iterator[Definition]:
    """The definitions of `nodes`, which are in the order of the source, without those inside of functions."""
    around: list[tuple[int, str]] = []
    for node, kind in nodes:
        while around and around[-1][0] <= node.start_byte:
            around.pop()
        if any(outer == "function" for _, outer in around):
            continue
        name = "" if kind == "group" else _name(node, source)
        if name or kind == "group":
            signature = _signature(node, kind, source)
            yield Definition(name=name, signature=signature, line=node.start_point.row + 1, depth=len(around))
        around.append((node.end_byte, kind))


def _name(node: Node, source: bytes) -> str:
    named = node.child_by_field_name("name") or node.child_by_field_name("left")
    if named is not None and named.type == "member_expression":  # exports.f = …
        named = named.child_by_field_name("property")
    return source[named.start_byte : named.end_byte].decode("utf-8", "replace")[:60] if named is not None else ""


def _signature(node: Node, kind: str, source: bytes) -> str:
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    body = node.child_by_field_name("body") or (value.child_by_field_name("body") if value is not None else None)
    text = source[node.start_byte : body.start_byte if body is not None else node.end_byte].decode("utf-8", "replace")
    if body is None:
        text = next(iter(text.splitlines()), "")
    text = _INNER_BLANK.sub(r"\1\2", _BLANK.sub(" ", text)).strip().removesuffix("=>").rstrip(" :{")
    longest = _LONGEST_CONSTANT if kind == "constant" else _LONGEST_SIGNATURE
    return text if len(text) <= longest else text[: longest - 1] + "…"
