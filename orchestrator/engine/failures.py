"""Which error of a service ends a task, and with which typed reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agents import AgentError
from file_system import FileSystemError
from git_ops import GitError, LandingConflict, RemoteError
from llm import BudgetExhausted, InvalidOutput, LLMError
from memory import FailureReason
from monitoring import AlertKind, alert
from orchestrator.engine.retries import passing_trouble
from orchestrator.errors import StageFailed
from testing import EnvironmentSetupError, SandboxUnavailable, TestingError

Result = TypeVar("Result")

_REASONS: tuple[tuple[type[Exception], FailureReason], ...] = (
    (InvalidOutput, FailureReason.INVALID_OUTPUT),
    (BudgetExhausted, FailureReason.BUDGET_EXHAUSTED),
    (LLMError, FailureReason.PROVIDER_ERROR),
    (SandboxUnavailable, FailureReason.SANDBOX_UNAVAILABLE),
    (EnvironmentSetupError, FailureReason.SANDBOX_UNAVAILABLE),
    (LandingConflict, FailureReason.CONFLICT),
    (RemoteError, FailureReason.CONFLICT),
    (AgentError, FailureReason.INVALID_OUTPUT),
    (TestingError, FailureReason.INTERNAL_ERROR),
    (FileSystemError, FailureReason.INTERNAL_ERROR),
    (GitError, FailureReason.INTERNAL_ERROR),
    (OSError, FailureReason.INTERNAL_ERROR),
)
"""First match counts. What is not here is a bug of ours and ends as `internal_error` with a traceback in the log."""


def typed_failures(action: Callable[[], Result]) -> Result:
    """Run `action`; errors of the services come out as `StageFailed` with their reason and their own words.

    Troubles that pass by themselves come out as they are: the engine waits for their end.
    """
    try:
        return action()
    except tuple(kind for kind, _ in _REASONS) as error:
        if passing_trouble(error):
            raise
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        if isinstance(error, SandboxUnavailable):
            alert(AlertKind.SANDBOX, "unavailable", str(error))
        elif isinstance(error, GitError) and not isinstance(error, LandingConflict):
            alert(AlertKind.GIT, type(error).__name__, str(error))
        # The owner can mend a repository that is not as configured, or raise a limit; what no model answered rightly
        # another one, or other words, may bring about.
        blocked = isinstance(error, RemoteError | BudgetExhausted) or reason is FailureReason.INVALID_OUTPUT
        raise StageFailed(reason, str(error), blocked=blocked) from error
