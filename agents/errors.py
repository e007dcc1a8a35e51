"""What can go wrong inside an agent's work."""

from __future__ import annotations


class AgentError(Exception):
    """Base of this folder's errors."""


class UnusableAnswer(AgentError):
    """An agent's answer cannot be used; the message says why, in words its author could act on."""
