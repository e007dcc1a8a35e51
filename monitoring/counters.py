"""How often something happened, where only this process knows. It begins anew with it, as Prometheus expects.

The library of Prometheus is not used here: it would take a quarter of a second of each command's start.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally


class Counter:
    """A number for each combination of the values of its labels. Safe to use from many threads."""

    def __init__(self, name: str, told: str, *labels: str) -> None:
        """`told`: what it counts, for whoever reads the figures."""
        self.name, self.told, self.labels = name, told, labels
        self._lock = threading.Lock()
        self._numbers: Tally[tuple[str, ...]] = Tally()

    def begin(self, *values: str) -> None:
        """Tell of none until the first: Prometheus sees no increase from nothing to one."""
        self._numbers.setdefault(values, 0)

    def add(self, *values: str) -> None:
        """Count one; a value for each label."""
        with self._lock:
            self._numbers[values] += 1

    def numbers(self) -> dict[tuple[str, ...], int]:
        """All of them now."""
        with self._lock:
            return dict(self._numbers)


SANDBOX_RUNS = Counter("sandbox_runs", "Programs run in the sandbox, and by what they were killed.", "tier", "killed")
ACTIVITY = Counter("activity", "Lines that this process wrote to the activity stream.", "activity")
for _ended in ("landed", "task completed", "task failed", "task blocked"):
    ACTIVITY.begin(_ended)
COUNTERS = (SANDBOX_RUNS, ACTIVITY)
