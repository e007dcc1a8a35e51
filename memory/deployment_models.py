"""What is remembered of a deployment."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import JsonValue

from memory.task_models import Row, UtcTime

DeploymentKind: TypeAlias = Literal["deploy", "rollback"]
DeploymentPhase: TypeAlias = Literal["preparing", "activating", "verifying", "rolling_back"]
DeploymentEnding: TypeAlias = Literal["live", "failed", "rolled_back", "rollback_failed"]
DeploymentStatus: TypeAlias = Literal["requested", "planned", DeploymentPhase, DeploymentEnding, "replaced", "stopped"]
"""`planned`: its commit is settled. `replaced`: it was live until another one was. `stopped`: its task stands
still or was given up before it came to an end; it is never stored."""
MeasuredOutcome: TypeAlias = Literal["good", "bad", "away"]
"""`away`: nothing answered, and nothing says that the service is at fault."""
ComparisonWord: TypeAlias = Literal["same", "worse", "better"]


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


class Measurement(Row):
    """One look at one thing of what is live."""

    environment: str
    deployment: int
    commit: str
    metric: str
    """What is measured: `answer` in milliseconds, `memory` in bytes, `restarts` since the look before, `log errors` in
    lines since then."""
    of: str = ""
    """Of what: a path of the service, a container."""
    at: UtcTime
    value: float
    outcome: MeasuredOutcome = "good"
    detail: str = ""
    """What was wrong."""


class Series(Row):
    """What is known of one series of measurements of a version."""

    metric: str
    of: str
    number: int
    bad: int
    first: UtcTime
    last: UtcTime


class Comparison(Row):
    """How a version compared with the one before, at one look."""

    environment: str
    deployment: int
    metric: str
    """`errors`, `latency`, `memory`, `restarts` or `log errors`."""
    of: str = ""
    look: int
    word: ComparisonWord
    evidence: dict[str, JsonValue] = {}
    at: UtcTime
