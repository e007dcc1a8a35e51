"""What is remembered of a deployment."""

from __future__ import annotations

from typing import Literal, TypeAlias

from memory.task_models import Row, UtcTime

DeploymentKind: TypeAlias = Literal["deploy", "rollback"]
DeploymentPhase: TypeAlias = Literal["preparing", "activating", "verifying", "rolling_back"]
DeploymentEnding: TypeAlias = Literal["live", "failed", "rolled_back", "rollback_failed"]
DeploymentStatus: TypeAlias = Literal["requested", "planned", DeploymentPhase, DeploymentEnding, "replaced", "stopped"]
"""`planned`: its commit is settled. `replaced`: it was live until another one was. `stopped`: its task stands
still or was given up before it came to an end; it is never stored."""


class Deployment(Row):
    """One deployment of a commit to an environment, or a return to an earlier version."""

    id: int
    environment: str
    target: str = ""
    """Empty until the daemon has begun it."""
    kind: DeploymentKind = "deploy"
    commit: str = ""
    """The full hash; before the daemon has begun it what was asked for, empty for the newest landed work."""
    status: DeploymentStatus = "requested"
    task_id: str | None = None
    owner: str
    """The run of the task that does it."""
    by: str = ""
    """Who asked for it."""
    goes_back_to: int | None = None
    """The deployment whose version a rollback brings back; empty: the one before what is live."""
    artifact: dict[str, str] = {}
    detail: str = ""
    created_at: UtcTime
    updated_at: UtcTime
    finished_at: UtcTime | None = None
