"""Free repairs of Python code in a model's answer: slips that need no second answer to be understood.

Each repair gives the text unchanged when it finds nothing to do. They are tried one after the other, and only while
the code does not parse, so code that is fine is never touched.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from file_system.code.syntax import parses
from file_system.files.lines import split_lines

_CODE_START = re.compile(
    r"(?:from|import|def|class|async def|if|try|with|for|while)\b|@\w|#|[\"']{3}|\w+\s*(?::.*)?=[^=]"
)
_MOST_TRIALS = 60
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u200b": None, "\ufeff": None})


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
