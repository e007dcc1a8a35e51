"""Which error of a service ends a task, and with which typed reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agents import AgentError
from file_system import FileSystemError
from git_ops import GitError, LandingConflict
from llm import InvalidOutput, LLMError
from memory import FailureReason
from orchestrator.errors import StageFailed
from testing import EnvironmentSetupError, SandboxUnavailable, TestingError

Result = TypeVar("Result")

_REASONS: tuple[tuple[type[Exception], FailureReason], ...] = (
    (InvalidOutput, FailureReason.INVALID_OUTPUT),
    (LLMError, FailureReason.PROVIDER_ERROR),
    (SandboxUnavailable, FailureReason.SANDBOX_UNAVAILABLE),
    (EnvironmentSetupError, FailureReason.SANDBOX_UNAVAILABLE),
    (LandingConflict, FailureReason.CONFLICT),
    (AgentError, FailureReason.INVALID_OUTPUT),
    (TestingError, FailureReason.INTERNAL_ERROR),
    (FileSystemError, FailureReason.INTERNAL_ERROR),
    (GitError, FailureReason.INTERNAL_ERROR),
    (OSError, FailureReason.INTERNAL_ERROR),
)
"""First match counts. What is not here is a bug of ours and ends as `internal_error` with a traceback in the log."""


def typed_failures(action: Callable[[], Result]) -> Result:
    """Run `action`; errors of the services come out as `StageFailed` with their reason and their own words."""
    try:
        return action()
    except tuple(kind for kind, _ in _REASONS) as error:
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        # What no model answered rightly another one, or other words, may bring about.
        raise StageFailed(reason, str(error), blocked=reason is FailureReason.INVALID_OUTPUT) from error
