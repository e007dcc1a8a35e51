"""The table `forge_threads`."""

from __future__ import annotations

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import forge_threads
from memory.forge_models import ForgeKind, ForgeStatus, ForgeThread, ThreadState
from memory.task_models import utc_now

_ROW = forge_threads.c


class ForgeTable:
    """Issues and requests at the forge, and the tasks that belong to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, place: str, kind: ForgeKind, number: int, status: ForgeStatus, **values: str | None) -> ForgeThread:
        """Remember one; if it is known, it stays as it is. Gives it as it is remembered."""
        now = utc_now()
        row: dict[str, object] = {
            "task_id": None,
            "title": "",
            "author": "",
            "url": "",
            "state": ThreadState().model_dump(mode="json"),
        }
        row |= {
            **values,
            "place": place,
            "kind": kind,
            "number": number,
            "status": status,
            "created_at": now,
            "updated_at": now,
        }
        insert = self._database.insert(forge_threads).values(row)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_nothing(index_elements=["place", "kind", "number"]))
        found = self.get(place, kind, number)
        assert found is not None
        return found

    def keep(self, thread: ForgeThread) -> None:
        """Remember one as it is now."""
        values = thread.model_dump(mode="json", include={"status", "task_id", "title", "author", "url", "state"})
        with self._database.write() as connection:
            connection.execute(
                forge_threads.update()
                .where(_ROW.place == thread.place, _ROW.kind == thread.kind, _ROW.number == thread.number)
                .values(**values, updated_at=utc_now())
            )

    def get(self, place: str, kind: ForgeKind, number: int) -> ForgeThread | None:
        """One of them, if it is known."""
        return next(iter(self._all(_ROW.place == place, _ROW.kind == kind, _ROW.number == number)), None)

    def of_task(self, task_id: str, kind: ForgeKind | None = None) -> list[ForgeThread]:
        """Those of a task, the newest first."""
        return self._all(_ROW.task_id == task_id, *([_ROW.kind == kind] if kind else []))

    def select(self, place: str, kind: ForgeKind, *statuses: ForgeStatus, limit: int = 1000) -> list[ForgeThread]:
        """Those of a place, of a kind and with one of these statuses, the newest first."""
        conditions = [_ROW.place == place, _ROW.kind == kind]
        return self._all(*conditions, *([_ROW.status.in_(statuses)] if statuses else []), limit=limit)

    def _all(self, *conditions: sa.ColumnElement[bool], limit: int = 1000) -> list[ForgeThread]:
        query = sa.select(forge_threads).where(*conditions)
        query = query.order_by(_ROW.created_at.desc(), _ROW.number.desc()).limit(limit)
        with self._database.read() as connection:
            return [ForgeThread.model_validate(dict(row)) for row in connection.execute(query).mappings()]
