"""Tags: words that begin with # inside a note."""

from __future__ import annotations

import re


def tags_in(text: str) -> list[str]:
    """The tags of a text, in lower case, each once, in order."""
    return list(dict.fromkeys(tag.lower() for tag in re.findall(r"#(\w+)", text)))


def without_tags(text: str) -> str:
    """The text without its tags."""
    return re.sub(r"#\w+", "", text).strip()
