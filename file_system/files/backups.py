"""The previous versions of the files a task changed, on disk, so that they outlive a crash of the daemon.

`journal.jsonl` has one line per first change of a path: the path, and the name of the kept copy or null when there
was no file. The line is on disk before the file is touched.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kept:
    """What was at `path` before its first change: content and mode, both None when there was no file."""

    path: str
    content: bytes | None
    mode: int | None


class Backups:
    """Kept versions below one folder. Not shared between threads: one workspace has one writer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal = folder / "journal.jsonl"
        self._known = {kept.path for kept in self.entries()}

    def keep(self, path: str, content: bytes | None, mode: int | None) -> None:
        """Remember what stands at `path`, unless an older version is kept already."""
        if path in self._known:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy: str | None = None
        if content is not None:
            copy = f"{len(self._known):06d}"
            _write_durably(self._folder / copy, content, "wb")
        line = json.dumps({"path": path, "copy": copy, "mode": mode}) + "\n"
        _write_durably(self._journal, line.encode(), "ab")
        self._known.add(path)

    def entries(self) -> list[Kept]:
        """All kept versions, oldest first. A line that a crash cut short is left out: its file was not touched yet."""
        if not self._journal.exists():
            return []
        found = []
        for line in self._journal.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            copy = entry["copy"]
            content = (self._folder / copy).read_bytes() if copy is not None else None
            found.append(Kept(entry["path"], content, entry["mode"]))
        return found

    def clear(self) -> None:
        """Forget everything."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._known.clear()


def _write_durably(path: Path, data: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
