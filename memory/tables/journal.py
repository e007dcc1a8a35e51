"""What agents remember, what they did, and what they decided."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import JsonValue

from memory.database.columns import cleaned, json_text
from memory.database.database import Database, Query
from memory.database.schema import (
    DETAILS_LIMIT,
    TITLE_LIMIT,
    activity_logs,
    agent_memory,
    audit_chain,
    decision_history,
)
from memory.models.tasks import Activity, Decision, Memory, utc_now
from memory.tables.audit import link

_ACTIVITY_LOCK = 0x616374  # an advisory lock of PostgreSQL: any number, the same in every process
_KEPT_OF_LARGE_DETAILS = 4_000
_LINES = activity_logs.c
_SHOWN = [_LINES[name] for name in Activity.model_fields]
_INSERT = activity_logs.insert().values(
    # Clean already: the hash is of what is stored, so that nothing may change it on its way.
    activity=sa.type_coerce(sa.bindparam("clean_activity"), sa.Text),
    details=sa.type_coerce(sa.bindparam("clean_details"), sa.Text),
)
_HEAD = sa.select(audit_chain.c.head_hash)
_MOVE_HEAD = audit_chain.update().values(head_id=sa.bindparam("number"), head_hash=sa.bindparam("digest"))


def lock_activity(database: Database, connection: sa.Connection) -> None:
    """Let nobody else write to the stream until this transaction ends.

    Ids must become visible in their order, or a reader's cursor would step over a late one; and each line is chained
    to the one before it. On SQLite a transaction that writes has the whole file to itself.
    """
    if not database.is_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ACTIVITY_LOCK)))


class JournalTables:
    """The tables `agent_memory`, `activity_logs` and `decision_history`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, agent: str, key: str, value: JsonValue) -> None:
        """Keep `value` for an agent, in place of what stood under `key`. Raises `ValueTooLarge`."""
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
        """What an agent keeps under `key`, or None."""
        query = sa.select(agent_memory.c.value).where(agent_memory.c.agent_name == agent, agent_memory.c.key == key)
        with self._database.read() as connection:
            value: JsonValue | None = connection.execute(query).scalar_one_or_none()
        return value

    def memories(self, agent: str, prefix: str = "") -> list[Memory]:
        """All an agent keeps under keys that begin with `prefix`, the longest untouched first."""
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
        """Of the memories under `prefix` keep the `keep` last touched; how many were dropped."""
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
        """Append a line to the stream and give back its id. Details that are too large are cut, never refused."""
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
        return number

    def activity(self, after_id: int = 0, *, task_id: str | None = None, limit: int = 200) -> list[Activity]:
        """The lines after `after_id`, oldest first: give the last id you saw to go on."""
        query = sa.select(*_SHOWN).where(_LINES.id > after_id).order_by(_LINES.id).limit(limit)
        return self._activities(query, task_id)

    def latest(self, limit: int = 50, *, task_id: str | None = None) -> list[Activity]:
        """The last `limit` lines, oldest first."""
        query = sa.select(*_SHOWN).order_by(_LINES.id.desc()).limit(limit)
        return self._activities(query, task_id)[::-1]

    def record_decision(self, agent: str, decision_type: str, data: dict[str, JsonValue]) -> int:
        """Append a decision and give back its id. Raises `ValueTooLarge`."""
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
