"""Looking for text in the files of a workspace, for somebody who may ask for anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import re2

from file_system.errors import FileSystemError, SearchRefused
from file_system.files.file_manager import FileManager
from file_system.files.paths import matching_pattern

_SECONDS = 5.0
"""A search as a whole."""
_LONGEST_LINE = 200


@dataclass(frozen=True)
class Match:
    """A line that holds what was looked for; `line` counts from 1, `text` is cut at 200 characters."""

    path: str
    line: int
    text: str


def search(
    files: FileManager, text: str, glob: str, *, expression: bool, most: int, hidden: Sequence[str] = ()
) -> tuple[list[Match], bool]:
    """The first `most` lines with `text` in files that match `glob` and no pattern of `hidden`; whether that is all.

    `expression`: `text` is a regular expression. Raises SearchRefused when it is none, or takes too long.
    """
    holds = _held_by(text) if expression else (lambda line: text in line)
    deadline = time.monotonic() + _SECONDS
    found: list[Match] = []
    for match in _matches(files, glob, hidden, holds, deadline):
        if len(found) == most:
            return found, False
        found.append(match)
    return found, True


def _held_by(text: str) -> Callable[[str], bool]:
    """RE2 takes time in proportion to the line; `re` can be made to take for ever, and `regex` not always stopped."""
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text, options=options)
    except re2.error:
        raise SearchRefused(f"{text[:80]!r} is no regular expression of RE2 (no look-around, no references)") from None
    return lambda line: pattern.search(line) is not None


def _matches(
    files: FileManager, glob: str, hidden: Sequence[str], holds: Callable[[str], bool], deadline: float
) -> Iterator[Match]:
    for path in files.find_files(glob):
        name = path.as_posix()
        if matching_pattern(name, hidden):
            continue
        try:
            lines = files.read_file(name).splitlines()
        except FileSystemError:
            continue  # too large or not text
        for number, line in enumerate(lines, start=1):
            if holds(line):
                yield Match(name, number, line.strip()[:_LONGEST_LINE])
        if time.monotonic() > deadline:
            raise SearchRefused(f"it took longer than {_SECONDS:g} s")
