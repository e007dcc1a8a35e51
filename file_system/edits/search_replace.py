"""Search/replace blocks: `<<<<<<< SEARCH`, `=======`, `>>>>>>> REPLACE`.

The SEARCH part must be in the file exactly once, as whole lines. Anything else is an error, shown to the model with the
nearest lines; nothing is guessed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from file_system.edits.answer_text import path_named_by
from file_system.errors import BlockMalformed, BlockMismatch, TruncatedAnswer
from file_system.syntax import newline_of, split_lines, with_newline

_SEARCH = re.compile(r"^\s*<{5,9}\s*SEARCH\b")
_DIVIDER = re.compile(r"^\s*={5,9}\s*$")
_REPLACE = re.compile(r"^\s*>{5,9}\s*REPLACE\b")
_MOST_SHOWN = 12


@dataclass(frozen=True)
class Block:
    """Replace `search` by `replace` in `path`; `number` counts the blocks of an answer from 1."""

    path: str
    search: str
    replace: str
    number: int


def has_blocks(answer: str) -> bool:
    """Whether the answer is written as search/replace blocks."""
    return any(_SEARCH.match(line) for line in split_lines(answer))


def blocks_of(answer: str, target: str | None = None) -> list[Block]:
    """The blocks of an answer in order.

    The path is above the block (or above its fence); a block without one belongs to the file of the block before it,
    or to `target`. Raises BlockMalformed, or TruncatedAnswer when the answer ends inside a block.
    """
    lines = split_lines(answer)
    found: list[Block] = []
    path = target
    position = 0
    while position < len(lines):
        if not _SEARCH.match(lines[position]):
            position += 1
            continue
        number = len(found) + 1
        path = _path_before(lines, position) or path
        if path is None:
            raise BlockMalformed(number, "no path stands above it; write the path of the file on the line before")
        divider = _next(lines, position + 1, _DIVIDER, number)
        end = _next(lines, divider + 1, _REPLACE, number)
        search = "".join(lines[position + 1 : divider])
        found.append(Block(path, search, "".join(lines[divider + 1 : end]), number))
        position = end + 1
    return found


@dataclass(frozen=True)
class Replaced:
    """A text after one replacement."""

    text: str
    line: int
    """Where it is, from 0."""
    note: str = ""
    """What the author of the edit has to know: that blanks were not as they wrote them."""


def apply_edit(path: str, text: str, old: str, new: str, number: int = 1) -> Replaced:
    """`text` with the one place of `old` replaced by `new`.

    A place that differs from `old` only in blanks is taken, too, if there is one alone; what `new` is indented by then
    follows the file. An empty `old` puts `new` at the end, on lines of its own. Raises BlockMismatch, with the places
    or the nearest lines, and changes nothing.
    """
    newline = newline_of(text)
    old, new = with_newline(old, newline), with_newline(new, newline)
    if not old:
        text += newline if text and not text.endswith("\n") else ""
        return Replaced(text + new + ("" if new.endswith("\n") else newline), text.count("\n"))
    if (count := text.count(old)) == 1:
        start = text.index(old)
        return Replaced(text[:start] + new + text[start + len(old) :], text.count("\n", 0, start))
    present = [line.rstrip("\r\n") for line in split_lines(text)]
    wanted = [line.rstrip("\r\n") for line in split_lines(old)]
    if count > 1:
        starts = [match.start() for match in re.finditer(re.escape(old), text)]
        where = ", ".join(str(text.count("\n", 0, start) + 1) for start in starts[:8])
        raise BlockMismatch(path, number, count, f"It begins at lines {where}: take in more lines until it is unique.")
    while wanted and not wanted[0].strip():
        wanted.pop(0)
    while wanted and not wanted[-1].strip():
        wanted.pop()
    squeezed = [" ".join(line.split()) for line in present]
    loose = _places(squeezed, [" ".join(line.split()) for line in wanted]) if wanted else []
    if len(loose) != 1:
        raise BlockMismatch(path, number, len(loose), _explanation(present, wanted or [""], loose))
    start, end = loose[0], loose[0] + len(wanted)
    shift = _shift(wanted, present[start:end])
    lines = split_lines(text)
    replacement = [_shifted(line, shift) for line in split_lines(new.strip("\r\n"))]
    if replacement and lines[end - 1].endswith("\n"):
        replacement[-1] = replacement[-1].rstrip("\r\n") + newline
    told = f"the place differs from `old` in white space (lines {start + 1} to {end})"
    return Replaced("".join([*lines[:start], *replacement, *lines[end:]]), start, told)


def _shift(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, str]:
    """The indentation that was written and the one that is there, of the first line that has text."""
    return next(
        (
            (line[: len(line) - len(line.lstrip())], there[: len(there) - len(there.lstrip())])
            for line, there in zip(wanted, present, strict=False)
            if line.strip()
        ),
        ("", ""),
    )


def _shifted(line: str, shift: tuple[str, str]) -> str:
    written, there = shift
    return there + line[len(written) :] if line.strip() and line.startswith(written) else line


def apply_blocks(text: str, blocks: Sequence[Block]) -> str:
    """`text` after all `blocks`, which belong to one file, one after the other. Raises BlockMismatch."""
    newline = newline_of(text)
    for block in blocks:
        lines = split_lines(text)
        replacement = split_lines(with_newline(block.replace, newline))
        if not block.search.strip():
            if text.strip():
                detail = "The SEARCH part is empty, but the file is not: copy the lines that are to be replaced."
                raise BlockMismatch(block.path, block.number, 0, detail)
            text = "".join(replacement)
            continue
        wanted = [line.rstrip("\r\n") for line in split_lines(block.search)]
        present = [line.rstrip("\r\n") for line in lines]
        places = _places(present, wanted)
        if len(places) != 1:
            raise BlockMismatch(block.path, block.number, len(places), _explanation(present, wanted, places))
        start, end = places[0], places[0] + len(wanted)
        if replacement and end == len(lines) and not text.endswith(("\n", "\r")):
            replacement[-1] = replacement[-1].rstrip("\r\n")
        text = "".join([*lines[:start], *replacement, *lines[end:]])
    return text


def _next(lines: list[str], start: int, marker: re.Pattern[str], number: int) -> int:
    for position in range(start, len(lines)):
        if marker.match(lines[position]):
            return position
        if _SEARCH.match(lines[position]):
            raise BlockMalformed(number, "it is not finished: ======= or >>>>>>> REPLACE is missing")
    raise TruncatedAnswer(f"block {number}")


def _path_before(lines: list[str], position: int) -> str | None:
    """The path on the line above, or above or beside the fence that the block stands in."""
    for line in reversed(lines[max(0, position - 3) : position]):
        text = line.strip()
        if not text:
            continue
        if _REPLACE.match(line):
            return None
        if text.startswith(("```", "~~~")):
            named = path_named_by(text.strip("`~").rpartition(" ")[2])
            if named:
                return named
            continue
        return path_named_by(text)
    return None


def _places(present: Sequence[str], wanted: Sequence[str]) -> list[int]:
    first = wanted[0]
    return [
        start
        for start in range(len(present) - len(wanted) + 1)
        if present[start] == first and list(present[start : start + len(wanted)]) == list(wanted)
    ]


def _explanation(present: Sequence[str], wanted: Sequence[str], places: Sequence[int]) -> str:
    if places:
        where = ", ".join(str(place + 1) for place in places[:8])
        return f"It begins at lines {where}: add lines before or after it until it is unique."
    squeezed = [" ".join(line.split()) for line in present]
    loose = _places(squeezed, [" ".join(line.split()) for line in wanted])
    start = loose[0] if loose else _nearest(squeezed, [" ".join(line.split()) for line in wanted])
    if start is None:
        return "Nothing in the file is like it: read the file again and copy its lines exactly."
    shown = "\n".join(f"{start + offset + 1:5} {line}" for offset, line in enumerate(present[start:][:_MOST_SHOWN]))
    if loose:
        return f"It differs from these lines only in white space; copy them exactly:\n{shown}"
    return f"The nearest lines are these; copy them exactly:\n{shown}"


def _nearest(present: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Index of the window that shares most lines with `wanted`, else of the line most like its first one."""
    words = {line for line in wanted if line}
    scores = [sum(line in words for line in present[start : start + len(wanted)]) for start in range(len(present))]
    if scores and max(scores) > 0:
        return scores.index(max(scores))
    first = next((line for line in wanted if line), "")
    close = difflib.get_close_matches(first, present, n=1, cutoff=0.6)
    return present.index(close[0]) if close else None
