"""Which files of a folder are a project's own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

NOT_SOURCE = frozenset({"venv", "node_modules", "__pycache__", "build", "dist", "site-packages"})
"""Folders whose content tools have made or installed, beside the hidden ones."""


def source_files(source: Path, besides: Collection[str] = ()) -> Iterator[Path]:
    """The files below `source`, in no order: without links, and without what is in hidden folders, in those of
    `NOT_SOURCE` or in those named in `besides`."""
    waiting = [source]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_symlink():
                continue
            if not path.is_dir():
                yield path
            elif not path.name.startswith(".") and path.name not in NOT_SOURCE and path.name not in besides:
                waiting.append(path)
