"""Sums over long times, quickly: what belongs to days that are over changes no more, and is added up once a day."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import TypeVar, cast

from memory import MemoryStore, UsageRow, utc_now
from memory.tables.ledger import UsageKey, in_order

Sums = TypeVar("Sums")

_SETTLED = timedelta(minutes=15)
"""After midnight: what was begun before it is written down by then, as a model call is given up earlier."""
_MOST_KEPT = 100
Outcomes = dict[str, dict[str, int]]
"""stage -> outcome -> number of attempts"""


def midnight(moment: datetime) -> datetime:
    """The begin of its day."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


class History:
    """The sums of one project. Threads that ask at once may both add up."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._day = datetime.min
        self._kept: dict[Hashable, object] = {}

    def usage(self, by: UsageKey, since: datetime | None = None) -> list[UsageRow]:
        """As `MemoryStore.ledger.usage`."""
        usage, today = self._store.ledger.usage, midnight(utc_now())
        if self._is_young(since, today):
            return usage(by, since=since)
        past = self._once(today, ("usage", by, since), lambda: usage(by, since=since, before=today))
        found = {row.key: row for row in past}
        for row in usage(by, since=today):
            found[row.key] = _added(found[row.key], row) if row.key in found else row
        return in_order(list(found.values()), by)

    def attempts(self, since: datetime) -> Outcomes:
        """As `MemoryStore.browse.attempts_by_stage`."""
        counted, today = self._store.browse.attempts_by_stage, midnight(utc_now())
        if self._is_young(since, today):
            return counted(since)
        past, last = self._once(
            today, ("attempts", since),
            lambda: (counted(since, before=today), self._store.browse.last_attempt(today)),
        )  # fmt: skip
        found = {stage: dict(outcomes) for stage, outcomes in past.items()}
        for stage, outcomes in counted(today, after_id=last).items():
            for outcome, number in outcomes.items():
                known = found.setdefault(stage, {})
                known[outcome] = known.get(outcome, 0) + number
        return found

    @staticmethod
    def _is_young(since: datetime | None, today: datetime) -> bool:
        """Whether nothing of it is over and settled."""
        return (since is not None and since >= today) or utc_now() - today < _SETTLED

    def _once(self, today: datetime, key: Hashable, add_up: Callable[[], Sums]) -> Sums:
        if self._day != today or len(self._kept) >= _MOST_KEPT:
            self._day, self._kept = today, {}
        kept = self._kept
        if key not in kept:
            kept[key] = add_up()
        return cast(Sums, kept[key])


def _added(one: UsageRow, other: UsageRow) -> UsageRow:
    """Both together; the price is known where that of one is."""
    costs = [row.cost_usd for row in (one, other) if row.cost_usd is not None]
    numbers = {
        name: getattr(one, name) + getattr(other, name)
        for name in UsageRow.model_fields
        if name not in ("key", "cost_usd")
    }
    return UsageRow(key=one.key, cost_usd=sum(costs) if costs else None, **numbers)
