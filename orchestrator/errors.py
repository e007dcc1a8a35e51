"""What can go wrong while tasks are driven."""

from __future__ import annotations

from pathlib import Path

from monitoring.errors import FailureReason, KnownError


class OrchestratorError(KnownError):
    """Base of this folder's errors."""


class DaemonRunning(OrchestratorError):
    """Another daemon works on the same folder."""

    def __init__(self, pid: str, folder: Path) -> None:
        super().__init__(
            f"a daemon (pid {pid}) already works on {folder}; stop it first, or point this one at another --repo"
        )


class BackupUnusable(OrchestratorError):
    """A backup that cannot be made or restored; nothing has been changed."""


class UnknownFlow(OrchestratorError):
    """A task of a type that no flow handles."""

    exits_with = 2


class StageFailed(Exception):
    """A stage ends its task with a typed reason. `blocked` means that a person or a stronger model may go on."""

    def __init__(self, reason: FailureReason, detail: str, *, blocked: bool = False) -> None:
        self.reason, self.detail, self.blocked = reason, detail, blocked
        super().__init__(f"{reason}: {detail}")

    def as_json(self) -> dict[str, str | bool]:
        """What the engine stores of this failure."""
        return {"reason": self.reason.value, "detail": self.detail, "blocked": self.blocked}

    @classmethod
    def from_json(cls, stored: dict[str, str | bool]) -> StageFailed:
        """The failure that `as_json` described."""
        return cls(FailureReason(str(stored["reason"])), str(stored["detail"]), blocked=bool(stored["blocked"]))


class StepsChanged(OrchestratorError):
    """The stored steps of a job are not those that the code takes now: it was begun by another version."""


class Stopping(BaseException):
    """The daemon is going down: no further step begins, the job stays queued.

    Not an `Exception`, so that nothing takes it for a failure of the work.
    """
