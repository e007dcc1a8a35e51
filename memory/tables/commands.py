"""Words from other processes (the command line, the API) to the daemon."""

from __future__ import annotations

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import control
from memory.models.tasks import ControlCommand, Task, utc_now


def moment_of(task: Task) -> str:
    """Where in its life a task is, changed by every run and stage: what an approval is of."""
    return f"{task.run}.{task.result.get('visit', 0)}"


class CommandTable:
    """The table `control`: a mailbox; a command stays in it until it was obeyed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, command: str, argument: str = "") -> None:
        """Leave a command for the daemon."""
        with self._database.write() as connection:
            connection.execute(control.insert().values(command=command, argument=argument, created_at=utc_now()))

    def pending(self) -> list[ControlCommand]:
        """All commands that wait, oldest first."""
        with self._database.read() as connection:
            wanted = sa.select(control.c.id, control.c.command, control.c.argument).order_by(control.c.id)
            rows = connection.execute(wanted).mappings().all()
        return [ControlCommand.model_validate(dict(row)) for row in rows]

    def drop(self, control_id: int) -> None:
        """Take a command out that was obeyed."""
        with self._database.write() as connection:
            connection.execute(control.delete().where(control.c.id == control_id))
