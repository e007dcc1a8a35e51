"""A unified diff, taken apart for a page: files, hunks and lines, each line with its numbers and coloured pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import Comment, Keyword, Literal, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_MOST_LINES = 5_000
"""Lines that are shown of one change."""
_COLOURED = 1_500
"""Lines of one file that are coloured: beyond, colours cost more than they tell."""
_MOST_LENGTH = 400
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"), (String, "s"), (Number, "n"), (Literal, "s"), (Keyword, "k"), (Operator.Word, "k"),
    (Name.Function, "f"), (Name.Class, "f"), (Name.Decorator, "d"), (Name.Builtin, "b"),
)  # fmt: skip


@dataclass
class Line:
    """A line of a hunk: `+`, `-` or a space, its numbers before and after, and its text in (class, text) pieces."""

    kind: str
    old: int | None
    new: int | None
    text: str
    pieces: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Hunk:
    """Lines of a file that stand together."""

    head: str
    lines: list[Line] = field(default_factory=list)

    @property
    def sides(self) -> Iterator[tuple[Line | None, Line | None]]:
        """Before and after, side by side: what was removed stands beside what took its place."""
        removed, added = list[Line](), list[Line]()
        for line in [*self.lines, None]:
            if line is not None and line.kind == "-":
                if added:
                    yield from _beside(removed, added)
                    removed, added = [], []
                removed.append(line)
            elif line is not None and line.kind == "+":
                added.append(line)
            else:
                yield from _beside(removed, added)
                removed, added = [], []
                if line is not None:
                    yield line, line


@dataclass
class FileDiff:
    """What changed in one file."""

    path: str
    old_path: str = ""
    status: str = "changed"
    hunks: list[Hunk] = field(default_factory=list)
    note: str = ""
    """What is not shown."""

    @property
    def added(self) -> int:
        return sum(line.kind == "+" for hunk in self.hunks for line in hunk.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "-" for hunk in self.hunks for line in hunk.lines)

    @property
    def lines(self) -> int:
        return sum(len(hunk.lines) for hunk in self.hunks)


def files_of(diff: str, *, coloured: bool = True) -> list[FileDiff]:
    """The files of a diff as git writes it."""
    files: list[FileDiff] = []
    hunk, old, new, left_old, left_new, shown = None, 0, 0, 0, 0, 0
    for text in diff.split("\n"):
        if hunk is not None and (left_old > 0 or left_new > 0) and text[:1] in ("+", "-", " ", ""):
            kind = text[:1] or " "
            line = Line(kind, old if kind != "+" else None, new if kind != "-" else None, text[1:])
            old, left_old = (old, left_old) if kind == "+" else (old + 1, left_old - 1)
            new, left_new = (new, left_new) if kind == "-" else (new + 1, left_new - 1)
            shown += 1
            if shown <= _MOST_LINES:
                hunk.lines.append(line)
            else:
                files[-1].note = f"The change has more than {_MOST_LINES:,} lines; the rest is in the text."
        elif text.startswith("diff --git "):
            files.append(FileDiff(_named(text.rpartition(" b/")[2])))
            hunk = None
        elif files and (found := _HUNK.match(text)):
            old, new = int(found[1]), int(found[3])
            left_old, left_new = int(found[2] or 1), int(found[4] or 1)
            hunk = Hunk(text)
            files[-1].hunks.append(hunk)
        elif files and hunk is None:
            _head(files[-1], text)
    for file in files if coloured else ():
        _colour(file)
    return files


def _head(file: FileDiff, text: str) -> None:
    key, _, value = text.partition(" ")
    if text.startswith("new file"):
        file.status = "new"
    elif text.startswith("deleted file"):
        file.status = "deleted"
    elif text.startswith("rename from "):
        file.status, file.old_path = "renamed", _named(text.removeprefix("rename from "))
    elif text.startswith("Binary files "):
        file.note = "It is no text."
    elif key == "+++" and value.rstrip("\t") != "/dev/null":
        file.path = _named(value.rstrip("\t")).removeprefix("b/")


def _named(path: str) -> str:
    """Git quotes unusual names as C does."""
    if not (path.startswith('"') and path.endswith('"')):
        return path
    raw = path[1:-1].encode("latin-1", "replace").decode("unicode_escape", "replace")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def _beside(removed: Sequence[Line], added: Sequence[Line]) -> Iterator[tuple[Line | None, Line | None]]:
    for index in range(max(len(removed), len(added))):
        yield (
            removed[index] if index < len(removed) else None,
            added[index] if index < len(added) else None,
        )


def _colour(file: FileDiff) -> None:
    try:
        lexer: Lexer = get_lexer_for_filename(file.path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    plain = isinstance(lexer, TextLexer) or file.lines > _COLOURED
    for hunk in file.hunks:
        for line in hunk.lines:
            line.pieces = [("", line.text)]
        if not plain and all(len(line.text) <= _MOST_LENGTH for line in hunk.lines):
            # Each side is a text of its own: a string that was opened in a removed line is none in the new text.
            for side in ("-", "+"):
                _colour_side(lexer, [line for line in hunk.lines if line.kind in (side, " ")])


def _colour_side(lexer: Lexer, lines: list[Line]) -> None:
    rest: list[list[tuple[str, str]]] = [[]]
    for token, value in lexer.get_tokens("\n".join(line.text for line in lines)):
        name = next((css for kind, css in _CLASSES if kind in token.split()), "")
        first, *more = value.split("\n")
        if first:
            rest[-1].append((name, first))
        for part in more:
            rest.append([(name, part)] if part else [])
    for line, pieces in zip(lines, rest, strict=False):
        if "".join(text for _, text in pieces) == line.text:  # what a lexer leaves out is shown plain
            line.pieces = pieces
