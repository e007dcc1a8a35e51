"""Model calls under way, so that those of a task that was cancelled can be given up at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from llm.errors import ProviderRefused


class CallUnderWay:
    """One call: its request while that is on the wire, and whether it was given up."""

    def __init__(self, task_id: str | None) -> None:
        self.task_id = task_id
        self.given_up = threading.Event()
        self._lock = threading.Lock()
        self._request: Future[Any] | None = None

    def sent(self, request: Future[Any]) -> None:
        """`request` is on the wire from now on."""
        with self._lock:
            self._request = request
        if self.given_up.is_set():
            request.cancel()

    def give_up(self) -> None:
        """Cut the request off, or do not let it begin."""
        self.given_up.set()
        with self._lock:
            request = self._request
        if request is not None:
            request.cancel()

    def check(self) -> None:
        """Raises ProviderRefused when the call was given up."""
        if self.given_up.is_set():
            raise ProviderRefused(f"the call was given up: task {self.task_id} was ended")


class CallsUnderWay:
    """All calls of a client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[CallUnderWay] = set()

    @contextmanager
    def call(self, task_id: str | None) -> Iterator[CallUnderWay]:
        """A call for `task_id`, known as long as the block runs."""
        call = CallUnderWay(task_id)
        with self._lock:
            self._calls.add(call)
        try:
            yield call
        finally:
            with self._lock:
                self._calls.discard(call)

    def give_up(self, task_id: str) -> int:
        """Give up the calls of a task; how many there were."""
        with self._lock:
            found = [call for call in self._calls if call.task_id == task_id]
        for call in found:
            call.give_up()
        return len(found)
