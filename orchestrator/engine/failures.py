"""How errors inside a step are handled.

Temporary ones (a locked database, a full disk, an unreachable server) are waited for: nothing is wrong with the task,
and its failure might have to be stored in the very thing that is unavailable. The others end the task with the reason
that `monitoring/errors.py` gives them.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from monitoring import AlertKind, alert, get_logger
from monitoring.errors import FailureReason, KnownError, causes
from orchestrator.errors import StageFailed, Stopping

log = get_logger(__name__)

Result = TypeVar("Result")

LONGEST_PAUSE = 60.0
_FIRST_PAUSE = 1.0
_LONG_OUTAGE = 3600.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_never = threading.Event()


def passing_trouble(error: BaseException) -> AlertKind | None:
    """The kind of alert for `error` if its cause is temporary and needs no change; else None."""
    for found in causes(error):
        if isinstance(found, KnownError) and found.passes:
            return found.alert or AlertKind.CRITICAL
        if isinstance(found, OSError) and found.errno in _NO_ROOM:
            return AlertKind.CRITICAL
    return None


def typed_failures(action: Callable[[], Result]) -> Result:
    """Run `action`; errors of the services are raised as `StageFailed` with their reason and message.

    Temporary errors are raised as they are: the engine waits for them to pass.
    """
    try:
        return action()
    except (KnownError, OSError) as error:
        reason = error.reason if isinstance(error, KnownError) else FailureReason.INTERNAL_ERROR
        if reason is None or passing_trouble(error):
            raise
        if isinstance(error, KnownError) and error.alert:
            alert(error.alert, type(error).__name__, str(error))
        raise StageFailed(reason, str(error), blocked=isinstance(error, KnownError) and error.blocks) from error


def outlast(
    action: Callable[[], Result],
    stopping: threading.Event = _never,
    *,
    limit: float | None = None,
    waiting: set[int] | None = None,
) -> Result:
    """Run `action`, and repeat it while a temporary error prevents it, for `limit` seconds at most.

    The action must be repeatable. `waiting` holds this thread's number while it waits. Raises `Stopping` if the daemon
    stops meanwhile, else what the action raises.
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
                log.info(
                    "the temporary problem has passed, work continues", waited_seconds=round(time.monotonic() - begun)
                )
            return result
        if waiting is not None:
            waiting.add(threading.get_ident())
        try:
            if stopping.wait(pause):
                raise Stopping
        finally:
            if waiting is not None:
                waiting.discard(threading.get_ident())
        pause = min(pause * 2, LONGEST_PAUSE)


class Outage:
    """How long the owner's repository has been unreachable. Work continues; a long outage is an alert."""

    def __init__(self) -> None:
        self._since: float | None = None

    def note(self, problem: str) -> None:
        """Record how the last contact ended; an empty `problem` ends the outage."""
        if not problem:
            self._since = None
            return
        now = time.monotonic()
        self._since = self._since or now
        log.warning("the repository cannot be reached, work continues without it", problem=problem)
        if now - self._since >= _LONG_OUTAGE:
            alert(AlertKind.GIT, "remote away", f"the repository has been unreachable for over an hour: {problem}")


def tell(kind: AlertKind, error: BaseException) -> None:
    """Alert the owner of a temporary problem that work waits for; the same alert is sent once a day."""
    alert(kind, type(error).__name__, f"work waits: {error}")
