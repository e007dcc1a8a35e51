"""The fenced code blocks of a model's answer, each with the path it is meant for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from file_system.code.syntax import parses
from file_system.files.lines import split_lines

_OPENING = re.compile(r"^(?P<indent>\s*)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")
_PATH = re.compile(
    r"(?:[\w.@+\-\[\]]+/)*(?:[\w.@+\-\[\]]*\.[A-Za-z][A-Za-z0-9]{0,9}|Makefile|Dockerfile|LICENSE|\.\w+)"
)
_LABEL = re.compile(r"(?i)^(?:file\s?name|file\s?path|file|path|create|update|updated|new file|modified)\b\s*:?\s*")
_COMMENT_PATH = re.compile(r"^\s*(?:#+|//|--|;|/\*|<!--)\s*(?P<rest>.*?)\s*(?:\*/|-->)?\s*$")
_INFO_PATH = re.compile(r"(?:title|file|filename|path)\s*=\s*[\"']?([^\"'\s]+)")
_MARKDOWN = frozenset({"markdown", "md", "mdx"})
_PYTHON = frozenset({"python", "py", "python3", "py3", "pycon", ""})
_NOT_CODE = frozenset({"bash", "sh", "shell", "zsh", "console", "text", "txt", "output", "plaintext", "terminal"})


@dataclass(frozen=True)
class Fence:
    """One block: `language` in lower case, `path` as the answer gives it (None when it gives none)."""

    language: str
    path: str | None
    body: str
    closed: bool

    @property
    def code(self) -> bool:
        """Whether the block holds program text, as far as its language says, rather than a command or its output."""
        return self.language not in _NOT_CODE


def fences_of(answer: str) -> list[Fence]:
    """All fenced blocks in order; prose around them is ignored. A block that was cut off has `closed` False."""
    lines = split_lines(answer)
    found: list[Fence] = []
    position = 0
    while position < len(lines):
        opening = _OPENING.match(lines[position].rstrip("\r\n"))
        if opening is None:
            position += 1
            continue
        language, path = _described(opening["info"])
        path = path or _path_above(lines, position)
        start = position + 1
        end, closed = _end_of(lines, start, opening, language, path)
        body = _outdented(lines[start:end], len(opening["indent"]))
        found.append(_with_path_comment(language, path, body, closed))
        position = end + 1
    return found


def path_named_by(line: str) -> str | None:
    """The path that a heading such as `### src/app.py`, `**app.py**` or `File: app.py` names; None when it is prose."""
    text = re.sub(r"^\s*(?:#{1,6}\s+|[-*]\s+|\d+[.)]\s+)", "", line.strip())
    text = text.strip("*_`\"' :")
    text = _LABEL.sub("", text).strip("*_`\"' :")
    return text.removeprefix("./") if _PATH.fullmatch(text) else None


def _described(info: str) -> tuple[str, str | None]:
    """Language and path of an info string: `python`, `python src/a.py`, `python:a.py`, `a.py`, `py title="a.py"`."""
    words = info.strip().split()
    if not words:
        return "", None
    if named := _INFO_PATH.search(info):
        return words[0].casefold(), named[1]
    language, _, glued = words[0].partition(":")
    if glued and _PATH.fullmatch(glued):
        return language.casefold(), glued
    for word in words[1:]:
        if _PATH.fullmatch(word.strip("`\"'()")):
            return language.casefold(), word.strip("`\"'()").removeprefix("./")
    if len(words) == 1 and _PATH.fullmatch(language) and ("/" in language or "." in language.strip(".")):
        suffix = language.rpartition(".")[2].casefold()
        return suffix, language.removeprefix("./")
    return language.strip("{}.").casefold(), None


def _path_above(lines: list[str], position: int) -> str | None:
    for line in reversed(lines[max(0, position - 3) : position]):
        if line.strip():
            return path_named_by(line)
    return None


def _end_of(lines: list[str], start: int, opening: re.Match[str], language: str, path: str | None) -> tuple[int, bool]:
    """The index of the closing line, and whether there is one.

    A docstring may hold fences of its own: for Python the first closing line that makes the block parse is taken,
    and a missing closing line is forgiven when the rest parses.
    """
    closing = re.compile(rf"^\s*{re.escape(opening['marks'][0])}{{{len(opening['marks'])},}}\s*$")
    ends = [number for number in range(start, len(lines)) if closing.match(lines[number])]
    indent = len(opening["indent"])
    if language in _MARKDOWN or (path or "").endswith((".md", ".mdx")):
        return _markdown_end(lines, start, closing)
    if language in _PYTHON:
        for end in [*ends, len(lines)]:
            body = _outdented(lines[start:end], indent)
            if body.strip() and parses("answer.py", body):
                return end, True
    return (ends[0], True) if ends else (len(lines), False)


def _markdown_end(lines: list[str], start: int, closing: re.Pattern[str]) -> tuple[int, bool]:
    """Within Markdown a fence with a language opens an inner block, which takes the next closing line."""
    depth = 0
    for number in range(start, len(lines)):
        if closing.match(lines[number]):
            if depth == 0:
                return number, True
            depth -= 1
        elif (inner := _OPENING.match(lines[number].rstrip("\r\n"))) and inner["info"].strip():
            depth += 1
    return len(lines), False


def _outdented(lines: list[str], indent: int) -> str:
    """The lines without the indentation of their fence (a block within a list)."""
    return "".join(line[indent:] if not line[:indent].strip() else line for line in lines)


def _with_path_comment(language: str, path: str | None, body: str, closed: bool) -> Fence:
    """A first line such as `# src/app.py` names the path; it is not part of the file."""
    first, newline, rest = body.partition("\n")
    comment = _COMMENT_PATH.match(first) if language not in _MARKDOWN else None
    named = path_named_by(comment["rest"]) if comment else None
    if named is None or (path is not None and named != path):
        return Fence(language, path, body, closed)
    return Fence(language, named, rest.removeprefix("\n") if newline else "", closed)
