"""The one table of errors: each class says what happens to a task or a start of the daemon that meets it, and whether
the owner is alerted. The folders' own `errors.py` derive from `KnownError` and state what differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

from monitoring.alerting import AlertKind


class FailureReason(StrEnum):
    """Why a task did not succeed."""

    TESTS_FAILED = "tests_failed"
    REVIEW_REJECTED = "review_rejected"
    BUDGET_EXHAUSTED = "budget_exhausted"
    TIMEOUT = "timeout"
    LOOP_DETECTED = "loop_detected"
    CONFLICT = "conflict"
    DEPENDENCY = "dependency"
    """What it depends on has failed or was cancelled. It goes on by itself when that is tried again."""
    INVALID_OUTPUT = "invalid_output"
    NEEDS_OWNER = "needs_owner"
    """An agent has a question that only the owner can answer."""
    APPROVAL_EXPIRED = "approval_expired"
    """The owner did not answer in time, so what waited for them was not done."""
    PROVIDER_ERROR = "provider_error"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    DEPLOYMENT_FAILED = "deployment_failed"
    INTERNAL_ERROR = "internal_error"


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and the errors that it was raised from, each once: chains of causes may be circles."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and not any(found is each for each in seen):
        yield found
        seen.append(found)
        found = found.__cause__


class KnownError(Exception):
    """Base of every error of ours."""

    reason: ClassVar[FailureReason | None] = None
    """Why a task that meets it ends. None: if it gets that far it is a bug of ours, and reported with its traceback."""
    passes: ClassVar[bool] = False
    """It passes by itself: work waits for its end, and no task fails."""
    blocks: ClassVar[bool] = False
    """The owner or another model can do something about it: the task becomes blocked, not failed."""
    alert: ClassVar[AlertKind | None] = None
    """What the owner is alerted about."""
    exits_with: ClassVar[int] = 1
    """Exit code of a command, or of the daemon's start: 2 for what stays wrong until somebody changes it."""
