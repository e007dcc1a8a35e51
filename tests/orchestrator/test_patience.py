"""Temporary troubles are waited out; all others end the task at once."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable

import pytest

from file_system import WorkspaceFull
from git_ops import BranchMissing, DiskFull
from memory import DatabaseLocked, FailureReason
from monitoring import Alert, AlertKind
from orchestrator import StageFailed
from orchestrator.engine.failures import outlast, typed_failures
from orchestrator.errors import Stopping
from testing import SandboxUnavailable


def failing(times: int, error: Exception) -> Callable[[], str]:
    """An action that succeeds after `times` failures."""
    left = [error] * times

    def act() -> str:
        if left:
            raise left.pop()
        return "done"

    return act


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DiskFull("git add", "/here"), AlertKind.GIT),
        (DatabaseLocked("agents.db", "held", "look"), AlertKind.DATABASE),
        (WorkspaceFull("a.py", "/here"), AlertKind.CRITICAL),
        (OSError(errno.ENOSPC, "No space left on device"), AlertKind.CRITICAL),
    ],
)
def test_a_trouble_that_passes_is_outlasted_and_told(error: Exception, kind: AlertKind, alerts: list[Alert]) -> None:
    action = failing(1, error)
    assert outlast(lambda: typed_failures(action)) == "done"
    assert [alert.kind for alert in alerts] == [kind]
    assert alerts[0].message.startswith("work waits: ")


def test_a_stop_ends_the_waiting_and_a_limit_too() -> None:
    stopping = threading.Event()
    stopping.set()
    full = failing(9, DiskFull("git add", "/here"))
    with pytest.raises(Stopping):
        outlast(full, stopping)
    with pytest.raises(DiskFull):
        outlast(full, limit=0)


def test_other_errors_end_the_task_with_their_reason(alerts: list[Alert]) -> None:
    for error, reason, blocked in (
        (BranchMissing("main", []), FailureReason.CONFLICT, True),
        (SandboxUnavailable("a run", "no bubblewrap.", "install it"), FailureReason.SANDBOX_UNAVAILABLE, False),
        (OSError(errno.EACCES, "Permission denied"), FailureReason.INTERNAL_ERROR, False),
    ):
        with pytest.raises(StageFailed) as failed:
            outlast(lambda error=error: typed_failures(failing(9, error)))  # type: ignore[misc]  # as in test_engine
        assert (failed.value.reason, failed.value.blocked) == (reason, blocked)
    assert [alert.kind for alert in alerts] == [AlertKind.GIT, AlertKind.SANDBOX]
