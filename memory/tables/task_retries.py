"""Tasks that begin anew as a new run: retried, told in other words, or after the parts they were split into."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import task_dependencies, tasks
from memory.errors import UnknownTask
from memory.models.tasks import Task, TaskStatus, utc_now

RETRIABLE = frozenset({TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED})


class AnewTable:
    """The ways back to `pending`. Work of the earlier run no longer counts."""

    _database: Database

    def retry_task(self, task_id: str) -> bool:
        """Put a failed, blocked or cancelled task back to pending as a new run; False if it is in no such status."""
        with self._database.write() as connection:
            return _begin_anew(connection, task_id, RETRIABLE, None, {})

    def reword_task(self, task_id: str, run: int, title: str, description: str) -> bool:
        """Let a task in progress begin anew in other words; False if that `run` of it is in progress no more."""
        words: dict[str, object] = {"title": title, "description": description}
        with self._database.write() as connection:
            return _begin_anew(connection, task_id, [TaskStatus.IN_PROGRESS], run, words)

    def split_task(self, task_id: str, run: int, parts: Sequence[Task]) -> bool:
        """Let a task in progress begin anew once `parts`, new tasks that depend on nothing, are completed.

        False if that `run` of it is in progress no more; nothing is added then.
        """
        with self._database.write() as connection:
            if not _begin_anew(connection, task_id, [TaskStatus.IN_PROGRESS], run, {}):
                return False
            connection.execute(tasks.insert(), [part.model_dump(exclude={"depends_on"}) for part in parts])
            edges = [{"task_id": task_id, "depends_on_id": part.id} for part in parts]
            connection.execute(task_dependencies.insert(), edges)
            return True


def _begin_anew(
    connection: sa.Connection,
    task_id: str,
    expected: Sequence[TaskStatus] | frozenset[TaskStatus],
    run: int | None,
    words: dict[str, object],
) -> bool:
    values: dict[str, object] = {
        "status": TaskStatus.PENDING,
        "run": tasks.c.run + 1,
        "reason": None,
        "reason_detail": "",
        "stage": "",
        "result": {},
        "started_at": None,
        "finished_at": None,
        "updated_at": utc_now(),
    }
    update = tasks.update().where(tasks.c.id == task_id, tasks.c.status.in_(expected)).values(values | words)
    if run is not None:
        update = update.where(tasks.c.run == run)
    if connection.execute(update).rowcount == 1:
        return True
    if connection.execute(sa.select(tasks.c.id).where(tasks.c.id == task_id)).first() is None:
        raise UnknownTask(task_id)
    return False
