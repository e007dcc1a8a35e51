"""What the places that a model's bytes come from have in common: each appends to a partial file where it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from llm.errors import LLMError

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that are there, and the bytes in total."""

BLOCK = 1 << 20


class SourceUnreachable(LLMError):
    """This source does not have the model at the moment; another one may."""


def size_of(path: Path) -> int:
    """Bytes of a file; 0 when it is not there."""
    return path.stat().st_size if path.is_file() else 0
