"""Placeholders that stand for code a model did not write out, such as `# ... existing code ...`."""

from __future__ import annotations

import re
from collections.abc import Iterable

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


def elided_line(new: Iterable[str], old: Iterable[str]) -> str | None:
    """The first comment among the lines `new` that leaves code out and does not stand in `old`; None when none does."""
    known = {line.strip() for line in old}
    for line in new:
        comment = _COMMENT.match(line)
        if comment and _PLACEHOLDER.search(comment["text"]) and line.strip() not in known:
            return line
    return None
