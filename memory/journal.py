"""What agents remember, what they did, and what they decided."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import JsonValue

from memory.columns import json_text
from memory.database import Database, Query
from memory.models import Activity, Decision, Memory, utc_now
from memory.schema import DETAILS_LIMIT, activity_logs, agent_memory, decision_history

_ACTIVITY_LOCK = 0x616374  # an advisory lock of PostgreSQL: any number, the same in every process
_KEPT_OF_LARGE_DETAILS = 4_000


class JournalTables:
    """The tables `agent_memory`, `activity_logs` and `decision_history`."""

    _database: Database

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

    def log_activity(self, agent: str, activity: str, task_id: str | None = None, **details: JsonValue) -> int:
        """Append a line to the stream and give back its id. Details that are too large are cut, never refused."""
        text = json_text(details)
        kept: JsonValue = details if len(text) <= DETAILS_LIMIT else {"cut": text[:_KEPT_OF_LARGE_DETAILS] + "…"}
        insert = activity_logs.insert().values(
            agent_name=agent, activity=activity, task_id=task_id, details=kept, timestamp=utc_now()
        )
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                # Ids must become visible in their order, or a reader's cursor would step over a late one.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ACTIVITY_LOCK)))
            number: int = connection.execute(insert.returning(activity_logs.c.id)).scalar_one()
        return number

    def activity(self, after_id: int = 0, *, task_id: str | None = None, limit: int = 200) -> list[Activity]:
        """The lines after `after_id`, oldest first: give the last id you saw to go on."""
        query = sa.select(activity_logs).where(activity_logs.c.id > after_id).order_by(activity_logs.c.id).limit(limit)
        return self._activities(query, task_id)

    def latest_activity(self, limit: int = 50, *, task_id: str | None = None) -> list[Activity]:
        """The last `limit` lines, oldest first."""
        query = sa.select(activity_logs).order_by(activity_logs.c.id.desc()).limit(limit)
        return self._activities(query, task_id)[::-1]

    def record_decision(self, agent: str, decision_type: str, data: dict[str, JsonValue]) -> int:
        """Append a decision and give back its id. Raises `ValueTooLarge`."""
        insert = decision_history.insert().values(
            agent_name=agent, decision_type=decision_type, decision_data=data, timestamp=utc_now()
        )
        with self._database.write() as connection:
            number: int = connection.execute(insert.returning(decision_history.c.id)).scalar_one()
        return number

    def decisions(self, *, decision_type: str | None = None, limit: int = 100) -> list[Decision]:
        """The last decisions (of one type), newest first."""
        query = sa.select(decision_history).order_by(decision_history.c.id.desc()).limit(limit)
        if decision_type is not None:
            query = query.where(decision_history.c.decision_type == decision_type)
        with self._database.read() as connection:
            return [Decision.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def _activities(self, query: Query, task_id: str | None) -> list[Activity]:
        if task_id is not None:
            query = query.where(activity_logs.c.task_id == task_id)
        with self._database.read() as connection:
            return [Activity.model_validate(dict(row)) for row in connection.execute(query).mappings()]
