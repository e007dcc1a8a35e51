"""Comments in source code: those that leave work to do, and code that is the same but for its comments and blanks."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict
from tree_sitter import Node

from file_system.code.languages import grammar_of, language_of
from file_system.code.names import Definition, first_line_of
from file_system.files.syntax import NOT_PYTHON

_WORD = re.compile(r"(?P<word>TODO|FIXME)\b(?:\([^)\n]*\))?[ \t]*:?[ \t]*(?P<text>.*)")
_HASH = re.compile(r"^#+[ \t]*")
_SLASHES = re.compile(r"^\s*(?://+|/?\*+|#+|--|<!--)[ \t]*|(?<=\s)(?://+|#+)[ \t]*")
_CLOSING = re.compile(r"\s*(?:\*/|-->)\s*$")
_AROUND = 3
"""Lines before and after a comment that stands in no definition."""


class Mark(BaseModel):
    """One such comment."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    word: str
    text: str
    """What is to be done, its lines joined."""
    symbol: str = ""
    """`function`, `Class` or `Class.method` that the comment stands in or directly above."""
    around: str = ""
    """The source of that definition; without one a few lines about the comment."""


def marks_in(path: str, text: str) -> list[Mark]:
    """The marks of a source file, in order. Only comments count, where the language is known (Python)."""
    comments = _python_comments(text) if path.endswith(".py") else _other_comments(text)
    definitions = list(_definitions(text)) if path.endswith(".py") else []
    lines = text.splitlines()
    marks: list[Mark] = []
    for line, comment in comments:
        found = _WORD.match(comment)
        if found:
            symbol, around = _place(line, lines, definitions)
            marks.append(
                Mark(path=path, line=line, word=found["word"], text=found["text"], symbol=symbol, around=around)
            )
        elif marks and marks[-1].line + marks[-1].text.count("\n") + 1 == line:
            marks[-1] = marks[-1].model_copy(update={"text": f"{marks[-1].text}\n{comment}"})
    return [mark.model_copy(update={"text": " ".join(mark.text.split())}) for mark in marks]


def _python_comments(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], _HASH.sub("", token.string).strip()))
    except (tokenize.TokenError, SyntaxError):
        pass  # what came before the mistake counts
    return found


def _other_comments(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if opening := _SLASHES.search(line):
            found.append((number, _CLOSING.sub("", line[opening.end() :]).strip()))
    return found


def _definitions(text: str) -> Iterator[tuple[str, int, int]]:
    """Dotted name, first and last line of every definition, outer ones first."""
    try:
        waiting: list[tuple[str, ast.AST]] = [("", ast.parse(text))]
    except NOT_PYTHON:
        return
    while waiting:
        within, node = waiting.pop(0)
        for child in ast.iter_child_nodes(node):
            name = within
            if isinstance(child, Definition):
                name = f"{within}.{child.name}" if within else child.name
                yield name, first_line_of(child), child.end_lineno or child.lineno
            waiting.append((name, child))


def _place(line: int, lines: Sequence[str], definitions: Sequence[tuple[str, int, int]]) -> tuple[str, str]:
    inside = [place for place in definitions if place[1] <= line <= place[2]]
    if not inside:
        below = line
        while below < len(lines) and lines[below].lstrip().startswith("#"):
            below += 1
        inside = [place for place in definitions if place[1] == below + 1]
    if inside:
        name, first, last = inside[-1]
        return name, "\n".join(lines[first - 1 : last])
    return "", "\n".join(lines[max(line - 1 - _AROUND, 0) : line + _AROUND])


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
