"""Pages of long lists, newest first, for those who look: each page begins behind the last row of the one before it.

A page is found by its key, so that the hundredth costs what the first does, and what is added meanwhile moves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import activity_logs, attempts, decision_history, model_calls, tasks
from memory.journal_models import Activity, Decision
from memory.ledger_models import ModelCall
from memory.task_models import Row, TaskLine, TaskStatus
from monitoring.errors import FailureReason

_SHOWN_OF_TASKS = [tasks.c[name] for name in TaskLine.model_fields]
_SHOWN_OF_LINES = [activity_logs.c[name] for name in Activity.model_fields]


class TaskFilter(TypedDict, total=False):
    """Which tasks are wanted; what is left out does not matter."""

    status: Collection[TaskStatus] | None
    type: str | None
    kind: str | None
    source: str | None
    stage: str | None
    parent_id: str | None
    search: str | None
    """Words that all stand in the title, the description or the reason, or the beginning of the id."""


class BrowseTables:
    """Reads, and never writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tasks(
        self, limit: int, before: tuple[datetime, str] | None = None, **wanted: Unpack[TaskFilter]
    ) -> list[TaskLine]:
        """At most `limit` tasks, newest first, that were made before the one with this time and id; without what is
        long of them."""
        query = sa.select(*_SHOWN_OF_TASKS).where(*_conditions(wanted))
        if before is not None:
            moment, task_id = before
            query = query.where(
                sa.or_(
                    tasks.c.created_at < moment, sa.and_(tasks.c.created_at == moment, tasks.c.id < task_id)
                )
            )  # fmt: skip
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tasks.c.created_at.desc(), tasks.c.id.desc()).limit(limit))
            return [TaskLine.model_validate(dict(row)) for row in rows.mappings()]

    def calls(self, task_id: str, limit: int, before: int | None = None) -> list[ModelCall]:
        """At most `limit` model calls of a task, newest first, without prompt and answer."""
        columns = [
            sa.literal("").label(column.name) if column.name in ("prompt", "response") else column
            for column in model_calls.c
        ]
        query = sa.select(*columns).where(model_calls.c.task_id == task_id)
        if before is not None:
            query = query.where(model_calls.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(model_calls.c.id.desc()).limit(limit)).mappings()
            return [ModelCall.model_validate(dict(row)) for row in rows]

    def call(self, task_id: str, number: int) -> ModelCall | None:
        """One model call of a task with all it has."""
        query = sa.select(model_calls).where(model_calls.c.id == number, model_calls.c.task_id == task_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else ModelCall.model_validate(dict(row))

    def call_saying(self, task_id: str, text: str) -> ModelCall | None:
        """The first call of a task in whose answer this text stands, as it is or inside JSON; without prompt and
        answer."""
        said = sa.type_coerce(model_calls.c.response, sa.Text)
        inside = json.dumps(text, ensure_ascii=False)[1:-1]
        query = (
            sa.select(model_calls.c.id)
            .where(model_calls.c.task_id == task_id)
            .where(sa.or_(said.contains(text, autoescape=True), said.contains(inside, autoescape=True)))
            .order_by(model_calls.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            number = connection.execute(query).scalar_one_or_none()
        found = None if number is None else self.call(task_id, number)
        return found and found.model_copy(update={"prompt": "", "response": ""})

    def activity(
        self,
        limit: int,
        before: int | None = None,
        *,
        agent: str | None = None,
        task_id: str | None = None,
        kinds: Collection[str] | None = None,
    ) -> list[Activity]:
        """At most `limit` lines of the stream (of some kinds of activity), newest first, from before the line with this
        id."""
        lines = activity_logs.c
        query = sa.select(*_SHOWN_OF_LINES)
        if before is not None:
            query = query.where(lines.id < before)
        if agent is not None:
            query = query.where(lines.agent_name == agent)
        if task_id is not None:
            query = query.where(lines.task_id == task_id)
        if kinds is not None:
            query = query.where(lines.activity.in_(sorted(kinds)))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(lines.id.desc()).limit(limit)).mappings()
            return [Activity.model_validate(dict(row)) for row in rows]

    def decisions(self, limit: int, before: int | None = None, *, kind: str | None = None) -> list[Decision]:
        """At most `limit` decisions (of one kind), newest first, from before the one with this id."""
        query = sa.select(decision_history)
        if before is not None:
            query = query.where(decision_history.c.id < before)
        if kind is not None:
            query = query.where(decision_history.c.decision_type == kind)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(decision_history.c.id.desc()).limit(limit)).mappings()
            return [Decision.model_validate(dict(row)) for row in rows]

    def last_attempt(self, before: datetime) -> int:
        """The id of the last attempt from before that moment; 0 if there is none."""
        query = sa.select(sa.func.coalesce(sa.func.max(attempts.c.id), 0)).where(attempts.c.created_at < before)
        with self._database.read() as connection:
            number: int = connection.execute(query).scalar_one()
        return number

    def attempts_by_stage(
        self, since: datetime | None, *, before: datetime | None = None, after_id: int = 0
    ) -> dict[str, dict[str, int]]:
        """How many attempts of each stage ended how (stage -> outcome -> number), within that time or ever. Only those
        after `after_id` are looked at."""
        columns = (attempts.c.stage, attempts.c.outcome)
        query = sa.select(*columns, sa.func.count()).group_by(*columns)
        if after_id:
            query = query.where(attempts.c.id > after_id)
        if since is not None:
            query = query.where(attempts.c.created_at >= since)
        if before is not None:
            query = query.where(attempts.c.created_at < before)
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for stage, outcome, number in connection.execute(query):
                found.setdefault(stage, {})[outcome] = number
        return found

    def task_sums(self, bounds: Sequence[float]) -> list[TaskSum]:
        """All tasks, by what `TaskSum` tells them apart. `bounds`: seconds, rising, between classes of durations."""
        if self._database.is_sqlite:
            took = (sa.func.julianday(tasks.c.finished_at) - sa.func.julianday(tasks.c.started_at)) * 86_400
        else:
            took = sa.extract("epoch", tasks.c.finished_at - tasks.c.started_at)
        duration = _class_of(took, bounds).label("duration")
        columns = (tasks.c.status, tasks.c.type, tasks.c.reason, tasks.c.stage, tasks.c.assigned_agents, duration)
        seconds = sa.func.coalesce(sa.func.sum(took), 0).label("seconds")
        query = sa.select(*columns, sa.func.count().label("number"), seconds).group_by(*columns)
        with self._database.read() as connection:
            return [TaskSum.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def call_sums(self, bounds: Sequence[float]) -> list[CallSum]:
        """All model calls, by what `CallSum` tells them apart. `bounds`: seconds, rising, between the classes of
        durations."""
        calls = model_calls.c
        model = (calls.provider + "/" + calls.model).label("model")
        columns = (calls.agent, model, calls.outcome, calls.cached, _class_of(calls.seconds, bounds).label("duration"))
        sums = [
            sa.func.coalesce(sa.func.sum(calls[name]), 0).label(name)
            for name in ("input_tokens", "output_tokens", "cost_usd", "seconds")
        ]
        query = sa.select(*columns, sa.func.count().label("number"), *sums).group_by(*columns)
        with self._database.read() as connection:
            return [CallSum.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def _class_of(seconds: sa.ColumnElement[float], bounds: Sequence[float]) -> sa.ColumnElement[int]:
    """The place of the first bound that `seconds` does not exceed; behind the last one where there is none. Written
    out: PostgreSQL groups by no expression with parameters."""
    places = [sa.literal_column(f"{place}", sa.Integer) for place in range(len(bounds) + 1)]
    whens = [(seconds <= sa.literal_column(f"{bound:g}", sa.Float), place)
             for bound, place in zip(bounds, places, strict=False)]  # fmt: skip
    return sa.case(*whens, else_=places[-1])


class TaskSum(Row):
    """Tasks that are alike."""

    status: TaskStatus
    type: str
    reason: FailureReason | None
    stage: str
    assigned_agents: list[str]
    duration: int
    """Its class, of those that have ended."""
    number: int
    seconds: float
    """From begin to end, of those that have both."""


class CallSum(Row):
    """Model calls of one agent and model that ended alike."""

    agent: str
    model: str
    """As `provider/model`."""
    outcome: str
    cached: bool
    duration: int
    """Its class."""
    number: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float


def _conditions(wanted: TaskFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if (statuses := wanted.get("status")) is not None:
        found.append(tasks.c.status.in_(statuses))
    for name in ("type", "kind", "source", "stage", "parent_id"):
        if (value := wanted.get(name)) is not None:
            found.append(tasks.c[name] == value)
    for word in (wanted.get("search") or "").split():
        texts = (tasks.c.title, tasks.c.description, tasks.c.reason_detail)
        named = [sa.type_coerce(text, sa.Text).icontains(word, autoescape=True) for text in texts]
        found.append(sa.or_(tasks.c.id.startswith(word, autoescape=True), *named))
    return found
