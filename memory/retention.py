"""What is let go after its time: texts that nothing needs any more. Figures, tasks, decisions and lessons stay.

An open task keeps everything, however old: its answers are replayed, its activity and evidence are looked at.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from memory.database import Database
from memory.schema import activity_logs, attempts, model_calls, tasks
from memory.sqlite_files import compact
from memory.tasks import ENDED


class RetentionTables:
    """Clean-up over several tables; each method may be called again at any time."""

    _database: Database

    def forget_answers(self, before: datetime) -> int:
        """Empty prompt and response of older model calls; how many. Tokens, costs and hashes stay for the budgets."""
        calls = model_calls.c
        old = sa.and_(calls.created_at < before, sa.or_(calls.prompt != "", calls.response != ""))
        free = sa.or_(calls.task_id.is_(None), calls.task_id.not_in(_open_tasks()))
        with self._database.write() as connection:
            return connection.execute(model_calls.update().where(old, free).values(prompt="", response="")).rowcount

    def forget_activity(self, before: datetime) -> int:
        """Delete older lines of the activity stream; how many."""
        lines = activity_logs.c
        free = sa.or_(lines.task_id.is_(None), lines.task_id.not_in(_open_tasks()))
        with self._database.write() as connection:
            return connection.execute(activity_logs.delete().where(lines.timestamp < before, free)).rowcount

    def forget_evidence(self, before: datetime) -> int:
        """Empty what the test runs of older attempts said; how many. Outcome and counts stay."""
        old = sa.and_(attempts.c.created_at < before, attempts.c.evidence != "")
        free = attempts.c.task_id.not_in(_open_tasks())
        with self._database.write() as connection:
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
        """Give the room of what was forgotten back to the disk, where that is worth it; the bytes. PostgreSQL does so
        by itself."""
        return compact(self._database.path) if self._database.path is not None else 0


def _open_tasks() -> sa.Select[str]:
    return sa.select(tasks.c.id).where(tasks.c.status.not_in(ENDED))
