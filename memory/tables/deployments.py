"""The tables `deployments` and `deployment_locks`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import deployment_locks, deployments
from memory.deployment_models import Deployment, DeploymentEnding, DeploymentKind, DeploymentPhase
from memory.errors import UnknownDeployment
from memory.task_models import utc_now

_ROW = deployments.c
_MOST = 2**63 - 1
"""The largest number that a row can have."""
_ASKED = ("requested", "planned")
_BEGUN = ("preparing", "activating", "verifying", "rolling_back")
_WAS_LIVE = ("live", "replaced")


class DeploymentTables:
    """What was deployed where, what is live, and who deploys at this moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(
        self,
        task_id: str,
        environment: str,
        *,
        kind: DeploymentKind = "deploy",
        commit: str = "",
        goes_back_to: int | None = None,
        by: str = "",
    ) -> int:
        """Remember what the first run of a task is to deploy; asking twice changes nothing. Gives its number."""
        values = {"target": "", "status": "requested", "task_id": task_id, "by": by, "goes_back_to": goes_back_to}
        return self._added(f"{task_id}.0", environment=environment, kind=kind, commit=commit, **values)

    def request_of(self, task_id: str) -> Deployment | None:
        """What was asked for with a task."""
        return self._first(sa.select(deployments).where(_ROW.task_id == task_id).order_by(_ROW.id))

    def planned(self, task_id: str) -> Deployment | None:
        """What was asked for with a task, which from now on stays as it is."""
        waiting = sa.and_(_ROW.task_id == task_id, _ROW.status == "requested")
        with self._database.write() as connection:
            connection.execute(deployments.update().where(waiting).values(status="planned", updated_at=utc_now()))
        return self.request_of(task_id)

    def redirect(self, environment: str, by: str, commit: str) -> Deployment | None:
        """Let a deployment that the same asked for and that is not planned yet take this commit instead; None if there
        is no such one."""
        waiting = sa.and_(_ROW.environment == environment, _ROW.status == "requested", _ROW.by == by)
        with self._database.write() as connection:
            number = connection.execute(sa.select(sa.func.max(_ROW.id)).where(waiting)).scalar()
            if number is None:
                return None
            connection.execute(
                deployments.update().where(_ROW.id == number).values(commit=commit, updated_at=utc_now())
            )
        return self.get(number)

    def open(
        self, environment: str, target: str, kind: DeploymentKind, commit: str, owner: str, task_id: str | None = None
    ) -> int:
        """Remember a deployment that begins; that of the same owner where there is one. Gives its number."""
        first = self.request_of(task_id) if task_id else None
        more = {"task_id": task_id, "by": first.by if first else "", "goes_back_to": None, "status": "preparing"}
        number = self._added(owner, environment=environment, target=target, kind=kind, commit=commit, **more)
        begun = {"target": target, "commit": commit, "status": "preparing", "updated_at": utc_now()}
        waiting = sa.and_(_ROW.id == number, _ROW.status.in_(_ASKED))
        with self._database.write() as connection:
            connection.execute(deployments.update().where(waiting).values(begun))
        return number

    def _added(self, owner: str, **values: object) -> int:
        now = utc_now()
        row = {"owner": owner, "artifact": {}, "detail": "", "created_at": now, "updated_at": now, **values}
        insert = self._database.insert(deployments).values(row).on_conflict_do_nothing(index_elements=["owner"])
        known = sa.select(_ROW.id).where(_ROW.owner == owner)
        with self._database.write() as connection:
            if connection.execute(known).scalar() is None:  # an insert that does nothing would use up a number
                connection.execute(insert)
            return int(connection.execute(known).scalar_one())

    def get(self, number: int) -> Deployment:
        """Raises `UnknownDeployment`."""
        known = 0 < number <= _MOST
        found = self._first(sa.select(deployments).where(_ROW.id == number)) if known else None
        if found is None:
            raise UnknownDeployment(number)
        return found

    def enter(self, number: int, phase: DeploymentPhase) -> None:
        """A phase is about to begin."""
        self._change(number, status=phase)

    def made(self, number: int, artifact: Mapping[str, str]) -> None:
        """What the target made of the commit."""
        self._change(number, artifact={**artifact})

    def end(self, number: int, ending: DeploymentEnding, detail: str) -> None:
        """It has ended; what was live before a new live one is replaced."""
        now = utc_now()
        with self._database.write() as connection:
            if ending == "live":
                here = sa.select(_ROW.environment).where(_ROW.id == number).scalar_subquery()
                old = sa.and_(_ROW.environment == here, _ROW.status == "live", _ROW.id != number)
                connection.execute(deployments.update().where(old).values(status="replaced", updated_at=now))
            values = {"status": ending, "detail": detail, "updated_at": now, "finished_at": now}
            connection.execute(deployments.update().where(_ROW.id == number).values(values))

    def live(self, environment: str) -> Deployment | None:
        """What is live."""
        return self._first(
            sa.select(deployments)
            .where(_ROW.environment == environment, _ROW.status == "live")
            .order_by(_ROW.id.desc())
        )

    def before(self, environment: str) -> Deployment | None:
        """What was live before the version that is live now: rollbacks that follow each other go further back."""
        now = self.live(environment)
        if now is None:
            return None
        was = sa.and_(_ROW.environment == environment, _ROW.status.in_(_WAS_LIVE))
        own = sa.select(deployments).where(was, _ROW.kind == "deploy", _ROW.commit == now.commit)
        first = self._first(own.order_by(_ROW.id.desc()))
        origin = first.id if first else now.id
        earlier = sa.select(deployments).where(was, _ROW.commit != now.commit, _ROW.id < origin)
        return self._first(earlier.order_by(_ROW.id.desc()))

    def unfinished(self, environment: str) -> list[Deployment]:
        """Those that were begun and have not ended, the oldest first."""
        return self._all(
            sa.select(deployments).where(_ROW.environment == environment, _ROW.status.in_(_BEGUN)).order_by(_ROW.id)
        )

    def history(self, environment: str | None = None, limit: int = 50, before: int | None = None) -> list[Deployment]:
        """The newest first."""
        query = sa.select(deployments).order_by(_ROW.id.desc()).limit(limit)
        if environment:
            query = query.where(_ROW.environment == environment)
        if before is not None:
            query = query.where(_ROW.id < before)
        return self._all(query)

    def of_task(self, task_id: str) -> list[Deployment]:
        """Those of a task, the oldest first."""
        return self._all(sa.select(deployments).where(_ROW.task_id == task_id).order_by(_ROW.id))

    def lock(self, environment: str, owner: str, seconds: float) -> tuple[str, datetime]:
        """Take or renew the lock if it is free, expired or the owner's; who holds it now, and until when."""
        now = utc_now()
        until = now + timedelta(seconds=seconds)
        lock = deployment_locks.c
        wanted = self._database.insert(deployment_locks).values(environment=environment, owner=owner, expires_at=until)
        free = sa.or_(lock.owner == owner, lock.expires_at <= now)
        take = wanted.on_conflict_do_update(
            index_elements=["environment"], set_={"owner": owner, "expires_at": until}, where=free
        )
        with self._database.write() as connection:
            connection.execute(take)
            row = connection.execute(
                sa.select(lock.owner, lock.expires_at).where(lock.environment == environment)
            ).one()
        return row.owner, row.expires_at

    def holder(self, environment: str) -> str:
        """Who holds the lock; empty if nobody does."""
        lock = deployment_locks.c
        query = sa.select(lock.owner).where(lock.environment == environment, lock.expires_at > utc_now())
        with self._database.read() as connection:
            return connection.execute(query).scalar() or ""

    def unlock(self, environment: str, owner: str) -> None:
        """Give the lock back, if it is the owner's."""
        lock = deployment_locks.c
        with self._database.write() as connection:
            connection.execute(deployment_locks.delete().where(lock.environment == environment, lock.owner == owner))

    def _change(self, number: int, **values: object) -> None:
        with self._database.write() as connection:
            connection.execute(deployments.update().where(_ROW.id == number).values(**values, updated_at=utc_now()))

    def _first(self, query: sa.Select[tuple[object, ...]]) -> Deployment | None:
        return next(iter(self._all(query.limit(1))), None)

    def _all(self, query: sa.Select[tuple[object, ...]]) -> list[Deployment]:
        with self._database.read() as connection:
            return [Deployment.model_validate(dict(row)) for row in connection.execute(query).mappings()]
