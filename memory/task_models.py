"""What a task is, and what is recorded about one: attempts, verdicts, the quality of its tests, proofs."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
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
"""A time; it must have a timezone and is kept in UTC."""


MOST_TESTS = 64_000
"""Characters of the tests that an owner may give with a task."""


ANSWER_GATE = "answer"
"""Where a task waits that asks the owner something; only an answer opens this gate."""

MERGE_GATE = "merge"
"""Where a task waits until the request with its change is merged at the forge."""


_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
_ID_RANDOM_BITS = 20
_ID_LENGTH = 12
_id_lock = threading.Lock()
_last_id = 0


class Row(BaseModel):
    """A snapshot of one row. It does not change; ask the store again for the present state."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class TaskType(StrEnum):
    CODE = "code"
    DECISION = "decision"
    ANALYSIS = "analysis"
    DEPLOY = "deploy"
    PLAN = "plan"
    OPINION = "opinion"
    """What one agent of a V-team thinks of an idea that is being decided on."""
    PROJECT = "project"
    """A text from which a specification, an architecture and tasks are made."""
    SKELETON = "skeleton"
    """What an empty repository begins with."""
    MESSAGE = "message"
    """What the owner tells an agent, and its answer."""


class TaskKind(StrEnum):
    """What kind of work a code task is; each kind has a proof of its own."""

    FEATURE = "feature"
    BUGFIX = "bugfix"
    REFACTORING = "refactoring"
    TESTS = "tests"
    DOCUMENTATION = "documentation"
    CONFIGURATION = "configuration"
    PERFORMANCE = "performance"
    CHORE = "chore"


class RetryStage(StrEnum):
    """From where a code task can be tried again, once it was there."""

    TESTS = "tests"
    CODE = "code"
    REVIEW = "review"


_REACHED = {RetryStage.TESTS: "base", RetryStage.CODE: "tests_commit", RetryStage.REVIEW: "code_commit"}
"""What the result of a code task holds once it reached that stage."""


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


DEADLINE_LADDER = (
    (timedelta(0), int(Priority.HIGH)),
    (timedelta(hours=24), 3),
    (timedelta(days=7), int(Priority.MEDIUM)),
)
"""(time left, the priority a task has at least): overdue 1, within a day 3, within a week 5."""

_STAGE_SPAN = 100
"""Room for the stages of a flow between two priorities."""

OWNER = "owner"
"""The source of a task that the owner gave in their own words."""


class Task(Row):
    """A unit of work."""

    id: str = Field(min_length=1, max_length=64)
    title: str = Field(min_length=1)
    description: str = ""
    type: str = Field(TaskType.CODE, min_length=1, max_length=32)
    """The name of its flow; the orchestrator has a registry of them."""
    kind: str = ""
    """A value of `TaskKind`; empty until the owner or the team has chosen it."""
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
    """Who asked for it: owner, ceo, backlog or facts."""
    run: int = Field(0, ge=0)
    """How often it was restarted; work of an earlier run no longer counts."""
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

    @property
    def trace(self) -> str:
        """The name of this run, to those who trace it."""
        return f"{self.id}.{self.run}"

    @property
    def approval_key(self) -> str:
        """What an approval is for: this run of the task and this visit of a stage, not a later one."""
        return f"{self.run}.{self.result.get('visit', 0)}"

    @property
    def reached(self) -> list[RetryStage]:
        """The stages from which it can be tried again, when it has ended."""
        known = self.result if self.type == TaskType.CODE else {}
        return [stage for stage, mark in _REACHED.items() if known.get(mark)]

    @property
    def question(self) -> str:
        """What the team asks the owner, while the task waits for the answer."""
        return str(self.result.get("question") or "") if self.result.get("waiting_for") == ANSWER_GATE else ""

    def answered(self, question: str, answer: str) -> str:
        """Its words with an answer of the owner, behind the question, since nobody of the team may remember that."""
        quoted = "\n".join(f"> {line}" for line in question.replace("`", "'").splitlines())  # it states no examples
        said = f"The team asked:\n\n{quoted}\n\nThe owner answers:\n\n{answer}"
        return self.description if self.description.endswith(said) else f"{self.description}\n\n{said}".strip()


class TaskLine(Row):
    """What a list shows of a task."""

    id: str
    title: str
    type: str
    kind: str
    priority: int
    deadline: UtcTime | None
    parent_id: str | None
    status: TaskStatus
    reason: FailureReason | None
    reason_detail: str
    stage: str
    source: str
    run: int
    created_at: UtcTime
    updated_at: UtcTime | None
    started_at: UtcTime | None
    finished_at: UtcTime | None


class Dependency(Row):
    """A task that another one waits for."""

    id: str
    title: str
    status: TaskStatus


def new_task_id() -> str:
    """A new id, greater than every id this process made before: `t-` and twelve characters that sort by time.

    They are Crockford's base32, without i, l, o and u: forty bits of milliseconds since 2025 (enough until 2059) and
    twenty random bits. Within a process ids strictly increase, whatever the clock does; two processes collide only in
    the same millisecond, and then one time in a million.
    """
    global _last_id  # noqa: PLW0603  # the clock can stand still or go back; order must hold across all threads
    moment = int(time.time() * 1000) - _ID_EPOCH_MS
    with _id_lock:
        _last_id = max(_last_id + 1, (moment << _ID_RANDOM_BITS) | secrets.randbits(_ID_RANDOM_BITS))
        number = _last_id
    characters = [_ID_ALPHABET[(number >> shift) & 31] for shift in range(5 * (_ID_LENGTH - 1), -1, -5)]
    return "t-" + "".join(characters)


def effective_priority(task: Task, now: datetime) -> int:
    """1 (first) to 10: the task's priority, or the one its deadline demands if that is more urgent."""
    if task.deadline is None:
        return task.priority
    left = task.deadline - now
    return min([task.priority, *(demanded for limit, demanded in DEADLINE_LADDER if left <= limit)])


def queue_priority(task: Task, stage_index: int, stages: int, now: datetime | None = None, *, behind: int = 0) -> int:
    """The engine's integer priority of a stage, from 1; lower goes first.

    Between tasks of equal effective priority the one with fewer stages left goes first: finish before you start.
    `stage_index` counts from 0, `stages` is how many the flow has (at most 100). `behind` moves the stage back by so
    many places, though never behind a task of a lower priority.
    """
    if not 0 <= stage_index < stages <= _STAGE_SPAN:
        raise ValueError(f"stage {stage_index} of {stages}: the index must lie in 0..{stages - 1}, stages in 1..100")
    place = min(stages - stage_index + max(behind, 0), _STAGE_SPAN)
    return (effective_priority(task, now or utc_now()) - 1) * _STAGE_SPAN + place


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
    """A condition of an agent's approval."""

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


class SuiteQuality(BaseModel):
    """How good the tests of one task are, in figures: stored with the task and shown by `task show`."""

    assertions: int = Field(0, ge=0)
    stated: int = Field(0, ge=0)
    """Generated by code from examples that the task states."""
    agreed: int = Field(0, ge=0)
    """Written by QA's model; with a small one, agreed upon by independent solutions."""
    properties: int = Field(0, ge=0, validation_alias=AliasChoices("properties", "laws"))
    """Those that the task states, checked on many values; figures of earlier versions call them `laws`."""
    added: int = Field(0, ge=0)
    """Added because a small fault in the accepted code went unnoticed."""
    given: int = Field(0, ge=0)
    """The owner's."""
    agreement: float | None = Field(None, ge=0, le=1)
    """Share of the proposed assertions that were kept; None when none were proposed."""
    mutants: int = Field(0, ge=0)
    """Small faults that were tried in the accepted code; 0 when it could not be measured."""
    killed: int = Field(0, ge=0)
    """Those that a test noticed."""
    hidden: int = Field(0, ge=0)
    """Tests that the developer was not shown."""

    def __str__(self) -> str:
        """One line: `9 assertions (6 stated, 3 agreed), 14 of 18 mutants killed`."""
        kinds = {"stated": self.stated, "agreed": self.agreed, "properties": self.properties, "added": self.added,
                 "given": self.given, "hidden": self.hidden}  # fmt: skip
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        strength = f"{self.killed} of {self.mutants} mutants killed" if self.mutants else "strength not measured"
        noun = "assertion" if self.assertions == 1 else "assertions"
        return f"{self.assertions} {noun}{f' ({counts})' if counts else ''}, {strength}"


class ProofOutcome(BaseModel):
    """What was found out about one proof of a task's kind of work: stored with the task, shown to the reviewer and by
    `task show`."""

    name: str
    """What was looked at, such as `public surface`."""
    outcome: Literal["holds", "lacks", "not checked"]
    told: str = ""
    """What was compared or measured; what lacks, in words for its author; or why nothing was checked."""
    by_tests: bool = False
    """What lacks are tests, which only QA can add."""

    def __str__(self) -> str:
        """One line: `public surface: holds (1 module compared)`."""
        return f"{self.name}: {self.outcome}" + (f" ({' '.join(self.told.split())})" if self.told else "")
