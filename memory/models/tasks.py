"""The nouns: what a task, an attempt, a model call, a verdict and an activity are. One word, one meaning."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    model_validator,
)

from monitoring.errors import FailureReason


def utc_now() -> datetime:
    """The present moment, timezone-aware."""
    return datetime.now(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment; it must come with its timezone and is kept in UTC."""


MOST_TESTS = 64_000
"""Characters of the tests that an owner may give with a task."""


class Row(BaseModel):
    """A snapshot of one row. It does not change; ask the store again for the present state."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskType(StrEnum):
    CODE = "code"
    DECISION = "decision"
    ANALYSIS = "analysis"
    DEPLOY = "deploy"


class TaskStatus(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    WAITING_APPROVAL = "waiting_approval"


class Priority(IntEnum):
    """The three named priorities; any number between them is allowed. Lower goes first."""

    HIGH = 1
    MEDIUM = 5
    LOW = 10


OWNER = "owner"
"""The source of a task that the owner gave, in whose words it is."""


class Task(Row):
    """A unit of work."""

    id: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1)
    description: str = ""
    type: str = Field(TaskType.CODE, min_length=1, max_length=32)
    """The name of its flow; the orchestrator has a registry of them."""
    priority: int = Field(int(Priority.MEDIUM), ge=Priority.HIGH, le=Priority.LOW)
    deadline: UtcTime | None = None
    assigned_agents: list[str] = []
    parent_id: str | None = None
    depends_on: Annotated[list[str], AfterValidator(lambda ids: sorted(set(ids)))] = []
    """Ids of tasks that must be completed first; their order means nothing."""
    status: TaskStatus = TaskStatus.PENDING
    reason: FailureReason | None = None
    """Why it failed or is blocked; a failed task always has one."""
    reason_detail: str = ""
    stage: str = ""
    """The stage it is in or ended in; empty before the first."""
    source: str = OWNER
    """Who wanted it: owner, ceo or backlog."""
    run: int = Field(0, ge=0)
    """How often it was retried; work of an earlier run no longer counts."""
    tests_file: str = ""
    """Repository path of the tests that the owner gave with the task; empty when QA is to write them."""
    tests: str = Field("", max_length=MOST_TESTS)
    """The text of that file, used as it is."""
    result: dict[str, JsonValue] = {}
    """What it produced: commits, number of tests, the approach that worked."""
    created_at: UtcTime = Field(default_factory=utc_now)
    updated_at: UtcTime | None = None
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None

    @model_validator(mode="after")
    def _failed_has_a_reason(self) -> Self:
        if self.status is TaskStatus.FAILED and self.reason is None:
            raise ValueError("a failed task must have a reason")
        return self

    @model_validator(mode="after")
    def _tests_have_a_file(self) -> Self:
        if bool(self.tests) != bool(self.tests_file):
            raise ValueError("tests and the file they belong in come together")
        return self


class Attempt(Row):
    """One try at a stage. `(task_id, run, stage, approach, number)` names it."""

    id: int = 0
    """Given by the database; 0 before."""
    task_id: str
    run: int
    stage: str
    approach: int
    number: int
    strategy: str = ""
    outcome: str
    """passed, failed, invalid or repeated."""
    answer_hash: str = ""
    tree: str = ""
    """The git tree that was tested."""
    tests_passed: int = 0
    tests_failed: int = 0
    evidence: str = ""
    seconds: float = 0.0
    created_at: UtcTime = Field(default_factory=utc_now)


class Criterion(Row):
    """What an agent wants to be true before it approves."""

    name: str
    threshold: FiniteFloat
    weight: FiniteFloat
    score: FiniteFloat | None = None


class Verdict(Row):
    """An agent's judgement of something. `(task_id, run, stage, agent, number)` names it."""

    task_id: str
    run: int
    stage: str
    agent: str
    number: int
    """Which round of the stage this is, from 1: a second review is a second verdict."""
    approved: bool
    score: FiniteFloat
    criteria: list[Criterion] = []
    issues: list[str] = []
    reasoning: str = ""
    created_at: UtcTime = Field(default_factory=utc_now)


class StoredResponse(Row):
    """A model's answer as it was paid for."""

    response: str
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    created_at: UtcTime = Field(default_factory=utc_now)


class ModelProbe(Row):
    """What a model that was not known managed when it was tried out."""

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
    """One line of the ledger: a call to a model, what it gave and what it took."""

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
    """`ok` when the answer can be used again; else what went wrong."""
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


class Memory(Row):
    """One thing an agent remembers."""

    agent: str
    key: str
    value: JsonValue
    created_at: UtcTime
    updated_at: UtcTime


class Activity(Row):
    """One line of the stream that the command line, the API and the dashboard read."""

    id: int
    agent_name: str
    activity: str
    task_id: str | None
    details: dict[str, JsonValue]
    timestamp: UtcTime


class Decision(Row):
    """A decision and all that led to it."""

    id: int
    agent_name: str
    decision_type: str
    decision_data: dict[str, JsonValue]
    timestamp: UtcTime


class ControlCommand(Row):
    """A word from another process to the daemon."""

    id: int
    command: str
    argument: str
