"""What can go wrong inside an agent's work."""

from __future__ import annotations

from monitoring.errors import FailureReason, KnownError


class AgentError(KnownError):
    """Base of this folder's errors."""

    reason = FailureReason.INVALID_OUTPUT
    blocks = True


class UnusableAnswer(AgentError):
    """An agent's answer cannot be used; the message says why, in words its author could act on."""
