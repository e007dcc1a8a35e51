"""What the owner asked for and cannot be done now. Nothing has been changed."""

from __future__ import annotations

from monitoring.errors import KnownError


class OwnerError(KnownError):
    """Base of this folder's errors."""

    def __init__(self, told: str, command: str = "") -> None:
        self.command = command
        """The subcommand that does, or shows, what helps; empty where none does."""
        super().__init__(told)


class NotNow(OwnerError):
    """The task is not in a state in which this can be done to it."""


class NoteMissing(OwnerError):
    """The task waits for words of the owner, and none were given."""

    exits_with = 2


class NotPossible(OwnerError):
    """What was given can never be done."""

    exits_with = 2
