"""The stream of what happens, and how its lines look on a terminal; which models are awaited, and why calls wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from rich.table import Table
from rich.text import Text

from cli.options import caller, folds, out
from cli.sentences import agent_name, sentence, span, what_to_type
from memory import Activity, CallInFlight, MemoryStore, UnknownTask, WaitingCall, utc_now

_LONG_AWAITED = 20.0
"""Seconds after which the stream tells that a model is awaited, and again whenever the time has doubled."""
_CLOCK = 10
"""Characters of a line of the stream that its time takes."""
_LINES = {
    "task completed": "bold green",
    "task failed": "bold red",
    "task blocked": "bold yellow",
    "waiting for approval": "bold magenta",
    "task added": "bold",
    "landed": "green",
    "awaits its model": "dim",
}
"""Kinds of activity that stand out, or back."""


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


def activity_line(activity: Activity, title: str = "") -> Text:
    """One line of the activity stream, in words and in the time of the reader's clock. `title`: see `sentence`."""
    line = Text()  # a style given here would hold for the whole line
    line.append(f"{activity.timestamp.astimezone():%H:%M:%S}  ", style="dim")
    return line.append(sentence(activity, title), style=_LINES.get(activity.activity, ""))


def show_activity(activity: Activity, title: str = "") -> None:
    """Print one line of the activity stream. On a terminal it is folded between words, and what to type stands below
    it, unfolded, to be pasted; in a file or a pipe all of it is one line."""
    line, command = activity_line(activity, title), what_to_type(activity)
    typed = f"{caller()} {command}" if command else ""
    if not folds():
        out.print(line.append(f"; next: {typed}" if typed else ""), soft_wrap=True)
        return
    clock, said = line[:_CLOCK], line[_CLOCK:]
    if out.width < 2 * _CLOCK:
        out.print(line)
    else:
        grid = Table.grid()
        grid.add_column(width=_CLOCK)
        grid.add_column(overflow="fold")
        grid.add_row(clock, said)
        out.print(grid)
    if typed:
        out.print(f"{'':{_CLOCK}}{typed}", markup=False, soft_wrap=True)


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
