"""The calls that wait for a budget's next period or for a provider, for people to see."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import BaseModel

from memory.database.database import Database
from memory.database.schema import waiting_calls
from memory.models.budgets import WaitingCall


class WaitingTable:
    """The table `waiting_calls`."""

    _database: Database

    def begin_waiting(self, waiting: BaseModel) -> int:
        """Write down that a call waits: a `WaitingCall`, or another model with its fields; gives the row's id."""
        row = WaitingCall.model_validate(waiting, from_attributes=True)
        insert = waiting_calls.insert().values(row.model_dump(exclude={"id"})).returning(waiting_calls.c.id)
        with self._database.write() as connection:
            number: int = connection.execute(insert).scalar_one()
        return number

    def end_waiting(self, number: int) -> None:
        """The call goes on, or was given up."""
        with self._database.write() as connection:
            connection.execute(waiting_calls.delete().where(waiting_calls.c.id == number))

    def waiting_calls(self) -> list[WaitingCall]:
        """All calls that wait, the longest waiting first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(waiting_calls).order_by(waiting_calls.c.since)).mappings()
            return [WaitingCall.model_validate(dict(row)) for row in rows]

    def forget_waiting(self) -> None:
        """Throw away what a killed daemon left: its calls wait anew when their steps run again."""
        with self._database.write() as connection:
            connection.execute(waiting_calls.delete())
