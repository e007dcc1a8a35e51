"""What can go wrong while tasks are worked on."""

from __future__ import annotations

from pathlib import Path

from monitoring import whole_text
from monitoring.errors import FailureReason, KnownError

_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_BLANK_AT_END = _BLANK + ":;,"
"""What says nothing at the beginning and at the end of a text, such as the colon before a list that is empty."""


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
    """A stage ends its task with a typed reason. `blocked`: the owner or a stronger model may be able to continue."""

    def __init__(self, reason: FailureReason, detail: str, *, blocked: bool = False) -> None:
        detail = detail.lstrip(_BLANK).rstrip(_BLANK_AT_END) or f"no details are known ({reason}); see the log"
        self.reason, self.detail, self.blocked = reason, detail, blocked
        super().__init__(f"{reason}: {detail}")

    def as_json(self) -> dict[str, str | bool]:
        """What the engine stores of this failure."""
        return {"reason": self.reason.value, "detail": whole_text(self.detail), "blocked": self.blocked}

    @classmethod
    def from_json(cls, stored: dict[str, str | bool]) -> StageFailed:
        """The failure that `as_json` described."""
        return cls(FailureReason(str(stored["reason"])), str(stored["detail"]), blocked=bool(stored["blocked"]))


class StepsChanged(OrchestratorError):
    """The stored steps of a job are not those of the present code: another version began it."""


class Stopping(BaseException):
    """The daemon is stopping: no further step begins, the job stays queued.

    It is not an `Exception`, so that nothing mistakes it for a failure of the work.
    """
