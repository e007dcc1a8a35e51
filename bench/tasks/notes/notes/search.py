"""Finding notes."""

from __future__ import annotations

from collections.abc import Iterable

from notes.store import Note


def containing(notes: Iterable[Note], word: str) -> list[Note]:
    """Notes whose text contains a word."""
    return [note for note in notes if word in note.text]


def tagged(notes: Iterable[Note], tag: str) -> list[Note]:
    """Notes with a tag."""
    return [note for note in notes if tag.lower() in note.tags]


def summary(text: str, width: int = 40) -> str:
    """The first line of a note, cut to a width."""
    first = text.splitlines()[0]
    return first if len(first) <= width else first[: width - 1] + "…"
