"""Retention: deletes old texts that nothing needs any more. Figures, tasks, decisions and lessons stay.

An open task keeps everything, however old: its answers are replayed, its activity and evidence are read.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import activity_logs, attempts, audit_chain, conversations, model_calls, tasks
from memory.database.sqlite_files import compact
from memory.tables.journal import lock_activity
from memory.tables.tasks import ENDED


class Retention:
    """Deletes from several tables; each method may be called again at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget_answers(self, before: datetime) -> int:
        """Empty prompt and response of older model calls; gives how many. Tokens, costs and hashes stay."""
        calls = model_calls.c
        old = sa.and_(calls.created_at < before, sa.or_(calls.prompt != "", calls.response != ""))
        free = sa.or_(calls.task_id.is_(None), calls.task_id.not_in(_open_tasks()))
        with self._database.write() as connection:
            return connection.execute(model_calls.update().where(old, free).values(prompt="", response="")).rowcount

    def forget_activity(self, before: datetime) -> int:
        """Delete older lines of the activity stream, up to the first that an open task needs; gives how many.

        Only the beginning can be deleted, because the lines are chained; where it was cut is kept for `verify`.
        """
        lines = activity_logs.c
        kept = sa.or_(lines.timestamp >= before, lines.task_id.in_(_open_tasks()))
        with self._database.write() as connection:
            lock_activity(self._database, connection)
            first_kept = connection.execute(sa.select(sa.func.min(lines.id)).where(kept)).scalar()
            going = sa.true() if first_kept is None else lines.id < first_kept
            last = connection.execute(
                sa.select(lines.id, lines.hash).where(going).order_by(lines.id.desc()).limit(1)
            ).one_or_none()
            if last is None:
                return 0
            connection.execute(audit_chain.update().values(anchor_id=last.id, anchor_hash=last.hash))
            return connection.execute(activity_logs.delete().where(lines.id <= last.id)).rowcount

    def forget_evidence(self, before: datetime) -> int:
        """Empty the test output of older attempts; gives how many. Outcome and counts stay, conversations do not."""
        talks = conversations.c
        over = sa.and_(talks.updated_at < before, talks.task_id.not_in(_open_tasks()))
        old = sa.and_(attempts.c.created_at < before, attempts.c.evidence != "")
        free = attempts.c.task_id.not_in(_open_tasks())
        with self._database.write() as connection:
            connection.execute(conversations.delete().where(over))
            return connection.execute(attempts.update().where(old, free).values(evidence="")).rowcount

    def ended_before(self, moment: datetime) -> list[str]:
        """Ids of the tasks that ended before `moment`."""
        query = sa.select(tasks.c.id).where(tasks.c.status.in_(ENDED), tasks.c.finished_at < moment)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def open_tasks(self) -> set[str]:
        """Ids of all tasks that have not ended."""
        with self._database.read() as connection:
            return {task_id for (task_id,) in connection.execute(_open_tasks())}

    def compact(self) -> int:
        """Shrink the SQLite file when much of it is empty; gives the bytes freed. PostgreSQL does this by itself."""
        return compact(self._database.path) if self._database.path is not None else 0


def _open_tasks() -> sa.Select[str]:
    return sa.select(tasks.c.id).where(tasks.c.status.not_in(ENDED))
