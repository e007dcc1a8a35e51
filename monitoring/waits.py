"""Waits that are stored as times of day, and hold whatever the clock of the machine does.

A clock may be years ahead at the start and jump back once it is set: a moment that is far away was noted by a clock
that was wrong, and nothing waits for it.
"""

from __future__ import annotations

import time


def is_ahead(moment: float, longest: float, now: float | None = None) -> bool:
    """Whether a wait of at most `longest` seconds until `moment` (seconds since 1970) still lasts."""
    return 0 < moment - (time.time() if now is None else now) <= longest


def is_recent(moment: float, seconds: float, now: float | None = None) -> bool:
    """Whether `moment` lies less than `seconds` back. One in the future, by more than as long, does not."""
    return abs((time.time() if now is None else now) - moment) < seconds
