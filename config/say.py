"""The owner's say: what the team may do without asking, and at which hours it works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

Autonomy: TypeAlias = Literal["full", "approve_landing", "approve_plan", "suggest"]
"""full: nobody is asked. approve_landing: a verified change waits for the owner. approve_plan: what the team wants to
do waits, and then lands by itself. suggest: both are shown, and nothing is done without the owner."""
DEFAULT = "default"
"""The key of what is not named, where autonomy is stated by type and kind of task."""


def autonomy_of(stated: Autonomy | Mapping[str, Autonomy], type: str, kind: str = "") -> Autonomy:
    """What counts for a task: what is said of its kind, else of its type, else of all."""
    if isinstance(stated, str):
        return stated
    return next((stated[name] for name in (kind, type, DEFAULT) if name in stated), "full")


_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


def _hours(text: str) -> str:
    found = _HOURS.fullmatch(text.strip())
    times = [int(part) for part in found.groups()] if found else []
    if text and times[:2] == times[2:]:
        raise ValueError('two different times of day, such as "22:00-07:00"')
    return text.strip()


Hours = Annotated[str, AfterValidator(_hours)]
"""A stretch of the day, which may go over midnight; empty: none."""


def _zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            raise ValueError("no time zone is known by this name here; give one such as Europe/Berlin") from None
    return name


ZoneName = Annotated[str, AfterValidator(_zone)]
"""The name of a time zone; empty: that of the machine."""


@dataclass(frozen=True)
class QuietHours:
    """The stretch of each day in which nothing new is begun, by the clock on the wall.

    It is read from the present moment alone, so neither a clock that is set anew nor a change to summer time can leave
    it in the wrong state.
    """

    begin: time
    end: time
    zone: tzinfo | None
    """None: that of the machine, whatever it is at the moment."""

    @classmethod
    def of(cls, hours: str, zone: str) -> QuietHours | None:
        """From the two settings; None where no hours are quiet."""
        found = _HOURS.fullmatch(hours)
        if not found:
            return None
        first, minute, last, other = map(int, found.groups())
        return cls(time(first, minute), time(last, other), ZoneInfo(zone) if zone else None)

    def until(self, now: datetime) -> datetime | None:
        """When they end (UTC), if this moment is in them."""
        local = now.astimezone(self.zone)
        clock = local.time()
        begun, over = clock >= self.begin, clock >= self.end
        inside = begun and not over if self.begin < self.end else begun or not over
        if not inside:
            return None
        day = local.date() if clock < self.end else local.date() + timedelta(days=1)
        naive = datetime.combine(day, self.end)
        ends = naive.replace(tzinfo=self.zone) if self.zone else naive
        # Where the hour is there twice, the earlier one may be over already: then it is the later one.
        found = ends.astimezone(UTC)
        return found if found > now else ends.replace(fold=1).astimezone(UTC)
