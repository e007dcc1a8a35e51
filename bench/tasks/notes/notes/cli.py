"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from notes.search import summary
from notes.store import Note, Store


def line(note: Note) -> str:
    """A note in one line."""
    return f"{note.number} {'x' if note.done else '-'} {summary(note.text)}"


def build_parser() -> argparse.ArgumentParser:
    """What the command understands."""
    parser = argparse.ArgumentParser(prog="notes")
    parser.add_argument("--file", type=Path, default=Path("notes.json"))
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add")
    add.add_argument("text")
    commands.add_parser("list")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    chosen = build_parser().parse_args(arguments)
    store = Store(chosen.file)
    if chosen.command == "add":
        print(line(store.add(chosen.text)))
    else:
        for note in store.notes:
            print(line(note))
    return 0
