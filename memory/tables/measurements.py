"""The tables `measurements` and `comparisons`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import comparisons, measurements
from memory.deployment_models import Comparison, Measurement, Series

_ROW = measurements.c
_DONE = comparisons.c
_MEASURED = [_ROW[name] for name in Measurement.model_fields]
_COMPARED = [_DONE[name] for name in Comparison.model_fields]


class MeasurementTables:
    """What was measured of deployed versions, and how they compared with those before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Sequence[Measurement]) -> None:
        """Keep what one look has found."""
        if rows:
            with self._database.write() as connection:
                connection.execute(measurements.insert(), [row.model_dump() for row in rows])

    def series(self, environment: str, deployment: int) -> list[Series]:
        """All series of a deployment."""
        bad = sa.func.sum(sa.case((_ROW.outcome == "bad", 1), else_=0))
        query = (
            sa.select(
                _ROW.metric, _ROW.of, sa.func.count().label("number"), bad.label("bad"),
                sa.func.min(_ROW.at).label("first"), sa.func.max(_ROW.at).label("last"),
            )
            .where(_ROW.environment == environment, _ROW.deployment == deployment)
            .group_by(_ROW.metric, _ROW.of)
            .order_by(_ROW.metric, _ROW.of)
        )  # fmt: skip
        with self._database.read() as connection:
            return [Series.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def samples(
        self, environment: str, deployment: int, metric: str, of: str, begin: int = 0, end: int | None = None
    ) -> list[Measurement]:
        """Those of a deployment, the oldest first, from the place `begin` to that before `end`."""
        query = (
            sa.select(*_MEASURED)
            .where(_ROW.environment == environment, _ROW.deployment == deployment, _ROW.metric == metric, _ROW.of == of)
            .order_by(_ROW.id)
        )
        if end is not None:
            query = query.offset(begin).limit(end - begin)
        return self._all(query)

    def newest_of(
        self, environment: str, commit: str, metric: str, of: str, *, within: timedelta, most: int
    ) -> list[Measurement]:
        """The newest of a version, whichever deployment brought it, the oldest first: of the time `within` before its
        last, and at most so many."""
        here = sa.and_(
            _ROW.environment == environment, _ROW.commit == commit, _ROW.metric == metric, _ROW.of == of
        )  # fmt: skip
        with self._database.read() as connection:
            last: datetime | None = connection.execute(sa.select(sa.func.max(_ROW.at)).where(here)).scalar()
        if last is None:
            return []
        query = sa.select(*_MEASURED).where(here, _ROW.at > last - within).order_by(_ROW.id.desc()).limit(most)
        return self._all(query)[::-1]

    def latest(self, environment: str, metric: str, limit: int) -> list[Measurement]:
        """The newest of an environment, the newest first."""
        query = sa.select(*_MEASURED).where(_ROW.environment == environment, _ROW.metric == metric)
        return self._all(query.order_by(_ROW.id.desc()).limit(limit))

    def compared(self, row: Comparison) -> None:
        """Keep how a look ended; keeping it twice changes nothing."""
        insert = self._database.insert(comparisons).values(row.model_dump())
        once = insert.on_conflict_do_nothing(index_elements=["deployment", "metric", "of", "look"])
        with self._database.write() as connection:
            connection.execute(once)

    def comparisons(self, deployment: int) -> list[Comparison]:
        """All looks at a deployment, the oldest first."""
        query = sa.select(*_COMPARED).where(_DONE.deployment == deployment).order_by(_DONE.id)
        with self._database.read() as connection:
            return [Comparison.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def forget(self, before: datetime) -> int:
        """Delete older measurements; gives how many. Comparisons stay."""
        with self._database.write() as connection:
            return connection.execute(measurements.delete().where(_ROW.at < before)).rowcount

    def _all(self, query: sa.Select[Any]) -> list[Measurement]:
        with self._database.read() as connection:
            return [Measurement.model_validate(dict(row)) for row in connection.execute(query).mappings()]
