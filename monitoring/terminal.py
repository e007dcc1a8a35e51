"""Text of others on a terminal: characters that would move its cursor, change its title or turn the line about."""

from __future__ import annotations

import re

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def without_steering(text: str) -> str:
    """`text` without control characters (line ends and tabs stay) and without marks of writing direction."""
    return _STEERING.sub("", text)


def escaped_json(text: str) -> str:
    """The JSON document `text` with those characters as \\u escapes, which mean the same to who reads the JSON."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
