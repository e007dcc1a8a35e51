"""Times of a day as minutes since midnight."""

from __future__ import annotations

MINUTES_PER_DAY = 24 * 60


def parse_time(text: str) -> int:
    """Minutes of a time such as "9:30"."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def format_time(minutes: int) -> str:
    """A time as text, the hour in two digits."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def round_up(minutes: int, step: int = 15) -> int:
    """The next time that is a multiple of `step`."""
    return (minutes // step + 1) * step
