"""Lines as Python's parser counts them.

`str.splitlines` also splits at form feeds and Unicode separators; line numbers of `ast` would then point elsewhere.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends; joined they are `text` again."""
    return _LINE.findall(text)


def newline_of(text: str) -> str:
    r"""The line end a file uses, judged by its first line; `\n` for an empty one."""
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def with_newline(text: str, newline: str) -> str:
    """`text` with every line end turned into `newline`."""
    return re.sub(r"\r\n|\r|\n", newline, text)
