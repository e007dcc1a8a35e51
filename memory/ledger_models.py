"""What the ledger and the budgets hold: model calls and what they cost, what a call may take, and calls that wait."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, computed_field

from memory.task_models import Row, UtcTime, utc_now

Scope = Literal["task", "agent_day", "day", "month"]
Unit = Literal["usd", "tokens"]

NANO = 1_000_000_000
"""Money is kept in billionths of a dollar, as whole numbers, so that sums are exact; a token costs from about 20 up."""


class StoredResponse(Row):
    """A model's answer as it was paid for."""

    response: str
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    truncated: bool | None = None
    """It was cut off at its length limit; None: an earlier version did not write it down."""
    created_at: UtcTime = Field(default_factory=utc_now)


class ModelProbe(Row):
    """The result of probing an unknown model: what it can do."""

    provider: str
    address: str
    """Tells two servers of one provider apart; empty for the provider's own."""
    model: str
    tools: bool
    structured: bool
    edit_blocks: bool
    repairs: bool
    created_at: UtcTime = Field(default_factory=utc_now)


class ModelCall(Row):
    """One line of the ledger: a model call, its answer and what it cost."""

    id: int = 0
    """Given by the database; 0 before."""
    workflow_id: str
    step: str
    request_hash: str
    task_id: str | None
    agent: str
    provider: str
    model: str
    prompt_hash: str
    prompt: str
    response: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of `input_tokens`, those the provider had in its own cache."""
    cost_usd: float | None = None
    """None: the price of this model is not known."""
    cached: bool = False
    """Answered from our own cache, free."""
    seconds: float = 0.0
    outcome: str = "ok"
    """`ok` when the answer can be used again, else what went wrong."""
    truncated: bool | None = None
    """The answer was cut off at its length limit."""
    created_at: UtcTime = Field(default_factory=utc_now)


class UsageRow(Row):
    """What was used under one key: a task, an agent, a model or a day."""

    key: str
    calls: int
    cached_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    """Of `input_tokens`, those the providers had in their own caches."""
    cost_usd: float | None
    """Of the calls whose price is known; None when there is none."""
    unpriced_calls: int
    """Calls whose price is not known: their tokens count, their money does not."""
    seconds: float


class Claim(Row):
    """What a call may cost at worst."""

    task_id: str | None
    agent: str
    tokens: int = Field(ge=0)
    """In and out together."""
    nano_usd: int = Field(ge=0)
    model: str = ""
    """The model that is asked, as `provider:name`."""
    at: UtcTime
    """The day and month of this moment are charged, also when the call ends after midnight."""


class LimitState(Row):
    """A limit, and how much of it is used. Amounts are US dollars or tokens."""

    name: str
    """As in the configuration: `day_usd`."""
    scope: Scope
    subject: str
    """The task's id, the month, the day, or the day and the agent (`2026-11-22 developer`)."""
    unit: Unit
    limit: float
    used: float
    reserved: float
    """By calls in flight."""

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
    """The limits that the claim would have exceeded, as they are without it."""


class CallInFlight(Row):
    """A model call that was sent, or is next in the embedded model's queue, and has no answer yet."""

    id: int
    agent: str
    task_id: str | None
    model: str
    """As `provider:name`."""
    since: UtcTime
    """When this try began: a call that is tried again begins anew."""


class WaitingCall(Row):
    """A model call that may not be made now and waits inside its step."""

    id: int = 0
    """Given by the database; 0 before."""
    agent: str
    task_id: str | None
    kind: Literal["budget", "provider"]
    reason: str
    since: UtcTime = Field(default_factory=utc_now)
    until: UtcTime | None
    """When it goes on or is tried again, at the latest."""
