"""Which files of a folder are a project's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

NOT_SOURCE = frozenset({"venv", "node_modules", "__pycache__", "build", "dist", "site-packages"})
"""Folders whose content tools have made or installed, beside the hidden ones."""


def source_files(source: Path, besides: Collection[str] = ()) -> Iterator[Path]:
    """The files below `source`, in no order: without links, and without what is in hidden folders, in those of
    `NOT_SOURCE` or in those named in `besides`."""
    return map(Path, source_paths(source, besides))


def source_paths(source: Path, besides: Collection[str] = ()) -> Iterator[str]:
    """As `source_files`, as plain text: with many files, which are walked often, objects take most of the time."""
    waiting = [os.fspath(source)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    yield entry.path
                elif not entry.name.startswith(".") and entry.name not in NOT_SOURCE and entry.name not in besides:
                    waiting.append(entry.path)
