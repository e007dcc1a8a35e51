"""The text of a model's answer: its fenced code blocks with the path each is meant for, placeholders for code that
it left out, such as `# ... existing code ...`, and small faults in Python that can be repaired.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from file_system.syntax import parses, split_lines

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
_COMMENT = re.compile(r"^\s*(?:#|//|--|/\*|<!--)\s*(?P<text>.*?)\s*(?:\*/|-->)?\s*$")
_THING = r"(?:code|methods?|functions?|class(?:es)?|implementation|logic|file|module|imports?|definitions?)"
_PLACEHOLDER = re.compile(
    rf"""(?ix)
    ^[(\[]? (?:\.{{3}}|…) \s* (?: $ | .*\b(?:{_THING}|existing|rest|unchanged|same|remaining|as\ before|omitted)\b )
    | ^[(\[]? (?:the\s+)? (?:rest|remainder|remaining|existing|previous|original|other) (?:\s+of(?:\s+the)?)?
      (?:\s+\w+){{0,4}}? \s+ {_THING}
      (?:\s+(?:here|goes\ here|unchanged|as\ before|omitted|(?:remains?|stays?)\b.*))? [\s.…)\]]* $
    | ^[(\[]? (?:unchanged|same\ as\ (?:before|above)|omitted) (?:\s+for\ brevity)? [\s.…)\]]* $
    """
)
_CODE_START = re.compile(
    r"(?:from|import|def|class|async def|if|try|with|for|while)\b|@\w|#|[\"']{3}|\w+\s*(?::.*)?=[^=]"
)
_MOST_TRIALS = 60
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u200b": None, "\ufeff": None})


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
    """All fenced blocks in order; prose around them is ignored. A block that was cut off is not `closed`."""
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


def elided_line(new: Iterable[str], old: Iterable[str]) -> str | None:
    """The first comment among the lines `new` that leaves code out and does not stand in `old`; None when none does."""
    known = {line.strip() for line in old}
    for line in new:
        comment = _COMMENT.match(line)
        if comment and _PLACEHOLDER.search(comment["text"]) and line.strip() not in known:
            return line
    return None


def repaired(code: str) -> str:
    """`code`, or the first repaired form of it that parses; `code` itself when nothing helps."""
    current = code
    for repair in REPAIRS:
        if parses("answer.py", current):
            return current
        current = repair(current)
    return current if parses("answer.py", current) else code


def without_prompts(code: str) -> str:
    """`>>>` and `...` of an interactive session taken off, its output left out."""
    lines = split_lines(code)
    if not any(line.lstrip().startswith(">>>") for line in lines):
        return code
    kept = (re.fullmatch(r"\s*(?:>>>|\.\.\.)(?: (.*)|)", line.rstrip("\r\n")) for line in lines)
    return "".join(f"{match[1] or ''}\n" for match in kept if match)


def with_plain_quotes(code: str) -> str:
    """Typographic quotes and invisible characters, as word processors make them, turned into plain ones."""
    return code.translate(_QUOTES)


def with_plain_indentation(code: str) -> str:
    """Tabs turned into spaces and a common indentation taken off."""
    return textwrap.dedent(code.expandtabs(4))


def with_first_line_dedented(code: str) -> str:
    """A first line that stands further right than the rest of the top level (a slip of copying) moved to column 0."""
    lines = split_lines(code.lstrip("\r\n"))
    if not lines or not lines[0][:1].isspace():
        return code
    return lines[0].lstrip() + "".join(lines[1:])


def without_prose(code: str) -> str:
    """Lines of prose before and after the code left out."""
    lines = [line for line in split_lines(code) if not line.lstrip().startswith("```")]
    starts = [number for number, line in enumerate(lines) if _CODE_START.match(line)]
    for start in starts[:_MOST_TRIALS]:
        text = _longest_parsing(lines[start:])
        if text is not None:
            return text
    return code


def _longest_parsing(lines: Sequence[str]) -> str | None:
    """The longest beginning of `lines`, ended before a line at column 0, that parses and holds a definition."""
    ends = [len(lines)]
    ends += [number for number in range(len(lines) - 1, 0, -1) if lines[number][:1].strip()]
    for end in ends[:_MOST_TRIALS]:
        text = "".join(lines[:end]).rstrip() + "\n"
        if re.search(r"^(?:async def|def|class)\b", text, re.MULTILINE) and parses("answer.py", text):
            return text
    return None


REPAIRS: Sequence[Callable[[str], str]] = (
    without_prompts,
    with_plain_quotes,
    with_plain_indentation,
    with_first_line_dedented,
    without_prose,
)
