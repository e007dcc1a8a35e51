"""The team's records: memories, activities and decisions; attempts and verdicts; the commands of other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.exc import IntegrityError

from memory.database.columns import cleaned, json_text
from memory.database.database import Database, Query
from memory.database.schema import (
    DETAILS_LIMIT,
    TITLE_LIMIT,
    activity_logs,
    agent_memory,
    attempts,
    audit_chain,
    control,
    conversations,
    decision_history,
    verdicts,
)
from memory.errors import UnknownTask
from memory.journal_models import Activity, ControlCommand, Decision, Memory
from memory.tables.audit import link
from memory.task_models import Attempt, Row, Verdict, utc_now
from monitoring.counters import ACTIVITY

_ACTIVITY_LOCK = 0x616374  # an advisory lock of PostgreSQL: any number, the same in every process
_KEPT_OF_LARGE_DETAILS = 4_000
_ATTEMPT_NAME = ("task_id", "run", "stage", "approach", "number")
_VERDICT_NAME = ("task_id", "run", "stage", "agent", "number")
_LINES = activity_logs.c
_SHOWN = [_LINES[name] for name in Activity.model_fields]
_INSERT = activity_logs.insert().values(
    # Cleaned already: the hash is of what is stored, so nothing may change it on the way.
    activity=sa.type_coerce(sa.bindparam("clean_activity"), sa.Text),
    details=sa.type_coerce(sa.bindparam("clean_details"), sa.Text),
)
_HEAD = sa.select(audit_chain.c.head_hash)
_MOVE_HEAD = audit_chain.update().values(head_id=sa.bindparam("number"), head_hash=sa.bindparam("digest"))


def lock_activity(database: Database, connection: sa.Connection) -> None:
    """Hold off other writers to the stream until this transaction ends.

    Ids must become visible in order, or a reader's cursor would skip a late one; and each line is chained
    to the one before it. On SQLite a transaction that writes has the whole file to itself.
    """
    if not database.is_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ACTIVITY_LOCK)))


class JournalTables:
    """The tables `agent_memory`, `activity_logs` and `decision_history`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.on_line: Callable[[], None] = lambda: None
        """Called when this process has written a line to the stream; it must return at once."""

    def remember(self, agent: str, key: str, value: JsonValue) -> None:
        """Store `value` for an agent, in place of an earlier one under `key`. Raises `ValueTooLarge`."""
        now = utc_now()
        insert = self._database.insert(agent_memory).values(
            agent_name=agent, key=key, value=value, created_at=now, updated_at=now
        )
        with self._database.write() as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["agent_name", "key"], set_={"value": value, "updated_at": now}
                )
            )

    def recall(self, agent: str, key: str) -> JsonValue | None:
        """What an agent remembers under `key`, or None."""
        query = sa.select(agent_memory.c.value).where(agent_memory.c.agent_name == agent, agent_memory.c.key == key)
        with self._database.read() as connection:
            value: JsonValue | None = connection.execute(query).scalar_one_or_none()
        return value

    def memories(self, agent: str, prefix: str = "") -> list[Memory]:
        """All memories of an agent whose keys begin with `prefix`, the least recently written first."""
        query = (
            sa.select(
                agent_memory.c.agent_name.label("agent"),
                *(agent_memory.c[name] for name in ("key", "value", "created_at", "updated_at")),
            )
            .where(agent_memory.c.agent_name == agent, agent_memory.c.key.startswith(prefix, autoescape=True))
            .order_by(agent_memory.c.updated_at, agent_memory.c.id)
        )
        with self._database.read() as connection:
            return [Memory.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def forget_oldest(self, agent: str, prefix: str, keep: int) -> int:
        """Of the memories under `prefix` keep the `keep` most recently written; gives how many were deleted."""
        mine = sa.and_(agent_memory.c.agent_name == agent, agent_memory.c.key.startswith(prefix, autoescape=True))
        kept = (
            sa.select(agent_memory.c.id)
            .where(mine)
            .order_by(agent_memory.c.updated_at.desc(), agent_memory.c.id.desc())
            .limit(keep)
        )
        with self._database.write() as connection:
            return connection.execute(agent_memory.delete().where(mine, agent_memory.c.id.not_in(kept))).rowcount

    def log(self, agent: str, activity: str, task_id: str | None = None, **details: JsonValue) -> int:
        """Append a line to the stream; gives its id. Details that are too large are cut, never refused."""
        text = json_text(details)
        if len(text) > DETAILS_LIMIT:
            text = json_text({"cut": text[:_KEPT_OF_LARGE_DETAILS] + "…"})
        words = cleaned(activity, TITLE_LIMIT)
        with self._database.write() as connection:
            lock_activity(self._database, connection)
            now = utc_now()  # within the lock: no line is older than the one before it
            previous = connection.execute(_HEAD).scalar_one()
            digest = link(previous, agent, words, task_id, text, now)
            given = {"agent_name": agent, "task_id": task_id, "timestamp": now, "hash": digest}
            values = given | {"clean_activity": words, "clean_details": text}
            number: int = connection.execute(_INSERT.returning(_LINES.id), values).scalar_one()
            connection.execute(_MOVE_HEAD, {"number": number, "digest": digest})
        ACTIVITY.add(words)
        self.on_line()
        return number

    def activity(self, after_id: int = 0, *, task_id: str | None = None, limit: int = 200) -> list[Activity]:
        """The lines after `after_id`, oldest first; pass the last id you saw to go on."""
        query = sa.select(*_SHOWN).where(_LINES.id > after_id).order_by(_LINES.id).limit(limit)
        return self._activities(query, task_id)

    def latest(self, limit: int = 50, *, task_id: str | None = None) -> list[Activity]:
        """The last `limit` lines, oldest first."""
        query = sa.select(*_SHOWN).order_by(_LINES.id.desc()).limit(limit)
        return self._activities(query, task_id)[::-1]

    def latest_of(self, activity: str, limit: int = 50, *, after_id: int = 0) -> list[Activity]:
        """The last `limit` lines of one kind of activity, oldest first; only lines after `after_id` are looked at."""
        query = sa.select(*_SHOWN).where(_LINES.activity == activity, _LINES.id > after_id)
        return self._activities(query.order_by(_LINES.id.desc()).limit(limit), None)[::-1]

    def record_decision(self, agent: str, decision_type: str, data: dict[str, JsonValue]) -> int:
        """Append a decision; gives its id. Raises `ValueTooLarge`."""
        insert = decision_history.insert().values(
            agent_name=agent, decision_type=decision_type, decision_data=data, timestamp=utc_now()
        )
        with self._database.write() as connection:
            number: int = connection.execute(insert.returning(decision_history.c.id)).scalar_one()
        return number

    def decisions(
        self, *, decision_type: str | None = None, task_id: str | None = None, limit: int = 100
    ) -> list[Decision]:
        """The last decisions (of one type, about one task), newest first."""
        query = sa.select(decision_history).order_by(decision_history.c.id.desc()).limit(limit)
        if decision_type is not None:
            query = query.where(decision_history.c.decision_type == decision_type)
        if task_id is not None:
            named = json_text({"task": task_id})[1:-1]
            query = query.where(
                sa.type_coerce(decision_history.c.decision_data, sa.Text).contains(named, autoescape=True)
            )
        with self._database.read() as connection:
            return [Decision.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def _activities(self, query: Query, task_id: str | None) -> list[Activity]:
        if task_id is not None:
            query = query.where(activity_logs.c.task_id == task_id)
        with self._database.read() as connection:
            return [Activity.model_validate(dict(row)) for row in connection.execute(query).mappings()]


class EvidenceTables:
    """The tables `attempts`, `verdicts` and `conversations`. Recording the same one again replaces it: steps may be
    repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_attempt(self, attempt: Attempt) -> None:
        """Store an attempt, in place of the one of the same name. Raises `UnknownTask`."""
        self._record(attempts, attempt, attempt.task_id, _ATTEMPT_NAME)

    def attempts(self, task_id: str, *, run: int | None = None) -> list[Attempt]:
        """A task's attempts (of one run), oldest first."""
        query = sa.select(attempts).where(attempts.c.task_id == task_id).order_by(attempts.c.id)
        if run is not None:
            query = query.where(attempts.c.run == run)
        with self._database.read() as connection:
            return [Attempt.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def latest_evidence(self, runs: Mapping[str, int]) -> dict[str, str]:
        """How each of these tasks failed last in its run (task id -> run), where an attempt says so; one query."""
        named = _of_runs(runs)
        words = attempts.c.evidence != ""
        latest = sa.select(sa.func.max(attempts.c.id)).where(named, words).group_by(attempts.c.task_id)
        query = sa.select(attempts.c.task_id, attempts.c.evidence).where(attempts.c.id.in_(latest))
        with self._database.read() as connection:
            return {row.task_id: row.evidence for row in connection.execute(query)}

    def attempt_counts(self, runs: Mapping[str, int]) -> dict[str, int]:
        """How many attempts each of these tasks has in its run (task id -> run); one query."""
        named = _of_runs(runs)
        number = sa.func.count().label("number")
        query = sa.select(attempts.c.task_id, number).where(named).group_by(attempts.c.task_id)
        with self._database.read() as connection:
            return {row.task_id: row.number for row in connection.execute(query)}

    def record_verdict(self, verdict: Verdict) -> None:
        """Store a verdict, in place of the one of the same name. Raises `UnknownTask`."""
        self._record(verdicts, verdict, verdict.task_id, _VERDICT_NAME)

    def verdicts(self, task_id: str, *, run: int | None = None) -> list[Verdict]:
        """A task's verdicts (of one run), oldest first."""
        columns = [column for column in verdicts.c if column.name != "id"]
        query = sa.select(*columns).where(verdicts.c.task_id == task_id).order_by(verdicts.c.id)
        if run is not None:
            query = query.where(verdicts.c.run == run)
        with self._database.read() as connection:
            return [Verdict.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def keep_conversation(self, task_id: str, run: int, agent: str, turns: JsonValue) -> None:
        """Store an agent's conversation about one run of a task, in place of what was stored before."""
        values = {"turns": turns, "updated_at": utc_now()}
        insert = self._database.insert(conversations).values(task_id=task_id, run=run, agent=agent, **values)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["task_id", "run", "agent"], set_=values))

    def conversation(self, task_id: str, run: int, agent: str) -> JsonValue:
        """The turns that were kept; None if there are none."""
        found = conversations.c
        query = sa.select(found.turns).where(found.task_id == task_id, found.run == run, found.agent == agent)
        with self._database.read() as connection:
            turns: JsonValue = connection.execute(query).scalar_one_or_none()
        return turns

    def _record(self, table: sa.Table, row: Row, task_id: str, name: tuple[str, ...]) -> None:
        values = row.model_dump(exclude={"id"})
        replaced = {column: value for column, value in values.items() if column not in (*name, "created_at")}
        insert = self._database.insert(table).values(values)
        try:
            with self._database.write() as connection:
                connection.execute(insert.on_conflict_do_update(index_elements=name, set_=replaced))
        except IntegrityError as error:  # the only rule left to break is that the task must be there
            raise UnknownTask(task_id) from error


def _of_runs(runs: Mapping[str, int]) -> sa.ColumnElement[bool]:
    """Attempts of these tasks in these runs; SQLite uses no index for the pairs alone."""
    pairs = sa.tuple_(attempts.c.task_id, attempts.c.run).in_(runs.items())
    return sa.and_(attempts.c.task_id.in_(runs), pairs)


class CommandTable:
    """The table `control`, a mailbox: a command stays in it until it has been applied."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, command: str, argument: str = "") -> None:
        """Leave a command for the daemon."""
        with self._database.write() as connection:
            connection.execute(control.insert().values(command=command, argument=argument, created_at=utc_now()))

    def pending(self) -> list[ControlCommand]:
        """All waiting commands, oldest first."""
        with self._database.read() as connection:
            wanted = sa.select(control.c.id, control.c.command, control.c.argument).order_by(control.c.id)
            rows = connection.execute(wanted).mappings().all()
        return [ControlCommand.model_validate(dict(row)) for row in rows]

    def drop(self, control_id: int) -> None:
        """Delete a command that has been applied."""
        with self._database.write() as connection:
            connection.execute(control.delete().where(control.c.id == control_id))
