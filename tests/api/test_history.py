"""Sums over long times are those of the rows, whatever is kept of days that are over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest

from api.room import RunningClock
from memory import Attempt, MemoryStore, ModelCall, Task, utc_now
from memory.tables.ledger import UsageKey
from owner.history import History, midnight
from owner.stream import Clock


@pytest.fixture
def store(store: MemoryStore) -> MemoryStore:
    store.tasks.add(Task(id="t-1", title="Add add"))
    return store


def record(store: MemoryStore, number: int, at: datetime) -> None:
    store.ledger.record_call(
        ModelCall(
            workflow_id="w", step=f"{number}", request_hash="h", task_id="t-1" if number % 2 else None,
            agent=("qa", "developer")[number % 2], provider="openai", model=f"m{number % 3}", prompt_hash="p",
            prompt="", response="",
            input_tokens=number, cost_usd=None if number % 4 else 0.5, created_at=at,
        )
    )  # fmt: skip
    store.evidence.record_attempt(
        Attempt(task_id="t-1", run=0, stage=("tests", "code")[number % 2], approach=1, number=number,
                outcome=("failed", "passed")[number % 3 == 0], created_at=at)
    )  # fmt: skip


@pytest.mark.parametrize("clock", [timedelta(minutes=5), timedelta(hours=9)], ids=["just after midnight", "by day"])
def test_sums_are_those_of_the_rows_from_day_to_day(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, clock: timedelta
) -> None:
    history, first = History(store), midnight(utc_now()) - timedelta(days=40)
    for number in range(20):
        now = first + timedelta(days=number // 5) + clock + timedelta(minutes=5 * (number % 5))
        monkeypatch.setattr("owner.history.utc_now", lambda now=now: now)
        record(store, number, now - timedelta(minutes=7))  # a call is written down when it has ended
        for since in (first, first + timedelta(days=1), midnight(now)):
            for by in get_args(UsageKey):
                assert history.usage(by, since) == store.ledger.usage(by, since=since)
            assert history.attempts(since) == store.browse.attempts_by_stage(since)
        assert history.usage("agent") == store.ledger.usage("agent")


def test_the_clock_is_made_anew_only_when_a_daemon_has_started(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = RunningClock(store)
    first = clock.now()
    store.journal.log("qa", "attempt")
    made: list[MemoryStore] = []

    def counted(store: MemoryStore, *, runs: bool) -> Clock:
        made.append(store)
        return Clock(store, runs=runs)

    monkeypatch.setattr("api.room.Clock", counted)
    assert clock.now() is clock.now() is first and not made
    store.journal.log("orchestrator", "started")
    again = clock.now()
    assert again is not first and again is clock.now() and len(made) == 1
