"""How tasks and activities look on a terminal, and the stream of what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.options import out
from memory import (
    ENDED,
    Activity,
    CallInFlight,
    Dependency,
    LimitState,
    MemoryStore,
    ProofOutcome,
    SuiteQuality,
    Task,
    TaskStatus,
    TaskType,
    UsageRow,
    WaitingCall,
    utc_now,
)

_COLOURS = {
    TaskStatus.COMPLETED: "green",
    TaskStatus.IN_PROGRESS: "cyan",
    TaskStatus.FAILED: "red",
    TaskStatus.BLOCKED: "yellow",
    TaskStatus.WAITING_APPROVAL: "magenta",
    TaskStatus.CANCELLED: "dim",
    TaskStatus.PENDING: "",
}
_NEARLY_USED_UP = 0.8
_MOST_PENDING = 1000
_AT_ONCE = 500
"""Tasks that are named in one query."""
_NARROW = 72
"""Columns below which a table of tasks has two."""
_TITLE_WIDTH = 12
"""Characters a title keeps where the terminal is narrow."""
_LONG_AWAITED = 20.0
"""Seconds after which the stream tells that a model is awaited, and again whenever the time has doubled."""


def task_table(store: MemoryStore, tasks: list[Task]) -> Table:
    """One line per task: where it is, what it took."""
    usage: dict[str, UsageRow] = {}
    attempts: dict[str, int] = {}
    for first in range(0, len(tasks), _AT_ONCE):
        some = tasks[first : first + _AT_ONCE]
        usage |= {row.key: row for row in store.ledger.usage("task", task_ids=[task.id for task in some])}
        attempts |= store.evidence.attempt_counts({task.id: task.run for task in some})
    unmet = store.tasks.unmet([task.id for task in tasks if task.status is TaskStatus.PENDING])
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task", no_wrap=True)
    if is_narrow := out.width < _NARROW:
        table.add_column("title and status", overflow="fold")
    else:
        _add_columns(table)
    for task in tasks:
        used = usage.get(task.id)
        status = Text(task.status.value, style=_COLOURS[task.status])
        if word := task.reason or (task.stage if task.status is not TaskStatus.COMPLETED else ""):
            status.append(f" {word}", style="dim")
        if needed := unmet.get(task.id):
            status.append(f" waits for {awaited_tasks(needed)}", style="dim")
        if is_narrow:
            table.add_row(task.id, Text(f"{task.title}\n").append_text(status))
            continue
        table.add_row(
            task.id,
            escape(task.title),
            status,
            str(attempts.get(task.id, "")),
            str(len(_list(task, "tests_ids")) or ""),
            f"{used.input_tokens + used.output_tokens:,}" if used else "",
            _seconds(task),
        )
    return table


def _add_columns(table: Table) -> None:
    table.add_column("title", overflow="fold", min_width=_TITLE_WIDTH)
    table.add_column("status", overflow="fold")
    for heading in ("attempts", "tests", "tokens", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)


def awaited_tasks(needed: list[Dependency]) -> str:
    """The tasks that another one waits for, each with its state."""
    return ", ".join(f"{task.id} ({task.status})" for task in needed)


def dependent_lines(store: MemoryStore, most: int) -> list[str]:
    """The pending tasks that wait for others, a line each, and what gets those going again that stand still."""
    pending = store.tasks.select([TaskStatus.PENDING], limit=_MOST_PENDING)
    unmet = store.tasks.unmet([task.id for task in pending])
    waiting = [task for task in reversed(pending) if task.id in unmet]
    lines = []
    for task in waiting[:most]:
        still = [needed.id for needed in unmet[task.id] if needed.status in ENDED]
        what = f"; it goes on when you decide about {', '.join(still)} (approvals list)" if still else ""
        lines.append(f"{task.id}  {task.title}: waits for {awaited_tasks(unmet[task.id])}{what}")
    return lines + ([f"… and {len(waiting) - most} more: task list -s pending"] if len(waiting) > most else [])


def task_details(store: MemoryStore, task: Task) -> RenderableType:
    """All about one task."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column()
    for name, value in _facts(task).items():
        if value:
            facts.add_row(name, escape(value))
    for line in waiting_lines([call for call in store.budgets.waiting_calls() if call.task_id == task.id]):
        facts.add_row("paused", escape(line))
    if needed := store.tasks.unmet([task.id]).get(task.id):
        facts.add_row("waits for", escape(awaited_tasks(needed)))
    parts: list[RenderableType] = [Text(task.title, style="bold"), facts]
    if task.description:
        parts.append(Padding(Text(task.description), (1, 0, 0, 2)))
    if attempts := store.evidence.attempts(task.id, run=task.run):
        table = Table(title="attempts", title_justify="left", box=None, pad_edge=False)
        for heading in ("stage", "approach", "no", "strategy", "outcome", "passed", "failed", "seconds", "evidence"):
            table.add_column(heading)
        for attempt in attempts:
            table.add_row(
                attempt.stage, str(attempt.approach), str(attempt.number), escape(attempt.strategy), attempt.outcome,
                str(attempt.tests_passed), str(attempt.tests_failed), f"{attempt.seconds:.1f}",
                escape(attempt.evidence.splitlines()[0][:80] if attempt.evidence else ""),
            )  # fmt: skip
        parts.append(Padding(table, (1, 0, 0, 0)))
    for verdict in store.evidence.verdicts(task.id, run=task.run):
        word = "approved" if verdict.approved else "rejected"
        parts.append(Text(f"{verdict.agent} {word} ({verdict.score:.1f}): {'; '.join(verdict.issues)}".rstrip(": ")))
    for decision in reversed(store.journal.decisions(task_id=task.id)):
        data = decision.decision_data
        parts.append(Text(f"{decision.agent_name} decided: {data.get('action', 'new task')}. {data.get('reason', '')}"))
        choices = data.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                parts.append(Text(f"  {choice.get('question')} {choice.get('choice')}"))
    split = list(reversed(store.tasks.select(parent_id=task.id)))
    if split and task.type == TaskType.PLAN:
        parts.append(Padding(_plan(split), (1, 0, 0, 0)))
    elif split:
        parts.append(Text(f"split into {', '.join(f'{part.id} ({part.status})' for part in split)}"))
    if usage := store.ledger.usage("model", task_ids=[task.id]):
        parts.append(Padding(usage_table(usage, "model"), (1, 0, 0, 0)))
    return Group(*parts)


def _plan(tasks: list[Task]) -> Table:
    """The tasks of a plan, and what each of them waits for."""
    table = Table(title="plan", title_justify="left", box=None, pad_edge=False)
    for heading in ("task", "title", "kind", "status", ""):
        table.add_column(heading, overflow="fold", no_wrap=heading == "task")
    for task in tasks:
        status = Text(task.status.value, style=_COLOURS[task.status])
        after = f"after {', '.join(task.depends_on)}" if task.depends_on else ""
        table.add_row(task.id, escape(task.title), task.kind, status, after)
    return table


def usage_table(rows: list[UsageRow], key: str) -> Table:
    """Model calls by task, agent, model or day. `known` are the input tokens that the provider had in its own cache."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(key)
    for heading in ("calls", "from cache", "tokens in", "known", "tokens out", "cost USD", "seconds"):
        table.add_column(heading, justify="right")
    for row in rows:
        cost = "no price" if row.cost_usd is None else f"{row.cost_usd:.4f}"
        table.add_row(
            escape(row.key or "-"), str(row.calls), str(row.cached_calls), f"{row.input_tokens:,}",
            f"{row.cached_tokens:,}", f"{row.output_tokens:,}",
            cost, f"{row.seconds:.1f}",
        )  # fmt: skip
    return table


def limit_table(states: list[LimitState]) -> Table:
    """The limits of the budget and how much of each is gone."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("limit", no_wrap=True)
    table.add_column("of")
    for heading in ("used", "reserved", "limit", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    for state in states:
        shown = ".4f" if state.unit == "usd" else ",.0f"
        table.add_row(
            f"budget.{state.name}", escape(state.subject), f"{state.used:{shown}}", f"{state.reserved:{shown}}",
            f"{state.limit:{'.2f' if state.unit == 'usd' else ',.0f'}}",
            Text(f"{state.share:.0%}", style="red" if state.share >= _NEARLY_USED_UP else ""),
        )  # fmt: skip
    return table


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
    return f"{call.agent} has waited {_span(seconds_awaited(call))} for {call.model or 'its model'}{task}"


def seconds_awaited(call: CallInFlight) -> float:
    """For how long a call has been awaited; never negative, whatever the clocks say."""
    return max((utc_now() - call.since).total_seconds(), 0.0)


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


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


def activity_line(activity: Activity) -> Text:
    """One line of the activity stream."""
    line = Text()  # a style given here would hold for the whole line
    line.append(f"{activity.timestamp:%H:%M:%S} ", style="dim")
    line.append(f"{activity.agent_name:<12} ", style="cyan")
    line.append(activity.activity, style="bold" if activity.activity.startswith("task ") else "")
    if activity.task_id:
        line.append(f" {activity.task_id}", style="dim")
    for key, value in activity.details.items():
        text = str(value).replace("\n", " ")
        if text:
            line.append(f" {key}={text[:117] + '…' if len(text) > 118 else text}")
    return line


def _facts(task: Task) -> dict[str, str]:
    commits = ", ".join(str(commit)[:12] for commit in _list(task, "landed_commits"))
    pushed = (
        ""
        if not commits
        else "pushed"
        if task.result.get("pushed")
        else str(task.result.get("push_error") or "not pushed")
    )
    return {
        "id": task.id,
        "status": task.status.value + (f" ({task.reason})" if task.reason else ""),
        "why": task.reason_detail,
        "stage": task.stage,
        "kind": task.kind,
        "priority": f"{task.priority}" + (f", due {task.deadline:%Y-%m-%d %H:%M} UTC" if task.deadline else ""),
        "source": task.source,
        "part of": task.parent_id or "",
        "depends on": ", ".join(task.depends_on),
        "created": f"{task.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "took": f"{_seconds(task)} s" if _seconds(task) else "",
        "tests": f"{len(_list(task, 'tests_ids'))} in {task.result.get('tests_file')}{', given' if task.tests else ''}"
        if _list(task, "tests_ids")
        else "",
        "strength": str(SuiteQuality.model_validate(quality)) if (quality := task.result.get("quality")) else "",
        "proofs": "\n".join(str(ProofOutcome.model_validate(proof)) for proof in _list(task, "proofs")),
        "commits": commits,
        "landed": pushed,
        "deployment": str(task.result.get("deployment") or ""),
    }


def _list(task: Task, key: str) -> list[object]:
    value = task.result.get(key)
    return list(value) if isinstance(value, list) else []


def _seconds(task: Task) -> str:
    if task.started_at is None:
        return ""
    end: datetime = task.finished_at or utc_now()
    return f"{(end - task.started_at).total_seconds():.0f}"
