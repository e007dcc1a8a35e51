"""How a call waits in place for a budget's next period or for a provider, and how that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from llm.calls.in_flight import CallUnderWay
from llm.request import CallContext
from memory import MemoryStore, WaitingCall
from monitoring import get_logger

log = get_logger(__name__)

_LONGEST_SLEEP = 60.0
"""Seconds after which a call looks again by itself: clocks jump, and other processes release what they reserved."""


class Patience:
    """The waiting of one call, in its own thread; shown in the database until `over`."""

    def __init__(
        self, call: CallUnderWay, context: CallContext, store: MemoryStore, clock: Callable[[], datetime]
    ) -> None:
        self._call = call
        self._context = context
        self._store = store
        self._clock = clock
        self._since: datetime | None = None
        self._begun = 0.0
        self._shown: tuple[str, str] | None = None
        self._row: int | None = None

    def wait(self, kind: Literal["budget", "provider"], reason: str, until: datetime) -> None:
        """Sleep until something has changed, `until`, or a minute is over, whichever comes first.

        Raises ProviderRefused when the call is given up, and Interrupted when the daemon stops.
        """
        if self._since is None:
            self._since, self._begun = self._clock(), time.monotonic()
            log.warning("a model call waits", agent=self._context.agent, step=self._context.step, reason=reason,
                        until=until.isoformat(timespec="seconds"))  # fmt: skip
        self._show(kind, reason, until)
        self._call.waiting = True
        self._call.sleep(min(max((until - self._clock()) / timedelta(seconds=1), 0.0) + 0.01, _LONGEST_SLEEP))

    def over(self) -> None:
        """The call is made now, or has ended: nothing is shown any more."""
        self._call.waiting = False
        if self._row is not None:
            self._store.budgets.end_waiting(self._row)
            log.info("a model call waits no more", agent=self._context.agent, step=self._context.step,
                     seconds=round(time.monotonic() - self._begun))  # fmt: skip
        self._since = self._row = self._shown = None

    def _show(self, kind: Literal["budget", "provider"], reason: str, until: datetime) -> None:
        shown = (reason, until.isoformat(timespec="seconds"))
        if shown == self._shown:
            return
        if self._row is not None:
            self._store.budgets.end_waiting(self._row)
        assert self._since is not None
        waiting = WaitingCall(
            agent=self._context.agent, task_id=self._context.task_id, kind=kind, reason=reason, since=self._since,
            until=until,
        )  # fmt: skip
        self._row = self._store.budgets.begin_waiting(waiting)
        self._shown = shown
