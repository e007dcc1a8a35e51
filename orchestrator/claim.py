"""One daemon per project: who holds the lock may touch its clone and its engine's store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from sqlalchemy import make_url

from orchestrator.errors import DaemonRunning


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def claim(engine_url: str) -> IO[str] | None:
    """Take the engine's store for this process, as long as the returned file stays open; None on PostgreSQL.

    To be done before anything of a crashed daemon is cleared away. Raises `DaemonRunning`.
    """
    url = make_url(engine_url)
    if url.get_backend_name() != "sqlite":
        return None
    database = Path(str(url.database))
    database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = open(f"{database}.lock", "a+", encoding="utf-8", opener=_private)  # noqa: SIM115  # held for life
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        lock.close()
        raise DaemonRunning(pid, database.parent) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
