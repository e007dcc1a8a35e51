"""One daemon per project: who holds the lock may touch its clone, its database and its engine's store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from orchestrator.errors import DaemonRunning

_LOCK = "engine.db.lock"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def claim(state: Path) -> IO[str]:
    """Take the project whose state is in that folder for this process, as long as the returned file stays open.

    To be done before anything of a crashed daemon is cleared away, whatever the database: a PostgreSQL server takes
    two daemons of one host without a word. Raises `DaemonRunning`.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = open(state / _LOCK, "a+", encoding="utf-8", opener=_private)  # noqa: SIM115  # held for life
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        lock.close()
        raise DaemonRunning(pid, state) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
