"""Model calls that run or wait, so that they can be cancelled, woken, or interrupted when the daemon stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from llm.errors import Interrupted, ProviderRefused
from llm.request import CallContext
from memory import MemoryStore, WaitingCall
from monitoring import get_logger

log = get_logger(__name__)

_LONGEST_SLEEP = 60.0
"""Seconds after which a waiting call looks again by itself: clocks jump, and other processes release reservations."""


class CallUnderWay:
    """One call: its request while it is on the wire, and whether the call was given up or waits."""

    def __init__(self, task_id: str | None, agent: str, stopping: threading.Event, *, patient: bool = False) -> None:
        self.task_id, self.agent, self.patient = task_id, agent, patient
        self.over = threading.Event()
        """No further try is wanted: the call was given up, or the daemon stops."""
        self._waiting = self._waited = False
        self._stirred = threading.Event()
        self._stopping = stopping
        self._given_up = False
        self._lock = threading.Lock()
        self._request: Future[Any] | None = None

    @property
    def given_up(self) -> bool:
        """Was its task ended?"""
        return self._given_up

    @property
    def waiting(self) -> bool:
        """Does it wait for something that takes longer than a retry or the provider's rate limit?"""
        return self._waiting

    @waiting.setter
    def waiting(self, waiting: bool) -> None:
        self._waiting = waiting
        self._waited = self._waited or waiting

    def take_waited(self) -> bool:
        """Does it wait, or did it since the last time this was asked?"""
        waited, self._waited = self._waited, self._waiting
        return waited

    def sent(self, request: Future[Any]) -> None:
        """`request` is on the wire from now on."""
        with self._lock:
            self._request = request
        if self._given_up:
            request.cancel()

    def give_up(self) -> None:
        """Cancel the request, or do not let it begin."""
        self._given_up = True
        self.interrupt()
        with self._lock:
            request = self._request
        if request is not None:
            request.cancel()

    def interrupt(self) -> None:
        """End a wait; a request on the wire goes on."""
        self.over.set()
        self._stirred.set()

    def stir(self) -> None:
        """What the call may wait for has changed."""
        self._stirred.set()

    def sleep(self, seconds: float) -> None:
        """Wait until something has changed, at most so long. Raises as `check` does."""
        self.check()
        self._stirred.wait(seconds)
        self._stirred.clear()
        self.check()

    def check(self) -> None:
        """Raises ProviderRefused when the call was given up, Interrupted when the daemon stops."""
        if self._given_up:
            raise ProviderRefused(f"the call was given up: task {self.task_id} was ended")
        if self._stopping.is_set():
            raise Interrupted


class CallsUnderWay:
    """All calls of a client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[CallUnderWay] = set()
        self._stopping = threading.Event()
        self._waited: set[str] = set()

    @contextmanager
    def call(self, task_id: str | None, agent: str, *, patient: bool = False) -> Iterator[CallUnderWay]:
        """A call for `task_id`, on record as long as the block runs."""
        call = CallUnderWay(task_id, agent, self._stopping, patient=patient)
        with self._lock:
            self._calls.add(call)
        try:
            yield call
        finally:
            with self._lock:
                self._calls.discard(call)
                if call.take_waited():
                    self._waited |= {agent, task_id or ""}

    def give_up(self, task_id: str) -> int:
        """Give up the calls of a task; gives how many there were."""
        found = [call for call in self._all() if call.task_id == task_id]
        for call in found:
            call.give_up()
        return len(found)

    def stir(self) -> None:
        """Let all waiting calls check again whether they may go on."""
        for call in self._all():
            call.stir()

    def stop(self) -> None:
        """End all waits, and let no new try begin."""
        self._stopping.set()
        for call in self._all():
            call.interrupt()

    def waiting(self) -> set[str]:
        """The agents with a call that waits now."""
        return {call.agent for call in self._all() if call.waiting}

    def waited(self) -> set[str]:
        """The agents and tasks (ids) with a call that waits, or did since the last time this was asked."""
        with self._lock:
            ended, self._waited = self._waited, set()
            return ended.union(*({call.agent, call.task_id or ""} for call in self._calls if call.take_waited()))

    def _all(self) -> list[CallUnderWay]:
        with self._lock:
            return list(self._calls)


class Patience:
    """How one call waits for a budget or a provider, in its own thread. The database shows it until `over`."""

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
        """Sleep until something has changed, until `until`, or for a minute, whichever ends first.

        Raises ProviderRefused when the call is given up, and Interrupted when the daemon stops.
        """
        if self._since is None:
            self._since, self._begun = self._clock(), time.monotonic()
            log.warning("a model call waits", agent=self._context.agent, step=self._context.step, reason=reason,
                        until=until.isoformat(timespec="seconds"))  # fmt: skip
        self._call.waiting = True  # first: whoever sees the row finds the call waiting
        self._show(kind, reason, until)
        self._call.sleep(min(max((until - self._clock()) / timedelta(seconds=1), 0.0) + 0.01, _LONGEST_SLEEP))

    def over(self) -> None:
        """The call is made now, or has ended: the database no longer shows it."""
        self._call.waiting = False
        if self._row is not None:
            self._store.budgets.end_waiting(self._row)
            log.info("a model call has stopped waiting", agent=self._context.agent, step=self._context.step,
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
