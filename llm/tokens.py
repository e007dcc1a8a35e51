"""The one place where text is turned into a number of tokens without asking a tokenizer."""

from __future__ import annotations

_ASCII_CHARS_PER_TOKEN = 3.0
"""Measured with the embedded model's tokenizer: 3.2-4.1 on Python source, 4.4 on English prose. Rounded down."""


def estimate_tokens(text: str) -> int:
    """How many tokens `text` is at worst: a third of its ASCII characters and one for each other character."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return int(ascii_chars / _ASCII_CHARS_PER_TOKEN) + len(text) - ascii_chars + 1
