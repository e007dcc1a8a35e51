"""A limit on how fast one provider is asked, for accounts that allow little."""

from __future__ import annotations

import threading
import time

_BURST = 6.0
"""Seconds' worth that may come at once after a quiet time."""


class RateLimiter:
    """Spreads calls and their tokens over time, by the generic cell rate algorithm. Thread-safe."""

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self._requests, self._tokens = requests_per_minute, tokens_per_minute
        self._lock = threading.Lock()
        self._requests_until = self._tokens_until = 0.0

    def take(self, tokens: int) -> float:
        """Count a call of so many tokens, in and out; gives the seconds to wait before it is made."""
        with self._lock:
            now = time.monotonic()
            waits = [0.0]
            if self._requests:
                waits.append(self._requests_until - now - _BURST)
                self._requests_until = max(self._requests_until, now) + 60.0 / self._requests
            if self._tokens:
                waits.append(self._tokens_until - now - _BURST)
                self._tokens_until = max(self._tokens_until, now) + 60.0 * tokens / self._tokens
            return max(waits)
