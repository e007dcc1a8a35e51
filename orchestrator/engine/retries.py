"""Troubles that pass by themselves: a locked database, a full disk, a server that is away. Work waits for their end.

A task does not fail of them: nothing is wrong with it, and where its failure would be written down is the very thing
that is away.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from file_system import WorkspaceFull
from git_ops import DiskFull, LockBusy, RemoteUnreachable
from memory import DatabaseFull, DatabaseLocked, DatabaseReadOnly, DatabaseUnreachable
from monitoring import AlertKind, alert, get_logger
from orchestrator.errors import Stopping

log = get_logger(__name__)

Result = TypeVar("Result")

LONGEST_PAUSE = 60.0
_FIRST_PAUSE = 1.0
_LONG_OUTAGE = 3600.0
_DATABASE = (DatabaseFull, DatabaseLocked, DatabaseReadOnly, DatabaseUnreachable)
_GIT = (DiskFull, LockBusy, RemoteUnreachable)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_never = threading.Event()
_waiting: set[int] = set()
"""The threads that wait for a trouble to pass."""


def passing_trouble(error: BaseException) -> AlertKind | None:
    """What kind of trouble lies behind `error`, if it is one that passes without anything being changed."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, _DATABASE):
            return AlertKind.DATABASE
        if isinstance(found, _GIT):
            return AlertKind.GIT
        if isinstance(found, WorkspaceFull) or (isinstance(found, OSError) and found.errno in _NO_ROOM):
            return AlertKind.CRITICAL
        found = found.__cause__
    return None


def outlast(action: Callable[[], Result], stopping: threading.Event = _never, *, limit: float | None = None) -> Result:
    """Run `action`, again and again while a trouble that passes keeps it from ending, `limit` seconds at most.

    The action must bear being repeated. Raises `Stopping` when the daemon ends meanwhile, else what the action raises.
    """
    begun, pause = time.monotonic(), _FIRST_PAUSE
    while True:
        try:
            result = action()
        except Exception as error:
            kind = passing_trouble(error)
            if kind is None or (limit is not None and time.monotonic() - begun + pause > limit):
                raise
            tell(kind, error)
        else:
            if pause > _FIRST_PAUSE:
                log.info("it goes on", waited_seconds=round(time.monotonic() - begun))
            return result
        _waiting.add(threading.get_ident())
        try:
            if stopping.wait(pause):
                raise Stopping
        finally:
            _waiting.discard(threading.get_ident())
        pause = min(pause * 2, LONGEST_PAUSE)


class Outage:
    """How long the owner's repository has been away. Work goes on meanwhile; he hears of it once it lasts."""

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, problem: str) -> None:
        """Take down how the last contact ended; an empty `problem` is the end of the outage."""
        if not problem:
            self._since = None
            return
        now = time.monotonic()
        self._since = self._since or now
        log.warning("the repository is away, work goes on without it", problem=problem)
        if now - self._since >= _LONG_OUTAGE:
            alert(AlertKind.GIT, "remote away", f"the repository has been away for over an hour: {problem}")


def waiting() -> bool:
    """Whether any thread waits just now: then no task can be blamed for the time it takes."""
    return bool(_waiting)


def tell(kind: AlertKind, error: BaseException) -> None:
    """Tell the owner of a trouble that work waits for; the same one is sent to him once a day."""
    alert(kind, type(error).__name__, f"work waits: {error}")
