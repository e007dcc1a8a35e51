"""What was tried on a task and how it was judged."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from memory.database.database import Database
from memory.database.schema import attempts, verdicts
from memory.errors import UnknownTask
from memory.models.tasks import Attempt, Row, Verdict

_ATTEMPT_NAME = ("task_id", "run", "stage", "approach", "number")
_VERDICT_NAME = ("task_id", "run", "stage", "agent", "number")


class EvidenceTables:
    """The tables `attempts` and `verdicts`. Recording the same one again replaces it: steps may be repeated."""

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

    def _record(self, table: sa.Table, row: Row, task_id: str, name: tuple[str, ...]) -> None:
        values = row.model_dump(exclude={"id"})
        replaced = {column: value for column, value in values.items() if column not in (*name, "created_at")}
        insert = self._database.insert(table).values(values)
        try:
            with self._database.write() as connection:
                connection.execute(insert.on_conflict_do_update(index_elements=name, set_=replaced))
        except IntegrityError as error:  # the only rule left to break is that the task must be there
            raise UnknownTask(task_id) from error
