"""What an owner reads each morning: what landed, what was decided and why, what it cost, what is stuck, what is next.

All of it is read from the database; no model is asked. The daemon writes the report of a day that is over into the data
folder and says so by alert. A day on which nothing happened has none.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from memory import MemoryStore, TaskStatus, TaskType, UsageRow, utc_now
from monitoring import AlertKind, alert, redact
from owner.stopped import STOPPED, stopped_of
from owner.thread import decided
from owner.words import agent_name, count, one_line, reason_words

_MOST = 1000
_MOST_NEXT = 5
_KEPT_DAYS = 90
_BESIDE = (TaskType.OPINION, TaskType.MESSAGE)
"""Tasks that are no result of their own."""
FOLDER = "reports"
"""Below the project's data."""


class Done(BaseModel):
    """A task that was completed on the day."""

    id: str
    title: str
    kind: str
    tokens: int
    cost_usd: float | None
    """None: no price is known."""


class Stuck(BaseModel):
    """A task that stands still now."""

    id: str
    title: str
    why: str
    commands: list[str]
    """What its owner can type."""


class Daily(BaseModel):
    """One day (UTC) of a project."""

    day: date
    landed: list[Done]
    """Changes that landed."""
    done: list[Done]
    """Tasks without code that were completed: reports, plans, decisions."""
    decided: list[str]
    usage: list[UsageRow]
    """By agent."""
    stuck: list[Stuck]
    strategy: list[str] = []
    """What the CEO goes by now, line by line."""
    following: list[str]
    """Titles of what comes next."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened on the day."""
        return not (self.landed or self.done or self.decided or self.usage)

    @property
    def headline(self) -> str:
        """The day in a line."""
        stuck = f", {count(len(self.stuck), 'task')} waiting for you" if self.stuck else ""
        return f"{self.day}: {count(len(self.landed), 'change')} landed{stuck}, {_cost(self.usage)}"


def daily_of(store: MemoryStore, day: date) -> Daily:
    """What happened on a day (UTC). What is stuck and what comes next is told as of now."""
    begin = datetime.combine(day, datetime.min.time(), UTC)
    end = begin + timedelta(days=1)
    ended = [
        task
        for task in store.tasks.select([TaskStatus.COMPLETED], limit=_MOST)
        if task.finished_at and begin <= task.finished_at < end and task.type not in _BESIDE
    ]
    costs = {row.key: row for row in store.ledger.usage("task", task_ids=[task.id for task in ended])} if ended else {}
    rows = [
        Done(
            id=task.id,
            title=one_line(task.title),
            kind=task.kind or task.type,
            tokens=costs[task.id].input_tokens + costs[task.id].output_tokens if task.id in costs else 0,
            cost_usd=costs[task.id].cost_usd if task.id in costs else 0.0,
        )
        for task in reversed(ended)
    ]
    codes = {task.id for task in ended if task.type == TaskType.CODE}
    return Daily(
        day=day,
        landed=[row for row in rows if row.id in codes],
        done=[row for row in rows if row.id not in codes],
        decided=[
            f"{agent_name(decision.agent_name, first=True)} decided: {decided(decision)}"
            for decision in reversed(store.journal.decisions(limit=_MOST))
            if begin <= decision.timestamp < end
        ],
        usage=store.ledger.usage("agent", since=begin, before=end),
        stuck=[
            Stuck(
                id=row.id,
                title=one_line(row.title),
                why=one_line(row.detail or reason_words(row.reason)),
                commands=[action.command for action in row.actions],
            )
            for row in stopped_of(store, store.tasks.select(STOPPED, limit=_MOST))
        ],
        strategy=[one_line(line, 300) for line in store.strategy.read().lines],
        following=[one_line(task.title) for task in store.tasks.ready(_MOST_NEXT)],
    )


def as_markdown(daily: Daily, caller: str) -> str:
    """The report as a document. `caller`: what stands before a subcommand."""
    parts = [f"# {daily.headline}"]

    def section(heading: str, lines: list[str], none: str) -> None:
        parts.append(f"## {heading}\n\n" + ("\n".join(f"- {line}" for line in lines) if lines else none))

    section("Landed", [_done(row) for row in daily.landed], "Nothing.")
    if daily.done:
        section("Also done", [_done(row) for row in daily.done], "")
    section("Decided", daily.decided, "Nothing.")
    section(
        "What it cost",
        [f"{agent_name(row.key, first=True)}: {count(row.calls, 'call')}, {_cost([row])}" for row in daily.usage],
        "Nothing.",
    )
    section(
        "What is stuck, and what it needs",
        [
            f"{row.title} ({row.id}): {row.why}" + "".join(f"\n  - `{caller} {command}`" for command in row.commands)
            for row in daily.stuck
        ],
        "Nothing.",
    )
    if daily.strategy:
        section("What the CEO goes by", daily.strategy, "")
    section("Next", daily.following, "Nothing is queued.")
    return redact("\n\n".join(parts)) + "\n"


def write_yesterday(store: MemoryStore, data: Path, caller: str, now: datetime | None = None) -> Path | None:
    """Write the report of the day before and alert its owner, unless that was done or nothing happened; its place."""
    day = ((now or utc_now()) - timedelta(days=1)).date()
    file = data / FOLDER / f"{day}.md"
    if file.exists():
        return None
    daily = daily_of(store, day)
    if daily.is_empty:
        return None
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(".part")
    part.write_text(as_markdown(daily, caller), encoding="utf-8")
    part.replace(file)
    for old in sorted(file.parent.glob("????-??-??.md"))[:-_KEPT_DAYS]:
        old.unlink()
    alert(AlertKind.REPORT, str(day), f"{daily.headline}. The report: {file}")
    return file


def _done(row: Done) -> str:
    price = "no price" if row.cost_usd is None else f"{row.cost_usd:.2f} USD"
    return f"{row.title} ({row.id}, {row.kind}): {row.tokens:,} tokens, {price}"


def _cost(rows: list[UsageRow]) -> str:
    tokens = sum(row.input_tokens + row.output_tokens for row in rows)
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    price = f"{sum(known):.2f} USD" if known else ""
    unpriced = "no price for some calls" if known and any(row.unpriced_calls for row in rows) else ""
    return ", ".join(filter(None, [f"{tokens:,} tokens", price, unpriced]))
