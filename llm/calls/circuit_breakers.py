"""Circuit breakers: a provider that is out is left alone, except for one trial call after growing pauses.

Each provider has a circuit, and each of its models has one that opens when the provider does not know the model. All
threads share them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm.errors import ModelUnknown, ProviderError
from llm.request import Request
from monitoring import get_logger

log = get_logger(__name__)

_FAILURES_THAT_OPEN = 5
"""In a row, in all threads together; one call that failed up to its last try opens the circuit, too."""
_FIRST_PAUSE, _FIRST_PAUSE_REFUSED = 5.0, 60.0
"""Seconds; the second one is for errors that somebody has to fix first: a key, a quota or a name."""
_LONGEST_RETRY_AFTER = 3600.0
_NO_TIME_AT_ALL = 30 * 86_400.0
"""Seconds from which on a Retry-After is a fault of the server, like a date in the year 9999, and says nothing."""


@dataclass
class _Circuit:
    failures: int = 0
    pause: float = 0.0
    opened_at: float | None = None
    """On the monotonic clock; None while closed."""
    next_trial: float = 0.0
    trial: bool = False
    """A call is under way that finds out whether the provider answers again."""
    error: ProviderError | None = None
    successes: int = 0
    reported: bool = False
    """The owner was alerted that it is open."""

    def ready_at(self, now: float) -> float:
        """When it may admit a call; the end of a trial wakes those who wait, so that is no reason to look often."""
        if self.opened_at is None:
            return now
        return now + self.pause if self.trial else max(self.next_trial, now)

    def admits(self) -> bool:
        return self.opened_at is None or (not self.trial and time.monotonic() >= self.next_trial)


class Circuits:
    """Says which models may be asked now. Thread-safe.

    `longest_pause`: seconds between two trial calls, at most. `on_change` is called when one opens, closes or may be
    tried again.
    """

    def __init__(self, longest_pause: float, on_change: Callable[[], None]) -> None:
        self.longest_pause = longest_pause
        self._on_change = on_change
        self._lock = threading.Lock()
        self._circuits: dict[tuple[str, str], _Circuit] = {}

    def enter(self, request: Request) -> bool:
        """May this call be made? If the provider was out, it is the one trial, and how it ends must be reported."""
        with self._lock:
            mine = self._of(request)
            if not all(circuit.admits() for circuit in mine):
                return False
            for circuit in mine:
                circuit.trial = circuit.opened_at is not None
            return True

    def is_open(self, request: Request) -> bool:
        """Is its provider out?"""
        with self._lock:
            return any(circuit.opened_at is not None for circuit in self._of(request))

    def successes(self, request: Request) -> int:
        """How often its model has answered anybody."""
        with self._lock:
            return self._of(request)[1].successes

    def succeeded(self, request: Request) -> None:
        """The provider answered, even if only to refuse this request."""
        with self._lock:
            mine = self._of(request)
            out = [circuit.opened_at for circuit in mine if circuit.opened_at is not None]
            for circuit in mine:
                circuit.failures, circuit.pause, circuit.opened_at, circuit.trial = 0, 0.0, None, False
                circuit.reported = False
            mine[1].successes += 1
        if out:
            log.info("the provider answers again", provider=request.provider, model=request.model,
                     seconds_out=round(time.monotonic() - min(out)))  # fmt: skip
            self._on_change()

    def failed(self, request: Request, error: ProviderError) -> None:
        """One try failed because of the provider. After several in a row the circuit opens."""
        with self._lock:
            circuit = self._to_blame(request, error)
            circuit.failures += 1
            enough = circuit.failures >= _FAILURES_THAT_OPEN
            closed = circuit.opened_at is None
        if closed and enough:
            self.trip(request, error)

    def trip(self, request: Request, error: ProviderError) -> None:
        """The call failed for good: open the circuit, or keep it open for a longer pause if this was its trial."""
        with self._lock:
            circuit = self._to_blame(request, error)
            now = time.monotonic()
            opens = circuit.opened_at is None
            if opens or circuit.trial:
                first = _FIRST_PAUSE if error.retryable else _FIRST_PAUSE_REFUSED
                circuit.pause = min(max(circuit.pause * 2, first), self.longest_pause)
                asked = error.retry_after or 0.0
                wait = min(asked, _LONGEST_RETRY_AFTER) if asked < _NO_TIME_AT_ALL else 0.0
                circuit.next_trial = now + max(circuit.pause, wait)
            circuit.opened_at = now if circuit.opened_at is None else circuit.opened_at
            circuit.error = error
            for each in self._of(request):
                each.trial = False
        if opens:
            log.warning("a provider is out; it is left alone for a while", provider=request.provider,
                        model=request.model, problem=str(error))  # fmt: skip
        self._on_change()

    def release(self, request: Request) -> None:
        """The call was not made, or was given up: the next one may be the trial."""
        with self._lock:
            mine = self._of(request)
            was_trial = any(circuit.trial for circuit in mine)
            for circuit in mine:
                circuit.trial = False
        if was_trial:
            self._on_change()

    def outlook(self, requests: Sequence[Request]) -> tuple[float, ProviderError | None]:
        """Seconds until one of these may be tried, and what is wrong with the first."""
        with self._lock:
            now = time.monotonic()
            waits = [max(circuit.ready_at(now) for circuit in self._of(request)) for request in requests]
            errors = [circuit.error for circuit in self._of(requests[0]) if circuit.opened_at is not None]
        return min(waits) - now, errors[0] if errors else None

    def take_unreported(self, request: Request) -> bool:
        """Is there an outage that was not reported to the owner? From now on it counts as reported."""
        with self._lock:
            fresh = [each for each in self._of(request) if each.opened_at is not None and not each.reported]
            for circuit in fresh:
                circuit.reported = True
            return bool(fresh)

    def _of(self, request: Request) -> list[_Circuit]:
        """The provider's circuit and the model's."""
        keys = ((request.provider, ""), (request.provider, request.model))
        return [self._circuits.setdefault(key, _Circuit()) for key in keys]

    def _to_blame(self, request: Request, error: ProviderError) -> _Circuit:
        provider, model = self._of(request)
        return model if isinstance(error, ModelUnknown) else provider
