"""One daemon per project: only the holder of its locks may change its clone, its database and its engine's store."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import make_url

from monitoring.daemon_lock import LOCK, hold
from orchestrator.errors import DaemonRunning


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def claim(state: Path, engine_url: str) -> ExitStack:
    """Lock the project whose state is in that folder for this process, until the returned stack is closed: the folder,
    whatever the database, and the SQLite file, which the daemon of another folder may use too.

    Call it before anything of a crashed daemon is cleaned up. Raises `DaemonRunning`.
    """
    url = make_url(engine_url)
    places = [state / LOCK.removesuffix(".lock")]
    if url.get_backend_name() == "sqlite":
        places.append(Path(str(url.database)))
    with ExitStack() as held:
        for place in dict.fromkeys(place.resolve() for place in places):
            _take(place, held)
        return held.pop_all()


def _take(place: Path, held: ExitStack) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = open(f"{place}.lock", "a+", encoding="utf-8", opener=_private)  # noqa: SIM115  # held for life
    held.callback(lock.close)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a daemon of an older version holds this one alone
        hold(lock.fileno())
    except BlockingIOError:
        lock.seek(0)
        raise DaemonRunning(lock.read().strip() or "unknown", place.parent) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
