"""Whether two pieces of work are the same in other words, told by code: no model is asked, and none can argue."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_WORD = re.compile(r"[a-z0-9_]+")
_NAME = re.compile(r"`\s*([A-Za-z_][\w.]*)|\b([A-Za-z_]\w*)\(|\b(\w*[a-z0-9]_\w+)\b|\b([a-z]+[A-Z]\w*)\b")
_IDLE = frozenset(
    re.findall(
        r"\w+",
        """a an the to of in for and with that it its this on by as is be so new function method class support task
        add adds create implement write make introduce provide define build let""",
    )
)
_TITLES, _TEXTS = 0.85, 0.9
"""How alike titles alone, or titles with descriptions, must be."""
_SHOWN = 600
"""Characters of a description that are compared: what is wanted stands at its beginning."""


def normal(title: str) -> str:
    """A title without case, marks and blanks."""
    return re.sub(r"\W+", " ", title).strip().lower()


def is_same_work(title: str, description: str, known: Iterable[tuple[str, str]]) -> bool:
    """Whether one of the `known` (title, description) asks for the same.

    Its title is the same, or it names the same code and says nearly the same. Work that names no code is told by its
    title alone, since by their words "export" and "import" are hard to tell apart.
    """
    return any(_is_same((title, description), other) for other in known)


def _is_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if normal(one[0]) == normal(other[0]):
        return True
    names = _names(one)
    if names != _names(other):
        return False
    if _alike(_words(one[0]), _words(other[0])) >= _TITLES:
        return True
    if not names:
        return False
    first, second = (_words(f"{title} {description[:_SHOWN]}") for title, description in (one, other))
    return _alike(first, second) >= _TEXTS


def _words(text: str) -> list[str]:
    """The telling words, sorted: their order means nothing."""
    return sorted({word for word in _WORD.findall(text.lower()) if word not in _IDLE})


def _alike(one: list[str], other: list[str]) -> float:
    """0 to 1 by the characters the two have in common."""
    if not one or not other:
        return 0.0
    return SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False).ratio()


def _names(work: tuple[str, str]) -> set[str]:
    """Names of code in the title, or the first one of the description where the title has none."""
    found = [next(group for group in match.groups() if group).lower() for match in _NAME.finditer(work[0])]
    if not found and (match := _NAME.search(work[1])):
        found = [next(group for group in match.groups() if group).lower()]
    return set(found)
