"""The shapes of what the API takes and gives. They repeat classes of the daemon, since the client imports none.

Written by docs/client_code.py from the OpenAPI document; `make docs` makes it anew.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

Item = TypeVar("Item")


class Shape(BaseModel):
    """What all have in common: a newer daemon may tell more than this client knows."""

    model_config = ConfigDict(extra="ignore")


class Page(Shape, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None
    """Pass it as `before` to get the following page; None: there is none."""


class FailureReason(StrEnum):
    """Why a task did not succeed."""

    TESTS_FAILED = "tests_failed"
    REVIEW_REJECTED = "review_rejected"
    BUDGET_EXHAUSTED = "budget_exhausted"
    TIMEOUT = "timeout"
    LOOP_DETECTED = "loop_detected"
    CONFLICT = "conflict"
    DEPENDENCY = "dependency"
    INVALID_OUTPUT = "invalid_output"
    NEEDS_OWNER = "needs_owner"
    APPROVAL_EXPIRED = "approval_expired"
    PROVIDER_ERROR = "provider_error"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    DEPLOYMENT_FAILED = "deployment_failed"
    INTERNAL_ERROR = "internal_error"


class RetryStage(StrEnum):
    """From where a code task can be tried again, once it was there."""

    TESTS = "tests"
    CODE = "code"
    REVIEW = "review"


class Role(StrEnum):
    """What a person may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


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


class TaskStatus(StrEnum):
    """A value of TaskStatus."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    WAITING_APPROVAL = "waiting_approval"


class Action(Shape):
    """Something the owner can do about a task: what to type, what comes of it, and the same for a page's
    button."""

    command: str
    effect: str
    verb: Literal["approve", "retry", "reject"]
    task: str
    takes_note: bool = False


class Again(Shape):
    """From where a task is tried again."""

    stage: RetryStage | None = None
    """A stage that it reached; null: the beginning."""


class AgentNow(Shape):
    """An agent at this moment."""

    name: str
    role: str
    duty: str
    model: str
    """Empty: none is configured."""
    state: Literal["paused", "working", "waiting", "queued", "idle"]
    """paused: held back, it only ends its step; working: a step of it runs; waiting: a call of it may not be
    made now; queued: it has work that has not begun; idle: it has none."""
    task: str | None
    """The task it works on."""
    doing: str
    """The same as a sentence; empty when it does nothing."""
    since: datetime | None
    """Since when the task has been at this stage."""
    paused_since: datetime | None
    """null: it is not paused."""
    awaits: list[str]
    """Model calls without an answer yet, each with its time."""
    why_waiting: list[str]
    queue: list[QueuedTask]
    """What comes next, the most urgent first."""
    attempts: int
    """How often its work was tested within 30 days."""
    passed: int
    """How often it passed."""
    today: UsageRow | None
    """What it used since midnight UTC; null: nothing."""


class Attempt(Shape):
    """One try at a stage. `(task_id, run, stage, approach, number)` names it."""

    id: int = 0
    task_id: str
    run: int
    stage: str
    approach: int
    number: int
    strategy: str = ""
    outcome: str
    answer_hash: str = ""
    tree: str = ""
    tests_passed: int = 0
    tests_failed: int = 0
    evidence: str = ""
    seconds: float = 0.0
    created_at: datetime


class Back(Shape):
    """Where to return to."""

    environment: str = ""
    """Empty: that of on_landing, or the only one."""
    to: int | None = None
    """The deployment whose version comes back; null: the one before."""


class Change(Shape):
    """What is to be otherwise about an open task; what is left out stays."""

    priority: int | None = None
    deadline: datetime | None = None
    """null takes it away."""


class Comparison(Shape):
    """How a version compared with the one before, at one look."""

    environment: str
    deployment: int
    metric: str
    of: str = ""
    look: int
    word: Literal["same", "worse", "better"]
    evidence: dict[str, JsonValue] = {}
    at: datetime


class Criterion(Shape):
    """A condition of an agent's approval."""

    name: str
    threshold: float
    weight: float
    score: float | None = None


class Decision(Shape):
    """A decision and what led to it."""

    id: int
    agent_name: str
    decision_type: str
    decision_data: dict[str, JsonValue]
    timestamp: datetime


class Dependency(Shape):
    """A task that another one waits for."""

    id: str
    title: str
    status: TaskStatus


class Deployment(Shape):
    """One deployment of a commit to an environment, or a return to an earlier version."""

    id: int
    environment: str
    target: str = ""
    kind: Literal["deploy", "rollback"] = "deploy"
    commit: str = ""
    status: Literal[
        "requested",
        "planned",
        "preparing",
        "activating",
        "verifying",
        "rolling_back",
        "live",
        "failed",
        "rolled_back",
        "rollback_failed",
        "replaced",
        "stopped",
    ] = "requested"
    task_id: str | None = None
    owner: str
    by: str = ""
    goes_back_to: int | None = None
    artifact: dict[str, str] = {}
    detail: str = ""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class Entry(Shape):
    """Something that happened to a task."""

    at: datetime
    kind: Literal["activity", "attempt", "verdict", "decision"]
    agent: str
    text: str
    stage: str = ""
    run: int | None = None
    details: dict[str, JsonValue] = {}


class EnvironmentNow(Shape):
    """An environment as far as is remembered."""

    name: str
    target: str
    approval: bool
    """Deployments wait for a word of yours."""
    promote_from: str
    """Only what is live there may be deployed here; empty: anything."""
    on_landing: bool
    """Landed work is deployed here at once."""
    url: str
    """What is asked whether it is healthy."""
    live: Deployment | None
    """What is live; null: nothing was deployed from here."""
    deploying: Deployment | None
    """The deployment that is under way, or is asked for."""


class Exchange(Shape):
    """Something that the owner told an agent, and its answer."""

    id: str
    agent: str
    at: datetime
    said: str
    task: str | None
    answer: str
    answered_at: datetime | None
    status: TaskStatus
    problem: str
    holds: bool


class Feedback(Shape):
    """Something about a request that became work on its task."""

    id: str
    by: str = ""
    place: str = ""
    text: str


class FieldProblem(Shape):
    """What is wrong with one value of a request."""

    place: str
    told: str


class Figures(Shape):
    """One series in figures, of the last day in which it was measured; of the newest thousand, if there are
    more."""

    number: int
    """Measurements."""
    bad: int
    """Those that were errors."""
    away: int
    """Those in which nothing could be reached, through no fault of the service's."""
    median: float | None
    """Of the good ones, in milliseconds or bytes; null: there are none."""
    p95: float | None
    """What 95 of 100 good ones do not exceed."""


class ForgeNow(Shape):
    """The forge as the daemon saw it last."""

    provider: str
    """Empty: there is none."""
    repository: str
    label: str
    lands_by_request: bool
    webhooks: bool
    """Webhooks are taken."""
    looked_at: datetime | None
    """When it was looked at last, whether it answered or not."""
    problem: str
    """Why the last look was no good; empty: it was."""
    last: Round | None
    """What the last good look did."""
    issues: list[ForgeThread]
    requests: list[ForgeThread]


class ForgeThread(Shape):
    """One issue, or one request to merge something."""

    place: str
    kind: Literal["issue", "request"]
    number: int
    status: Literal["stranger", "taken", "over", "open", "merged", "closed"]
    task_id: str | None = None
    title: str = ""
    author: str = ""
    url: str = ""
    state: ThreadState
    created_at: datetime
    updated_at: datetime


class GivenTests(Shape):
    """Tests of the owner's that must pass; they are used as they are."""

    file: str
    text: str


class Health(Shape):
    """It works; what does not is a problem."""

    status: Literal["ok"] = "ok"


class Heard(Shape):
    """The daemon looks at the forge soon."""

    status: Literal["heard"] = "heard"


class Inbox(Shape):
    """What waits for the owner. All of it is empty when nothing does."""

    items: list[InboxItem]
    more: int
    limits: list[LimitState]
    waiting: list[WaitingCall]
    unmerged: Unmerged | None = None


class InboxItem(Shape):
    """A task that goes on only by the owner's word."""

    stopped: Stopped
    task: Task
    told: str = ""


class Invitation(Shape):
    """A way in for somebody who has no password yet, or has forgotten it. It is shown this once."""

    link: str
    """Signs the person in, once."""
    expires_at: datetime


class KeyMade(Shape):
    """A new key; its secret is shown this once."""

    id: int
    person: str
    label: str
    scopes: list[Role]
    created_at: datetime
    expires_at: datetime | None
    secret: str


class KeyShown(Shape):
    """A key, without its secret."""

    id: int
    person: str
    label: str
    scopes: list[Role]
    created_at: datetime
    expires_at: datetime | None


class LimitState(Shape):
    """A limit, and how much of it is used. Amounts are US dollars or tokens."""

    name: str
    scope: Literal["task", "agent_day", "day", "month"]
    subject: str
    unit: Literal["usd", "tokens"]
    limit: float
    used: float
    reserved: float
    share: float
    """The part of the limit that is used or reserved, from 0 to 1."""


class Line(Shape):
    """A line of the activity stream, and what it says."""

    id: int
    agent_name: str
    activity: str
    task_id: str | None
    details: dict[str, JsonValue]
    timestamp: datetime
    sentence: str


class Me(Shape):
    """Who asks."""

    name: str
    role: Role
    by: str
    """session, key or token"""
    scopes: list[Role]
    """Of a key or token; empty for a session."""


class Measured(Shape):
    """All that is measured of an environment."""

    environment: str
    interval: float
    """Seconds between two looks; 0: it is not watched."""
    live: Deployment | None
    before: Deployment | None
    series: list[MeasuredSeries]


class MeasuredSeries(Shape):
    """One thing that is measured."""

    metric: str
    of: str
    """A path of the service, or empty."""
    before: Figures | None
    """In the version before; null: it was not measured there."""
    now: Figures
    points: list[float]
    """The last values, each the median of a few, the oldest first."""
    compared: list[Comparison]
    """The last look of each comparison."""


class ModelCall(Shape):
    """One line of the ledger: a model call, its answer and what it cost."""

    id: int = 0
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
    cost_usd: float | None = None
    cached: bool = False
    seconds: float = 0.0
    outcome: str = "ok"
    truncated: bool | None = None
    created_at: datetime


class NewKey(Shape):
    """A key for a program of yours."""

    label: str
    scopes: list[Role] = [Role.VIEWER]
    """Never more than you may."""
    days: float | None = 90
    """Until it expires; null: never."""


class NewPassword(Shape):
    """A password of one's own."""

    password: str


class NewPerson(Shape):
    """Somebody who is to be let in."""

    name: str
    role: Role = Role.VIEWER
    password: str | None = None


class NewTask(Shape):
    """What is to be done. Examples in the description, such as "`f(2)` returns `4`", become its tests."""

    title: str
    description: str = ""
    type: str = "code"
    """The flow: code, analysis, plan or decision."""
    kind: TaskKind | None = None
    """What kind of work it is; left out, QA says."""
    priority: int = 5
    """1 goes first, 10 last."""
    deadline: datetime | None = None
    depends_on: list[str] = []
    """Ids of tasks that must be completed first."""
    tests: GivenTests | None = None
    id: str | None = None
    """Of your choice: who sends the same one again gets the same task."""


class NewToken(Shape):
    """A token for a program that is to have little for a short time."""

    scopes: list[Role] = [Role.VIEWER]
    """Never more than you may."""
    minutes: float = 60
    """Until it expires."""


class Note(Shape):
    """Words of the owner to the team."""

    note: str = ""


class Overview(Shape):
    """The state of the project at a glance."""

    version: str
    repository: str
    goal: str
    running: bool
    """Whether the daemon holds the project's lock."""
    pid: int | None
    tasks: dict[str, int]
    stopped: int
    """How many tasks wait for you."""
    listeners: int
    """How many streams are open."""
    rest: Rest | None
    """Why nobody begins anything; null: they do."""


class PersonChange(Shape):
    """What is to be otherwise about a person; what is left out stays."""

    role: Role | None = None
    password: str | None = None
    active: bool | None = None


class PersonShown(Shape):
    """A person, without what is secret."""

    name: str
    role: Role
    active: bool
    has_password: bool
    """false: only a link or their service lets them in."""
    service: str = ""
    """The service that signs them in, where there is one."""
    created_at: datetime


class Problem(Shape):
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    command: str = ""
    """What to type instead, or to see more."""
    errors: list[FieldProblem] = []


class QueuedTask(Shape):
    """A task that waits for its agent."""

    id: str
    title: str
    stage: str
    priority: int


class Requested(Shape):
    """A deployment that the daemon was asked for."""

    task: str
    deployment: int
    environment: str
    kind: Literal["deploy", "rollback"]
    commit: str
    """Empty: the newest landed work, as the daemon finds it."""


class Rest(Shape):
    """Why nobody on the team begins anything."""

    kind: Literal["paused", "quiet"]
    since: datetime | None = None
    until: datetime | None = None


class Round(Shape):
    """What one look at the forge did."""

    issues: int = 0
    tasks: int = 0
    answers: int = 0
    comments: int = 0
    requests: int = 0
    reworks: int = 0
    ended: int = 0


class Section(Shape):
    """A part of a result."""

    heading: str
    text: str = ""
    items: list[str] = []


class SettingsChange(Shape):
    """Keys and their new values; null takes a key out of the file, so that its default counts again."""

    values: dict[str, JsonValue]
    try_only: bool = False
    """true: check it and show the difference, and change nothing."""


class SettingsChanged(Shape):
    """What came of it."""

    diff: str
    """Unified diff of the file; empty: it says so already."""
    written: bool
    note: str = ""


class SettingsFile(Shape):
    """The file as it is."""

    path: str
    text: str
    """Without secrets."""


class Spoken(Shape):
    """What came of telling an agent something."""

    message: str = ""
    command: str = ""
    task: str | None = None


class Stopped(Shape):
    """One task that goes on only by the owner's word."""

    id: str
    title: str
    kind: Literal["gate", "blocked", "failed"]
    reason: str
    detail: str
    evidence: list[str]
    actions: list[Action]


class Strategy(Shape):
    """What the CEO goes by, and when it looks at that again."""

    goals: list[str] = []
    bets: list[str] = []
    learnt: list[str] = []
    number: int = 0
    reviewed_at: datetime | None = None
    next_at: float = 0.0
    situation: str = ""
    setbacks: str = ""


class Task(Shape):
    """A unit of work."""

    id: str
    title: str
    description: str = ""
    type: str = "code"
    kind: str = ""
    priority: int = 5
    deadline: datetime | None = None
    assigned_agents: list[str] = []
    parent_id: str | None = None
    depends_on: list[str] = []
    status: TaskStatus = TaskStatus.PENDING
    reason: FailureReason | None = None
    reason_detail: str = ""
    stage: str = ""
    source: str = "owner"
    run: int = 0
    tests_file: str = ""
    tests: str = ""
    result: dict[str, JsonValue] = {}
    created_at: datetime
    updated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class TaskDetails(Shape):
    """A task with all that is asked about it."""

    task: Task
    seconds: float | None
    """For how long it was worked on; null: it has not begun."""
    stopped: Stopped | None
    """Why it waits for you and what you can do; null: it does not."""
    reached: list[RetryStage]
    """The stages from which it can be tried again, when it has ended."""
    waits_for: list[Dependency]
    parts: list[TaskLine]
    usage: list[UsageRow]


class TaskLine(Shape):
    """What a list shows of a task."""

    id: str
    title: str
    type: str
    kind: str
    priority: int
    deadline: datetime | None
    parent_id: str | None
    status: TaskStatus
    reason: FailureReason | None
    reason_detail: str
    stage: str
    source: str
    run: int
    created_at: datetime
    updated_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class ThreadState(Shape):
    """How far an issue or a request was read, and what was written below it."""

    run: int = 0
    label: str = ""
    words: str = ""
    updated: str = ""
    seen: str = ""
    heard: list[str] = []
    said: list[str] = []
    checked: str = ""
    merged_as: str = ""
    feedback: list[Feedback] = []


class TokenMade(Shape):
    """A JSON web token; nobody stores it."""

    token: str
    expires_at: datetime


class Told(Shape):
    """What the daemon was told to do. It does so within a second, or at its next start."""

    command: Literal["approve", "retry", "cancel", "replan"]
    task: str
    effect: str = ""
    """What is kept and what is made anew."""


class Unmerged(Shape):
    """Landed work that the owner's branch does not have."""

    branch: str
    base: str
    tasks: int
    commits: int
    files: int
    added: int
    removed: int
    conflicts: bool
    command: str


class Upwards(Shape):
    """What is to be promoted."""

    environment: str
    """Where to; it has a promote_from."""


class UsageRow(Shape):
    """What was used under one key: a task, an agent, a model or a day."""

    key: str
    calls: int
    cached_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    seconds: float


class Verdict(Shape):
    """An agent's judgement of something. `(task_id, run, stage, agent, number)` names it."""

    task_id: str
    run: int
    stage: str
    agent: str
    number: int
    approved: bool
    score: float
    criteria: list[Criterion] = []
    issues: list[str] = []
    reasoning: str = ""
    created_at: datetime


class WaitingCall(Shape):
    """A model call that may not be made now and waits inside its step."""

    id: int = 0
    agent: str
    task_id: str | None
    kind: Literal["budget", "provider"]
    reason: str
    since: datetime
    until: datetime | None


class Wanted(Shape):
    """What is to be deployed."""

    environment: str = ""
    """Empty: that of on_landing, or the only one."""
    commit: str = ""
    """A commit, branch or tag; empty: the newest landed work."""


class Words(Shape):
    """What you tell an agent."""

    text: str
    task: str | None = None
    """The task that it is about; null: all of its work."""
