"""What happens, line by line; which models are awaited, why calls wait, and for how long tasks were worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum

from memory import OWNER, Activity, CallInFlight, MemoryStore, Task, TaskStatus, UnknownTask, WaitingCall, utc_now
from owner.words import agent_name, span

_LONG_AWAITED = 20.0
"""Seconds after which the stream tells that a model is awaited, and again whenever the time has doubled."""
_MOST_STARTS, _LINES_BEFORE = 100, 40
"""Starts of the daemon that are looked at, and lines before each among which its end is looked for."""
_AT_START = frozenset({"migrated", "budget limits changed", "sandbox mode changed", "settings changed"})
"""What a daemon writes before it says that it has started."""


class Titles:
    """The titles of tasks, each looked up once."""

    def __init__(self, store: MemoryStore) -> None:
        self._tasks, self._known = store.tasks, dict[str, str]()

    def __getitem__(self, task_id: str | None) -> str:
        """Empty for a task that is no longer there."""
        if not task_id:
            return ""
        if task_id not in self._known:
            with suppress(UnknownTask):
                self._known[task_id] = self._tasks.get(task_id).title
        return self._known.get(task_id, "")


def waiting_lines(waiting: list[WaitingCall]) -> list[str]:
    """What model calls wait for, a line for each reason."""
    agents: dict[str, list[str]] = {}
    for call in waiting:
        what = "goes on" if call.kind == "budget" else "tried again"
        until = f"; {what} at {call.until:%Y-%m-%d %H:%M} UTC" if call.until else ""
        agents.setdefault(f"{call.reason}{until}", []).append(call.agent)
    return [f"{reason} ({', '.join(sorted(set(names)))})" for reason, names in agents.items()]


def awaited_line(call: CallInFlight) -> str:
    """Which agent awaits which model, for how long, and for which task."""
    task = f" ({call.task_id})" if call.task_id else ""
    who = agent_name(call.agent, first=True)
    return f"{who} has waited {span(seconds_awaited(call))} for {call.model or 'its model'}{task}"


def seconds_awaited(call: CallInFlight) -> float:
    """For how long a call has been awaited; never negative, whatever the clocks say."""
    return max((utc_now() - call.since).total_seconds(), 0.0)


class Level(StrEnum):
    """How much a line of the stream matters; each level has those below it, too."""

    INFO = "info"
    NOTICE = "notice"
    PROBLEM = "problem"

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of activity of at least this level; None: all of them."""
        return None if self is Level.INFO else PROBLEMS if self is Level.PROBLEM else PROBLEMS | NOTICES


PROBLEMS = frozenset({
    "approval expired", "deployment failed", "deployment rolled back", "deployment rollback failed", "flaky tests",
    "owner's work does not fit", "secret kept out of a commit", "task blocked", "task failed",
})  # fmt: skip
"""What may need the owner."""
NOTICES = frozenset({
    "agent paused", "agent resumed", "answered the owner", "budget limits changed", "configuration edited", "deployed",
    "deployment asked for", "deployment begins", "everything paused", "everything resumed", "goal reached",
    "idea decided", "landed", "migrated", "planned", "pushed", "quiet hours begin", "quiet hours end",
    "restored from a backup", "settings changed", "started", "stopped", "strategy reviewed", "task added",
    "task cancelled", "task completed", "task retried", "waiting for approval",
})  # fmt: skip
"""What begins and ends: the news of a day, without how it came about."""


class Stream:
    """What happens from now on: the lines of the journal, and a line of our own for a call that is long awaited.

    Ours has the id 0, because nobody wrote it to the journal. `last` is the id of the line before the first one given.
    `runs` says whether the daemon runs: what a killed one awaited is not awaited.
    """

    def __init__(self, store: MemoryStore, last: int, runs: Callable[[], bool]) -> None:
        self._store = store
        self._last = last
        self._runs = runs
        self._told: dict[int, float] = {}

    def new(self) -> Iterator[Activity]:
        """The lines that have come since the last time. Raises MemoryStoreError."""
        for activity in self._store.journal.activity(self._last):
            yield activity
            self._last = activity.id
        calls = self._store.budgets.calls_in_flight()
        self._told = {call.id: self._told[call.id] for call in calls if call.id in self._told}
        due = [call for call in calls if seconds_awaited(call) >= 2 * self._told.get(call.id, _LONG_AWAITED / 2)]
        for call in due if due and self._runs() else []:
            self._told[call.id] = seconds = seconds_awaited(call)
            yield Activity(
                id=0,
                agent_name=call.agent,
                activity="awaits its model",
                task_id=call.task_id,
                details={"model": call.model, "seconds": round(seconds)},
                timestamp=utc_now(),
            )


class Clock:
    """For how long tasks were worked on: time in which no daemon ran does not count.

    When a killed daemon ended is not recorded; its last sign of life is the last line that it wrote."""

    def __init__(self, store: MemoryStore, *, runs: bool) -> None:
        self.runs = runs
        journal = store.journal
        self._pauses: list[tuple[datetime, datetime]] = []
        for start in journal.latest_of("started", _MOST_STARTS):
            earlier = journal.activity(start.id - _LINES_BEFORE - 1, limit=_LINES_BEFORE)
            if before := _last_sign(earlier, start.id):
                self._pauses.append((before.timestamp, start.timestamp))
        if not runs and (last := _last_sign(journal.latest(_LINES_BEFORE))):
            self._pauses.append((last.timestamp, utc_now()))

    def seconds(self, task: Task) -> float | None:
        """None: it has not begun. Of a task that waits for the owner, the time until it began to wait."""
        if task.started_at is None:
            return None
        waits = task.status is TaskStatus.WAITING_APPROVAL
        end = task.finished_at or (task.updated_at if waits else None) or utc_now()
        begin = task.started_at
        paused = sum(max((min(end, until) - max(begin, since)).total_seconds(), 0.0) for since, until in self._pauses)
        return max((end - begin).total_seconds() - paused, 0.0)

    def took(self, task: Task) -> str:
        """The same in words; empty before the task begins."""
        seconds = self.seconds(task)
        return "" if seconds is None else span(seconds)


def _last_sign(lines: list[Activity], before: int | None = None) -> Activity | None:
    """The last line that a daemon wrote, before the lines of the start whose last one has the id `before`."""
    found = [line for line in lines if line.agent_name != OWNER and (before is None or line.id < before)]
    while before is not None and found and found[-1].activity in _AT_START:
        found.pop()
    return found[-1] if found else None
