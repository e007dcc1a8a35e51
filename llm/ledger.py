"""What is kept of every model call, and what the client asks of whoever keeps it (the database does, in `memory`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from config import BudgetSettings


@dataclass(frozen=True)
class CallContext:
    """For whom a call is made. `workflow_id` and `step` name it: when the step is run again, its answer is replayed.

    Two calls that may differ in their answers (samples) need a step or a seed of their own. The embedded model, which
    answers one call at a time, takes `patient` ones last.
    """

    task_id: str | None
    agent: str
    workflow_id: str
    step: str
    patient: bool = False


def _now() -> datetime:
    return datetime.now(UTC)


class StoredResponse(BaseModel):
    """An answer as it was paid for."""

    model_config = ConfigDict(from_attributes=True)

    response: str
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    created_at: datetime = Field(default_factory=_now)


class ModelCall(BaseModel):
    """One line of the ledger."""

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
    """`ok` when the answer can be used again; else the name of the error."""
    created_at: datetime = Field(default_factory=_now)


class ModelProbe(BaseModel):
    """What a model that was tried out managed."""

    provider: str
    address: str
    """Digest of the port and path of its server, empty for a provider's own: the host may change, and is not told."""
    model: str
    tools: bool
    structured: bool
    edit_blocks: bool
    repairs: bool
    created_at: datetime = Field(default_factory=_now)


class Probed(Protocol):
    """What is remembered of a model that was tried out, as far as the client reads it."""

    @property
    def tools(self) -> bool: ...
    @property
    def structured(self) -> bool: ...
    @property
    def edit_blocks(self) -> bool: ...
    @property
    def repairs(self) -> bool: ...


class Claim(BaseModel):
    """What a call may take at worst."""

    task_id: str | None
    agent: str
    tokens: int
    """In and out together."""
    nano_usd: int
    """Billionths of a US dollar."""
    at: datetime
    """The day and month of this moment are charged."""


class LimitState(Protocol):
    """A limit of the budget and how much of it is gone, in US dollars or tokens."""

    @property
    def name(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def limit(self) -> float: ...
    @property
    def used(self) -> float: ...
    @property
    def reserved(self) -> float: ...


class Reserved(Protocol):
    """Whether a claim was granted; `over` are the limits that stand in the way."""

    @property
    def id(self) -> int | None: ...
    @property
    def over(self) -> Sequence[LimitState]: ...


class WaitingCall(BaseModel):
    """A call that may not be made now."""

    agent: str
    task_id: str | None
    kind: Literal["budget", "provider"]
    reason: str
    since: datetime
    until: datetime | None


class Answered(Protocol):
    """A stored answer, as far as the client reads it."""

    @property
    def response(self) -> str: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...


class Ledger(Protocol):
    """Keeps calls and answers. All methods may be called from several threads."""

    def find_call(self, workflow_id: str, step: str, request_hash: str) -> Answered | None:
        """The answer this very step already got to this request."""
        ...

    def record_call(
        self, call: ModelCall, reservation: int | None = None, budget: BudgetSettings | None = None
    ) -> Sequence[LimitState]:
        """Write a call down and settle its reservation; gives the limits that it has nearly used up.

        Of calls with outcome `ok` the first of a (workflow, step, request) stays.
        """
        ...

    def reserve(self, claim: Claim, budget: BudgetSettings) -> Reserved:
        """Set aside what a call may take at worst, if it fits into every limit."""
        ...

    def settle(self, reservation: int, *, tokens: int, nano_usd: int, budget: BudgetSettings) -> Sequence[LimitState]:
        """End a reservation with what was really taken; gives the limits that it has nearly used up."""
        ...

    def begin_waiting(self, waiting: WaitingCall) -> int:
        """Show that a call waits; gives a number for `end_waiting`."""
        ...

    def end_waiting(self, number: int) -> None:
        """It goes on, or was given up."""
        ...

    def cached_response(self, request_hash: str, max_age_seconds: float) -> Answered | None:
        """An answer to an identical request that is not older than that."""
        ...

    def store_response(self, request_hash: str, response: StoredResponse) -> None:
        """Put an answer into the cache, in place of an older one."""
        ...

    def find_probe(self, provider: str, address: str, model: str) -> Probed | None:
        """What this model managed when it was tried out."""
        ...

    def record_probe(self, probe: ModelProbe) -> None:
        """Remember it, in place of an earlier one."""
        ...
