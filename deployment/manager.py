"""`DeploymentManager`: brings commits to environments, sees whether they are healthy there, and takes them back.

What is about to happen is recorded before it happens, so that whoever comes after a crash asks the target what is live
and finishes or reverts. The phases can each be repeated; the deploy flow runs them as durable steps, `deploy` in a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from config import DeploymentSettings, Environment
from deployment.errors import (
    DeploymentError,
    EnvironmentBusy,
    NothingBefore,
    NotPromoted,
    UnknownEnvironment,
)
from deployment.gauges import Gauge
from deployment.health import Health, look, wait_until_healthy
from deployment.target import Release, Source, Target, Workshop
from deployment.targets import target_of
from monitoring import AlertKind, alert, get_logger
from monitoring.errors import KnownError

log = get_logger(__name__)

Kind = Literal["deploy", "rollback"]
Phase = Literal["preparing", "activating", "verifying", "rolling_back"]
Ending = Literal["live", "failed", "rolled_back", "rollback_failed"]
_CHANGED = ("activating", "verifying", "rolling_back")
"""Phases in which the target may run something else than before."""


class Record(Protocol):
    """One deployment as it is remembered."""

    @property
    def id(self) -> int: ...
    @property
    def environment(self) -> str: ...
    @property
    def commit(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def artifact(self) -> Mapping[str, str]: ...
    @property
    def owner(self) -> str: ...


class Records(Protocol):
    """What is remembered of deployments, over restarts. Each method is one transaction and may be repeated."""

    def open(
        self, environment: str, target: str, kind: Kind, commit: str, owner: str, task_id: str | None = None
    ) -> int:
        """Remember a new deployment; that of the same owner where there is one. Gives its number."""

    def get(self, number: int) -> Record: ...

    def enter(self, number: int, phase: Phase) -> None:
        """A phase is about to begin."""

    def made(self, number: int, artifact: Mapping[str, str]) -> None:
        """What the target made of the commit."""

    def end(self, number: int, ending: Ending, detail: str) -> None:
        """The deployment has ended. What was live before a new live one is so no more."""

    def live(self, environment: str) -> Record | None:
        """What is live as far as is remembered."""

    def before(self, environment: str) -> Record | None:
        """What was live before that, in another version."""

    def unfinished(self, environment: str) -> Sequence[Record]:
        """Deployments that have not ended."""

    def history(self, environment: str | None = None, limit: int = 50) -> Sequence[Record]:
        """The newest first."""

    def lock(self, environment: str, owner: str, seconds: float) -> tuple[str, datetime]:
        """Take or renew the environment's lock if it is free or expired; who holds it, and until when."""

    def unlock(self, environment: str, owner: str) -> None:
        """Give the lock back, if it is the owner's."""


@dataclass(frozen=True)
class EnvironmentStatus:
    """What an environment runs."""

    environment: str
    commit: str
    """What the target says is live; empty: nothing of ours."""
    expected: str
    """What should be."""
    healthy: bool
    detail: str


@dataclass(frozen=True)
class Plan:
    """What one deployment is to do."""

    environment: str
    kind: Kind
    commit: str
    artifact: dict[str, str] = field(default_factory=dict)
    """What is there already, of an earlier deployment of the commit."""


class DeploymentManager:
    """The environments of one project."""

    def __init__(self, settings: DeploymentSettings, records: Records, source: Source) -> None:
        self._settings = settings
        self._records = records
        self._source = source
        self._open: dict[str, Target] = {}

    def close(self) -> None:
        """Close the connections to all targets."""
        for environment in [*self._open]:
            self._let_go(environment)

    # -- whole deployments ---------------------------------------------------------------------------------------

    def deploy(self, environment: str, commit: str = "") -> bool:
        """Bring a commit (default: the newest landed work) to an environment; whether it is live and healthy.

        Raises `DeploymentError` where nothing was changed.
        """
        return self._whole(self.plan(environment, "deploy", commit))

    def rollback(self, environment: str, to: int | None = None) -> bool:
        """Bring back what was live before, or the version of the deployment `to`; whether it is live and healthy.

        Raises `NothingBefore`.
        """
        return self._whole(self.plan(environment, "rollback", to=to))

    def _whole(self, plan: Plan) -> bool:
        number = self.begin(plan, f"by-hand-{secrets.token_hex(6)}")
        try:
            self.prepare(number)
        except Exception as problem:
            self.give_up(number, str(problem))
            raise
        try:
            self.activate(number)
            health = self.verify(number)
        except KnownError as problem:
            health = Health(False, str(problem))
        if not health.healthy:
            self.roll_back(number, health.detail)
            return False
        self.finish(number, health.detail)
        return True

    # -- looking ---------------------------------------------------------------------------------------------------

    def settings_of(self, environment: str) -> Environment:
        """Raises `UnknownEnvironment`."""
        found = self._settings.environments.get(environment)
        if found is None:
            raise UnknownEnvironment(environment, sorted(self._settings.environments))
        return found

    def check_status(self, environment: str) -> EnvironmentStatus:
        """What the target says is live, and whether it is healthy; asks the host and the service."""
        settings = self.settings_of(environment)
        known = self._records.live(environment)
        expected = known.commit if known else ""
        live = self._target(environment).check_status()
        if not live.commit:
            return EnvironmentStatus(environment, "", expected, False, "nothing that was deployed from here is live")
        health = look(settings.health, live.commit)
        told = f"{live.detail}; {health.detail}".lstrip("; ")
        return EnvironmentStatus(environment, live.commit, expected, health.healthy, told)

    def history(self, environment: str | None = None, limit: int = 50) -> Sequence[Record]:
        """The newest deployments."""
        return self._records.history(environment, limit)

    def logs(self, environment: str, lines: int = 100) -> str:
        """The newest lines of what the running service wrote."""
        return self._target(environment).logs(lines)

    def gauges(self, environment: str) -> list[Gauge]:
        """Memory, restarts and the like of what runs, where the target knows."""
        return self._target(environment).gauges()

    # -- the phases, each of which may be repeated -----------------------------------------------------------------

    def plan(self, environment: str, kind: Kind, commit: str = "", to: int | None = None) -> Plan:
        """What is to be done. Raises `UnknownEnvironment`, `NotPromoted` or `NothingBefore`."""
        before = self.settings_of(environment).promote_from
        if kind == "rollback":
            known = self._records.get(to) if to else self._records.before(environment)
            if known is None or known.environment != environment or known.status not in ("live", "replaced"):
                raise NothingBefore(environment)
            there = {key: value for key, value in known.artifact.items() if key != "version"}
            return Plan(environment, kind, known.commit, there)
        source = self._records.live(before) if before else None
        if before and not commit:
            commit = source.commit if source else ""
        resolved = self._source.resolve(commit)
        if before and (source is None or source.commit != resolved):
            raise NotPromoted(environment, before, resolved)
        return Plan(environment, kind, resolved)

    def begin(self, plan: Plan, owner: str, task_id: str | None = None) -> int:
        """Take the environment, and put in order what was cut short there; the deployment's number.

        Raises `EnvironmentBusy`.
        """
        self.take(plan.environment, owner)
        target = self.settings_of(plan.environment).target
        number = self._records.open(plan.environment, target, plan.kind, plan.commit, owner, task_id)
        if plan.artifact:
            self._records.made(number, plan.artifact)
        self.reconcile(plan.environment, number)
        return number

    def take(self, environment: str, owner: str) -> None:
        """Take the environment's lock, or renew it. Raises `EnvironmentBusy`."""
        patience = self.settings_of(environment).patience
        holder, until = self._records.lock(environment, owner, patience)
        if holder != owner:
            raise EnvironmentBusy(environment, holder, f"{until:%Y-%m-%d %H:%M} UTC")

    def reconcile(self, environment: str, present: int) -> list[int]:
        """Find out what became of deployments that were cut short and whose owners are gone: those that are live and
        healthy are finished, the others reverted. Gives their numbers. The lock has to be held."""
        ended = []
        for record in self._records.unfinished(environment):
            if record.id == present:
                continue
            ended.append(record.id)
            log.warning("a deployment was cut short", number=record.id, environment=environment, phase=record.status)
            if record.status not in _CHANGED:
                self.give_up(record.id, "it was cut short before anything was changed")
                continue
            health = self._live_and_healthy(record)
            if health.healthy and record.status != "rolling_back":
                self.finish(record.id, f"it was cut short, and is live: {health.detail}")
            else:
                self.roll_back(record.id, f"it was cut short: {health.detail}")
        return ended

    def prepare(self, number: int) -> None:
        """Build and upload, with no effect on what is live."""
        record = self._begin(number, "preparing")
        self._records.made(number, self._target(record.environment).prepare(self._release(record)))

    def activate(self, number: int) -> None:
        """Make it live."""
        record = self._begin(number, "activating")
        version = self._target(record.environment).activate(self._release(record), self._previous(record))
        if version:
            self._records.made(number, {**self._records.get(number).artifact, "version": version})

    def verify(self, number: int) -> Health:
        """Wait until it is healthy, or its deadline has passed."""
        record = self._begin(number, "verifying")
        return wait_until_healthy(self.settings_of(record.environment).health, self._release(record).version)

    def finish(self, number: int, detail: str) -> None:
        """It is live and healthy: stop and delete what it replaces."""
        record = self._records.get(number)
        try:
            self._target(record.environment).settle(self._release(record), self._previous(record))
        except DeploymentError as problem:  # what is live stays so
            detail = f"{detail}; but afterwards {problem}"
            alert(AlertKind.OWNER, f"deployment {number}", f"{record.environment} is live, but {problem}")
        self._end(record, "live", detail)

    def roll_back(self, number: int, why: str) -> Ending:
        """Return to what was live before, and see that it is healthy. Where nothing was, there is only a failure."""
        record = self._begin(number, "rolling_back")
        previous = self._previous(record)
        ending: Ending = "rolled_back" if previous else "failed"
        try:
            version = self._target(record.environment).rollback(self._release(record), previous)
            if previous:
                if version:
                    self._records.made(previous.number, {**previous.artifact, "version": version})
                expected = version or previous.version
                health = wait_until_healthy(self.settings_of(record.environment).health, expected)
                if not health.healthy:
                    raise DeploymentError(f"{previous.commit[:12]}, which was live before, is {health.detail}")
                why = f"{why}\n{previous.commit[:12]} is live again: {health.detail}"
        except KnownError as problem:
            ending, why = "rollback_failed", f"{why}\nThe way back failed, too: {problem}"
            told = f"{record.environment} may be down: {why}"
            alert(AlertKind.CRITICAL, f"deployment {number}", told)
        self._end(record, ending, why)
        return ending

    def give_up(self, number: int, why: str) -> None:
        """It failed before anything was changed."""
        record = self._records.get(number)
        try:
            self._target(record.environment).abandon(self._release(record))
        except DeploymentError as problem:  # the lock there expires
            log.warning("the target's lock stays until it expires", number=number, problem=str(problem))
        self._end(record, "failed", why)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _begin(self, number: int, phase: Phase) -> Record:
        record = self._records.get(number)
        if phase != "rolling_back":  # the way back is open, whatever the lock says
            self.take(record.environment, record.owner)
        self._records.enter(number, phase)
        log.info("deployment", number=number, environment=record.environment, commit=record.commit, phase=phase)
        return record

    def _live_and_healthy(self, record: Record) -> Health:
        live = self._target(record.environment).check_status()
        version = self._release(record).version
        if live.commit != version:
            return Health(False, f"{live.commit[:12] or 'nothing'} is live")
        return wait_until_healthy(self.settings_of(record.environment).health, version)

    def _previous(self, record: Record) -> Release | None:
        """What is to be live again if this deployment fails."""
        known = self._records.live(record.environment)
        if known is None or known.id == record.id:
            return None
        return Release(known.id, known.commit, known.artifact, record.owner)

    def _release(self, record: Record) -> Release:
        return Release(record.id, record.commit, self._records.get(record.id).artifact, record.owner)

    def _end(self, record: Record, ending: Ending, detail: str) -> None:
        self._records.end(record.id, ending, detail)
        self._records.unlock(record.environment, record.owner)
        self._let_go(record.environment)

    def _target(self, environment: str) -> Target:
        """The target of an environment; its connection stays open until a deployment ends."""
        settings = self.settings_of(environment)
        if environment not in self._open:
            self._open[environment] = target_of(settings, Workshop(environment, self._source, settings.health))
        return self._open[environment]

    def _let_go(self, environment: str) -> None:
        if target := self._open.pop(environment, None):
            target.close()
