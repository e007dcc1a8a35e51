"""Changing some lines of a text and leaving every other byte as it is."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Splice:
    """Put `text` in the place of lines `start` to `end` (from 0, `end` excluded); equal numbers insert."""

    start: int
    end: int
    text: str


def spliced(lines: Sequence[str], splices: Sequence[Splice]) -> str:
    """The text after all `splices`, which must not overlap; insertions at one place keep their order."""
    parts: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda item: (item.start, item.end)):
        if splice.start < position:
            raise ValueError(f"splices overlap at line {splice.start + 1}")
        parts += lines[position : splice.start]
        if splice.text and parts and not parts[-1].endswith(("\n", "\r")):
            parts.append("\n")
        parts.append(splice.text)
        position = splice.end
    return "".join([*parts, *lines[position:]])


@dataclass(frozen=True)
class Element:
    """One item of a list in source text; lines from 1 and columns in UTF-8 bytes, as `ast` gives them."""

    key: str
    line: int
    column: int
    end_line: int
    end_column: int


def with_element(lines: Sequence[str], elements: Sequence[Element], key: str, source: str) -> Splice:
    """The splice that adds `source` to a list with at least one element: in order if it is sorted, else at its end."""
    keys = [element.key for element in elements]
    place = len(elements)
    if keys == sorted(keys):
        place = bisect.bisect(keys, key)
    elif keys == sorted(keys, key=str.casefold):
        place = bisect.bisect([k.casefold() for k in keys], key.casefold())
    if _one_a_line(lines, elements):
        return _on_own_line(lines, elements, place, source)
    if place < len(elements):
        following = elements[place]
        return _inserted(lines, following.line, following.column, f"{source}, ")
    last = elements[-1]
    return _inserted(lines, last.end_line, last.end_column, f", {source}")


def _one_a_line(lines: Sequence[str], elements: Sequence[Element]) -> bool:
    return all(not lines[element.line - 1].encode()[: element.column].strip() for element in elements)


def _on_own_line(lines: Sequence[str], elements: Sequence[Element], place: int, source: str) -> Splice:
    neighbour = elements[min(place, len(elements) - 1)]
    line = lines[neighbour.line - 1]
    indent = line.encode()[: neighbour.column].decode()
    newline = line[len(line.rstrip("\r\n")) :] or "\n"
    if place < len(elements):
        return Splice(neighbour.line - 1, neighbour.line - 1, f"{indent}{source},{newline}")
    last = lines[neighbour.end_line - 1].encode()
    head, tail = last[: neighbour.end_column].decode(), last[neighbour.end_column :].decode()
    if tail.lstrip().startswith(","):
        return Splice(neighbour.end_line, neighbour.end_line, f"{indent}{source},{newline}")
    if tail.strip() and not tail.lstrip().startswith("#"):
        return _inserted(lines, neighbour.end_line, neighbour.end_column, f", {source}")  # the bracket closes here
    return Splice(neighbour.end_line - 1, neighbour.end_line, f"{head},{tail}{indent}{source},{newline}")


def _inserted(lines: Sequence[str], line: int, column: int, text: str) -> Splice:
    source = lines[line - 1].encode()
    return Splice(line - 1, line, (source[:column] + text.encode() + source[column:]).decode())
