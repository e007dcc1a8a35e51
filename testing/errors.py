"""What can go wrong while preparing or running a project's tests."""

from __future__ import annotations

from monitoring.alerting import AlertKind
from monitoring.errors import FailureReason, KnownError


class TestingError(KnownError):
    """Base of every error of this package."""

    reason = FailureReason.INTERNAL_ERROR

    __test__ = False  # the name begins with "Test", but it is no test class


class SandboxUnavailable(TestingError):
    """Code of the project cannot be confined here, and the configuration does not allow running it otherwise."""

    reason = FailureReason.SANDBOX_UNAVAILABLE
    alert = AlertKind.SANDBOX

    def __init__(self, attempted: str, detail: str, remedy: str) -> None:
        super().__init__(f"{attempted}: {detail} Next: {remedy}")
        self.detail = detail
        self.remedy = remedy


class RunKilled(BaseException):
    """A run was killed from outside: its task was ended, or the daemon stops. Its output says nothing
    about the code.

    Not an `Exception`, so that nothing takes it for a verdict: the step that made it stores no result.
    """


class EnvironmentSetupError(TestingError):
    """The project's dependencies could not be installed; `log_tail` holds the end of what the tools printed."""

    reason = FailureReason.SANDBOX_UNAVAILABLE

    def __init__(self, attempted: str, log_tail: str, remedy: str) -> None:
        super().__init__(f"{attempted}\n{log_tail.strip()}\nNext: {remedy}")
        self.log_tail = log_tail
        self.remedy = remedy


class ToolchainMissing(EnvironmentSetupError):
    """A compiler or runtime that the project needs is not on this machine: only the owner can install it."""

    reason = FailureReason.NEEDS_OWNER


class InvalidSelection(TestingError):
    """A test id or test file that cannot be passed to the framework as it is."""


class InvalidReport(TestingError):
    """A report file that is missing, too large, or not the JUnit XML that the framework writes."""
