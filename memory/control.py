"""Words from other processes (the command line, the API) to the daemon."""

from __future__ import annotations

from memory.database import Database
from memory.models import ControlCommand, utc_now
from memory.schema import control


class ControlTable:
    """The table `control`: a mailbox that is emptied when it is read."""

    _database: Database

    def send_control(self, command: str, argument: str = "") -> None:
        """Leave a command for the daemon."""
        with self._database.write() as connection:
            connection.execute(control.insert().values(command=command, argument=argument, created_at=utc_now()))

    def take_controls(self) -> list[ControlCommand]:
        """All commands that wait, oldest first. Each is given to one taker, once."""
        wanted = (control.c.id, control.c.command, control.c.argument)
        with self._database.read() as connection:  # an idle daemon looks often and must not take the write lock for it
            if connection.execute(control.select().limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            taken = connection.execute(control.delete().returning(*wanted)).mappings().all()
        return sorted((ControlCommand.model_validate(dict(row)) for row in taken), key=lambda taken: taken.id)
