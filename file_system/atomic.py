"""Reads and replaces a file through the descriptor of its folder, so that a crash leaves the old or the new text, and
keeps the previous version.

Previous versions are kept in a folder of their own, so that they survive a crash of the daemon: `journal.jsonl` has one
line per first change of a path, with the path and the name of the kept copy, or null when there was no file. The line
is on disk before the file is touched.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from file_system.errors import FileExists, FileMissing, FileTooLarge, PathRefused

_NEW_FILE_MODE = 0o644
_TEMPORARY = ".agents-writing-"


def read_bytes(parent: int, name: str, path: str, limit: int) -> bytes:
    """The content of a regular file; raises FileMissing, PathRefused (link, folder, device) or FileTooLarge."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        raise FileMissing(path) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link_refused(path) from None
        if error.errno in {errno.ENXIO, errno.ENODEV}:
            raise _special_refused(path) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _special_refused(path)
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > limit:
            raise FileTooLarge(path, status.st_size, limit)
        return file.read(limit + 1)


def mode_of(parent: int, name: str, path: str) -> int | None:
    """Permission bits of the file, None when there is none; raises PathRefused when it is not a regular file."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise _link_refused(path)
    if not stat.S_ISREG(mode):
        raise _special_refused(path)
    return stat.S_IMODE(mode) & 0o777


def replace_bytes(parent: int, name: str, data: bytes, mode: int | None) -> None:
    """Replace the file `name` by `data`; `mode` None means a new file."""
    temporary = _written(parent, data, _NEW_FILE_MODE if mode is None else mode)
    try:
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)


def create_bytes(parent: int, name: str, data: bytes, path: str) -> None:
    """Create `name` with `data`; raises FileExists when it exists already, also in a race."""
    temporary = _written(parent, data, _NEW_FILE_MODE)
    try:
        os.link(temporary, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        raise FileExists(path) from None
    finally:
        os.unlink(temporary, dir_fd=parent)
    os.fsync(parent)


def sweep(parent: int) -> None:
    """Remove the temporary files that dead processes left in a folder."""
    for name in os.listdir(parent):
        if name.startswith(_TEMPORARY):
            writer = name.removeprefix(_TEMPORARY).partition("-")[0]
            if not Path("/proc", writer).exists():
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)


def _written(parent: int, data: bytes, mode: int) -> str:
    name = f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name, dir_fd=parent)
        raise
    return name


def _link_refused(path: str) -> PathRefused:
    return PathRefused(path, "link", "it is a link", "name the file it points to")


def _special_refused(path: str) -> PathRefused:
    return PathRefused(path, "special", "it is not a regular file", "agents read and write regular files only")


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
        """Keep the content of `path`, unless an older version is kept already."""
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
        """Delete all kept versions."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._known.clear()


def _write_durably(path: Path, data: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
