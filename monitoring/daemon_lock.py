"""Whether a daemon runs, as any process can see it: by the lock that it holds.

The lock is one of an open file description (fcntl(2), "Open file description locks"), which can be asked for without
being taken: whoever looks never stands in the way of a daemon that starts.
"""

from __future__ import annotations

import fcntl
import struct
from pathlib import Path

LOCK = "engine.db.lock"
"""The name of the lock file in a project's folder of state; it holds the pid of the daemon."""
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
"""`struct flock`: a lock for writing from the beginning to the end."""


def hold(file: int) -> None:
    """Take the lock of an open file for as long as it is open. Raises BlockingIOError if another process has it."""
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, _WHOLE_FILE)


def is_held(file: int) -> bool:
    """Whether the lock of an open file is held through another description of it."""
    found: int = struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_OFD_GETLK, _WHOLE_FILE))[0]
    return found != fcntl.F_UNLCK


def daemon_pid(state: Path) -> int | None:
    """Pid of the daemon that holds the lock of the project whose state is in that folder, or None."""
    try:
        with (state / LOCK).open("r", encoding="utf-8") as file:
            return (int(file.read().strip() or 0) or None) if is_held(file.fileno()) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
