"""Files of the gateway: written whole or not at all, copied only if there is room, locked with who uses them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

BACKLOG = 4096
"""Connections that wait in a socket while nobody takes them."""
_ROOM = 16 * 1024 * 1024
"""Bytes that are left free beside a copy."""


class Trouble(Exception):
    """What is told to whoever asked: a kind (`disk`, `unhealthy`, `refused`) and a sentence."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


def read_json(file: Path) -> dict[str, Any]:
    """What a file holds; empty where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def read_variables(file: Path) -> dict[str, str]:
    """The NAME=VALUE lines of a file, without those that are comments."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, is_one, value = line.strip().partition("=")
        if is_one and name.isidentifier() and name not in ("COMMIT", "GATEWAY"):
            found[name] = value
    return found


def write_json(file: Path, value: object) -> None:
    """Write a file so that a crash leaves the old one or the new one. Raises `Trouble`."""
    new = file.with_suffix(".new")
    try:
        with new.open("w", encoding="utf-8") as opened:
            json.dump(value, opened, indent=1)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except OSError as problem:
        raise _told(problem, file) from problem


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total


def copy_state(state: Path, snapshot: Path) -> None:
    """Copy the state of a service that does not run. Raises `Trouble`, and then leaves nothing."""
    remove(snapshot)
    half = snapshot.with_name(snapshot.name + ".half")
    remove(half)
    try:
        need_room(state, size_of(state))
        half.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(state, half)
        os.sync()
        half.rename(snapshot)
    except (OSError, shutil.Error) as problem:
        remove(half)
        raise _told(problem, state) from problem


def need_room(folder: Path, size: int) -> None:
    """Raises `Trouble` where so many bytes, and some more, have no room."""
    free = shutil.disk_usage(folder).free
    if free < size + _ROOM:
        told = f"the state is {size // 2**20} MB, and {free // 2**20} MB are free at {folder}, with 16 MB to be left"
        raise Trouble("disk", f"no room for a copy of the state: {told}")


def copy_object(file: Path, target: Path) -> None:
    """Copy the database of one object while it may be in use."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
        with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as copied:
            source.backup(copied)
    except (OSError, sqlite3.Error) as problem:
        if "full" in str(problem):
            raise Trouble("disk", f"{target.parent}: {problem}") from problem
        raise Trouble("unhealthy", f"the object {file.stem} cannot be copied: {problem}") from problem


def remove(folder: Path) -> None:
    """Delete a folder, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def lock(file: Path, seconds: float) -> int:
    """Lock a file; the lock lasts until the last process with the descriptor has ended. Raises `Trouble`."""
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(opened)
                raise Trouble("refused", f"another process holds {file}") from None
            time.sleep(0.02)
        else:
            return opened


def listening(path: Path) -> socket.socket:
    """A Unix socket for this user alone. Raises `Trouble`."""
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX)
    try:
        opened.bind(str(path))
    except OSError as problem:  # such as a path of more than 107 bytes
        opened.close()
        raise Trouble("refused", f"nothing can listen at {path}: {problem}") from problem
    path.chmod(0o600)
    opened.listen(BACKLOG)
    return opened


def _told(problem: Exception, place: Path) -> Trouble:
    full = getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(problem)
    return Trouble("disk" if full else "refused", f"{place}: {str(problem)[-500:]}")
