"""`/api/v1/tasks`: the work, what became of it and why, and what can be done about it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.access import AnOperator, AViewer, Visitor
from api.errors import NotThere
from api.paging import Before, Limit, Page, RowId, age_of, cursor_of, number_of, paged
from api.problems import problems
from api.room import Room, TheRoom
from file_system import SyntaxProblem, check_syntax
from git_ops import GitError
from memory import (
    MOST_TESTS,
    OWNER,
    Attempt,
    Decision,
    Dependency,
    MemoryStore,
    ModelCall,
    Priority,
    RetryStage,
    Task,
    TaskKind,
    TaskLine,
    TaskStatus,
    UsageRow,
    Verdict,
    new_task_id,
)
from memory.tables.tasks import TaskChanges
from orchestrator import TaskQueue
from owner import actions
from owner.artifacts import Section, artifact_of
from owner.errors import NotPossible
from owner.stopped import Stopped, stopped_of
from owner.thread import Entry, thread_of

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"], responses=problems(401, 403, 404, 422, 503))

_TASK_ID = r"^t-[0-9a-z]{1,60}$"


class GivenTests(BaseModel):
    """Tests of the owner's that must pass; they are used as they are."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)*$", max_length=300, examples=["tests/test_shares.py"])
    text: str = Field(min_length=1, max_length=MOST_TESTS)


class NewTask(BaseModel):
    """What is to be done. Examples in the description, such as "`f(2)` returns `4`", become its tests."""

    model_config = ConfigDict(
        extra="forbid",
        str_strip_whitespace=True,
        json_schema_extra={"examples": [{"title": "Add add", "description": "Add `add(a, b)`. `add(1, 2)` is `3`."}]},
    )

    title: str = Field(min_length=1, max_length=300)
    description: str = Field("", max_length=60_000)
    type: str = Field("code", min_length=1, max_length=32, description="The flow: code, analysis, plan or decision.")
    kind: TaskKind | None = Field(None, description="What kind of work it is; left out, QA says.")
    priority: int = Field(Priority.MEDIUM, ge=Priority.HIGH, le=Priority.LOW, description="1 goes first, 10 last.")
    deadline: AwareDatetime | None = None
    depends_on: list[str] = Field([], max_length=100, description="Ids of tasks that must be completed first.")
    tests: GivenTests | None = None
    id: str | None = Field(
        None, pattern=_TASK_ID, description="Of your choice: who sends the same one again gets the same task."
    )


class Change(BaseModel):
    """What is to be otherwise about an open task; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"priority": 1}]})

    priority: int | None = Field(None, ge=Priority.HIGH, le=Priority.LOW)
    deadline: AwareDatetime | None = Field(None, description="null takes it away.")


class Note(BaseModel):
    """Words of the owner to the team."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "The blue one."}]})

    note: str = Field("", max_length=actions.MOST_NOTE)


class Again(BaseModel):
    """From where a task is tried again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"stage": "code"}]})

    stage: RetryStage | None = Field(None, description="A stage that it reached; null: the beginning.")


class Told(BaseModel):
    """What the daemon was told to do. It does so within a second, or at its next start."""

    command: Literal["approve", "retry", "cancel", "replan"]
    task: str
    effect: str = Field("", description="What is kept and what is made anew.")


class TaskDetails(BaseModel):
    """A task with all that is asked about it."""

    task: Task
    seconds: float | None = Field(description="For how long it was worked on; null: it has not begun.")
    stopped: Stopped | None = Field(description="Why it waits for you and what you can do; null: it does not.")
    reached: list[RetryStage] = Field(description="The stages from which it can be tried again, when it has ended.")
    waits_for: list[Dependency]
    parts: list[TaskLine]
    usage: list[UsageRow]


@router.get("", summary="Tasks, newest first")
def tasks(
    room: TheRoom,
    _: AViewer,
    status: Annotated[list[TaskStatus] | None, Query(description="Only those; may be repeated.")] = None,
    type: str | None = None,
    kind: str | None = None,
    source: str | None = None,
    stage: str | None = None,
    parent: str | None = None,
    search: Annotated[str | None, Query(max_length=200, description="Words in title, description or reason.")] = None,
    limit: Limit = 50,
    before: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Page[TaskLine]:
    """Long texts and results are in the task itself."""
    rows = room.store.browse.tasks(
        limit + 1, cursor_of(before), status=status, type=type, kind=kind, source=source, stage=stage,
        parent_id=parent, search=search,
    )  # fmt: skip
    return paged(rows, limit, age_of)


@router.post("", status_code=201, summary="Give the team work", responses=problems(409, 413))
def add(new: NewTask, room: TheRoom, visitor: AnOperator, response: Response) -> TaskDetails:
    """The daemon begins it when an agent is free."""
    actions.must_be_ahead(new.deadline)
    needed = [room.store.tasks.get(task_id) for task_id in dict.fromkeys(new.depends_on)]
    actions.must_not_wait_for_ever(needed)
    if new.tests:
        _check_tests(new.tests)
    task = Task(
        id=new.id or new_task_id(), title=new.title, description=new.description, type=new.type,
        kind=new.kind.value if new.kind else "", priority=new.priority, deadline=new.deadline,
        depends_on=new.depends_on, tests_file=new.tests.file if new.tests else "",
        tests=new.tests.text if new.tests else "",
    )  # fmt: skip
    if TaskQueue(room.store, own=room.settings.agents).submit_task(task, by=OWNER):
        actions.record(room.store, "gave work", visitor.name, task.id, title=task.title)
        room.wake()
    else:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/tasks/{task.id}"
    return _details(room, room.store.tasks.get(task.id))


@router.get("/{task_id}", summary="One task")
def task(task_id: str, room: TheRoom, _: AViewer) -> TaskDetails:
    """Everything about it but what has an address of its own."""
    return _details(room, room.store.tasks.get(task_id))


@router.patch("/{task_id}", summary="Change priority or deadline", responses=problems(409))
def change(task_id: str, changes: Change, room: TheRoom, visitor: AnOperator) -> TaskDetails:
    """It holds from the task's next stage on."""
    found, given = room.store.tasks.get(task_id), TaskChanges()
    if changes.priority is not None:
        given["priority"] = changes.priority
    if "deadline" in changes.model_fields_set:
        given["deadline"] = changes.deadline
    if not given:
        raise NotPossible("nothing to change: give priority or deadline")
    actions.change(room.store, found, given, visitor.name)
    room.wake()
    return _details(room, room.store.tasks.get(task_id))


@router.get("/{task_id}/thread", summary="What happened to it, in order")
def thread(task_id: str, room: TheRoom, _: AViewer) -> list[Entry]:
    """Activity, attempts, verdicts and decisions in one line of time."""
    return thread_of(room.store, room.store.tasks.get(task_id))


@router.get("/{task_id}/attempts", summary="Attempts with the results of their tests")
def attempts(task_id: str, room: TheRoom, _: AViewer) -> list[Attempt]:
    """Oldest first, of all its runs."""
    return room.store.evidence.attempts(room.store.tasks.get(task_id).id)


@router.get("/{task_id}/verdicts", summary="Judgements of it")
def verdicts(task_id: str, room: TheRoom, _: AViewer) -> list[Verdict]:
    """Oldest first, of all its runs."""
    return room.store.evidence.verdicts(room.store.tasks.get(task_id).id)


@router.get("/{task_id}/decisions", summary="Decisions about it")
def decisions(task_id: str, room: TheRoom, _: AViewer) -> list[Decision]:
    """Newest first."""
    return room.store.journal.decisions(task_id=room.store.tasks.get(task_id).id)


@router.get("/{task_id}/report", summary="What a task without code has come to")
def report(task_id: str, room: TheRoom, _: AViewer) -> list[Section]:
    """A report, an opinion or a decision in sections; empty for others, and before it is there."""
    return artifact_of(room.store.tasks.get(task_id))


@router.get("/{task_id}/diff", summary="The change it made", response_class=PlainTextResponse)
def diff(task_id: str, room: TheRoom, _: AViewer) -> str:
    """Its landed commits, or its branch while it is in progress, as a unified diff; empty before the first change."""
    return diff_of(room, task_id)


@router.get("/{task_id}/calls", summary="Model calls for it")
def calls(task_id: str, room: TheRoom, _: AViewer, limit: Limit = 50, before: Before = None) -> Page[ModelCall]:
    """Newest first, with tokens and cost; prompt and response are empty here."""
    found = room.store.browse.calls(room.store.tasks.get(task_id).id, limit + 1, before)
    return paged(found, limit, number_of)


@router.get("/{task_id}/calls/{number}", summary="One model call with prompt and response")
def call(task_id: str, number: RowId, room: TheRoom, _: AnOperator) -> ModelCall:
    """Retention empties them after `retention.answers_days`."""
    found = room.store.browse.call(task_id, number)
    if found is None:
        raise NotThere(f"the task {task_id} has no model call {number}")
    return found


@router.post("/{task_id}/approve", status_code=202, summary="Let it go on", responses=problems(409))
def approve(task_id: str, room: TheRoom, visitor: AnOperator, note: Note | None = None) -> Told:
    """Opens its gate or answers its question; a blocked or failed task is tried again with your words."""
    return _do(room, task_id, "approve", visitor, note)


@router.post("/{task_id}/reject", status_code=202, summary="Put it aside", responses=problems(409))
def reject(task_id: str, room: TheRoom, visitor: AnOperator, note: Note | None = None) -> Told:
    """Cancels a task that waits, is blocked or has failed. What has landed stays."""
    return _do(room, task_id, "reject", visitor, note)


@router.post("/{task_id}/cancel", status_code=202, summary="Stop it", responses=problems(409))
def cancel(task_id: str, room: TheRoom, visitor: AnOperator) -> Told:
    """Its test runs and model calls end at once. What has landed stays."""
    return _do(room, task_id, "cancel", visitor)


@router.post("/{task_id}/retry", status_code=202, summary="Start it again", responses=problems(409))
def retry(task_id: str, room: TheRoom, visitor: AnOperator, again: Again | None = None) -> Told:
    """For failed, blocked and cancelled tasks: from the beginning, or from a stage that the task reached; without its
    worktree (see `retention.worktree_days`) from the beginning all the same."""
    stage = again.stage if again else None
    do(room, task_id, "retry", visitor, stage=stage)
    return Told(command="retry", task=task_id, effect=actions.KEPT[stage] if stage else "")


@router.post("/{task_id}/replan", status_code=202, summary="Plan a goal again", responses=problems(409))
def replan(task_id: str, room: TheRoom, visitor: AnOperator, note: Note) -> Told:
    """Tasks of the plan that have not begun are cancelled."""
    return _do(room, task_id, "replan", visitor, note)


def do(room: Room, task_id: str, verb: str, visitor: Visitor, note: str = "", stage: RetryStage | None = None) -> str:
    """What a button or a program does to a task; gives the daemon's command. Raises `OwnerError`."""
    found, by = room.store.tasks.get(task_id), visitor.name
    match verb:
        case "approve":
            command = actions.approve(room.store, found, note, by)
        case "reject":
            command = actions.reject(room.store, found, note, by)
        case "cancel":
            command = actions.cancel(room.store, found, by)
        case "retry":
            command = actions.retry(room.store, found, by, stage)
        case "replan":
            command = actions.replan(room.store, found, note, by)
        case _:
            raise NotThere(f"{verb!r} is nothing that can be done to a task")
    room.wake()
    return command


def diff_of(room: Room, task_id: str) -> str:
    """The change of a task as a unified diff; empty when there is none, or the clone is not there yet."""
    found = room.store.tasks.get(task_id)
    if not (room.paths.clone / ".git").exists() and not (room.paths.clone / "HEAD").exists():
        return ""
    try:
        return room.git.landing.task_diff(found.id)
    except GitError as problem:
        raise NotThere(f"the change of {found.id} cannot be read: {problem}") from problem


def _do(room: Room, task_id: str, verb: str, visitor: Visitor, note: Note | None = None) -> Told:
    command = do(room, task_id, verb, visitor, note.note if note else "")
    return Told.model_validate({"command": command, "task": task_id})


def _details(room: Room, found: Task) -> TaskDetails:
    store = room.store
    return TaskDetails(
        task=found,
        seconds=room.clock.now().seconds(found),
        stopped=next(iter(stopped_of(store, [found])), None),
        reached=found.reached,
        waits_for=waits_for(store, found),
        parts=store.browse.tasks(200, parent_id=found.id),
        usage=store.ledger.usage("model", task_ids=[found.id]),
    )


def waits_for(store: MemoryStore, task: Task) -> list[Dependency]:
    """What a task that is not completed waits for."""
    return [] if task.status is TaskStatus.COMPLETED else store.tasks.unmet([task.id]).get(task.id, [])


def _check_tests(tests: GivenTests) -> None:
    name = tests.file.rpartition("/")[2]
    actions.must_be_a_test(name)
    if ".." in tests.file.split("/"):
        raise NotPossible(f"{tests.file}: give its path inside the repository")
    try:
        check_syntax(name, tests.text)
    except SyntaxProblem as problem:
        raise NotPossible(f"{name} cannot be read, line {problem.line}: {problem.problem}") from None
