"""What a budget is made of: a claim before a call, the limits it is held against, and the calls that wait."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, computed_field

from memory.models.tasks import Row, UtcTime, utc_now

Scope = Literal["task", "agent_day", "day", "month"]
Unit = Literal["usd", "tokens"]

NANO = 1_000_000_000
"""Money is kept in billionths of a dollar, as whole numbers, so that sums are exact; a token costs from about 20 up."""


class Claim(Row):
    """What a call may take at worst."""

    task_id: str | None
    agent: str
    tokens: int = Field(ge=0)
    """In and out together."""
    nano_usd: int = Field(ge=0)
    at: UtcTime
    """The day and month of this moment are charged, also when the call ends after midnight."""


class LimitState(Row):
    """A limit, and how much of it is gone. Amounts are US dollars or tokens."""

    name: str
    """As in the configuration: `day_usd`."""
    scope: Scope
    subject: str
    """The task's id, the month, the day, or the day and the agent (`2026-11-22 developer`)."""
    unit: Unit
    limit: float
    used: float
    reserved: float
    """By calls under way."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float:
        """The part of the limit that is used or reserved, from 0 to 1."""
        return (self.used + self.reserved) / self.limit


class Reserved(Row):
    """Whether a claim was granted."""

    id: int | None = None
    """Of the reservation; None when it was refused."""
    over: list[LimitState] = []
    """The limits that the claim might have gone over, as they stand without it."""


class WaitingCall(Row):
    """A model call that may not be made now and waits inside of its step."""

    id: int = 0
    """Given by the database; 0 before."""
    agent: str
    task_id: str | None
    kind: Literal["budget", "provider"]
    reason: str
    since: UtcTime = Field(default_factory=utc_now)
    until: UtcTime | None
    """When it goes on, or is tried again, at the latest."""
