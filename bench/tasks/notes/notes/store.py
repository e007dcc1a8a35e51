"""Where notes are kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from notes.tags import tags_in


@dataclass
class Note:
    """One note."""

    number: int
    text: str
    done: bool = False
    tags: list[str] = field(default_factory=list)


class Store:
    """All notes of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[Note] = []
        if path.exists():
            self.notes = [Note(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]

    def add(self, text: str) -> Note:
        """Keep a new note."""
        note = Note(len(self.notes) + 1, text, tags=tags_in(text))
        self.notes.append(note)
        self.save()
        return note

    def remove(self, number: int) -> None:
        """Throw a note away."""
        self.notes = [note for note in self.notes if note.number != number]
        self.save()

    def save(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps([asdict(note) for note in self.notes]), encoding="utf-8")
