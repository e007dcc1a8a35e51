"""The one place where text is turned into a number of tokens without asking a tokenizer."""

from __future__ import annotations

_ASCII_CHARS_PER_TOKEN = 3.0
"""The embedded model's tokenizer took 4.1 on Python source (595 tokens with the chat template); 3 leaves room."""


def estimate_tokens(text: str) -> int:
    """How many tokens `text` is at worst: a third of its ASCII characters and one for each other character."""
    ascii_chars = len(text.encode("ascii", "ignore"))
    return int(ascii_chars / _ASCII_CHARS_PER_TOKEN) + len(text) - ascii_chars + 1
