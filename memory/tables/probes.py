"""What models managed when they were tried out, so that each is tried out once."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import BaseModel

from memory.database.database import Database
from memory.database.schema import model_probes
from memory.models.tasks import ModelProbe


class ProbeTable:
    """The table `model_probes`."""

    _database: Database

    def find_probe(self, provider: str, address: str, model: str) -> ModelProbe | None:
        """What this model managed, or None when it was not tried out."""
        columns = model_probes.c
        query = sa.select(model_probes).where(
            columns.provider == provider, columns.address == address, columns.model == model
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else ModelProbe.model_validate(dict(row))

    def record_probe(self, probe: BaseModel) -> None:
        """Remember a `ModelProbe`, or another model with its fields (`llm` has its own), in place of an earlier one."""
        values = ModelProbe.model_validate(probe, from_attributes=True).model_dump()
        insert = self._database.insert(model_probes).values(values)
        name = [column.name for column in model_probes.primary_key]
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=name, set_=values))
