"""The pages about tasks: the list, a new one, a life, a change, why a line is there, what models were asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api import tasks as programs
from api.access import AnOperator, AViewer, Form
from api.diff_view import files_of
from api.errors import NotThere
from api.look import page, urgency
from api.pages import number, redirect
from api.paging import age_of, cursor_of, paged
from api.problems import fields_of
from api.room import Room, TheRoom
from memory import OPEN, RETRIABLE, ProofOutcome, SuiteQuality, Task, TaskKind, TaskStatus, TaskType, new_task_id
from monitoring.errors import KnownError
from orchestrator import UnknownFlow
from orchestrator.flows import FLOWS
from orchestrator.flows.task_queue import flow_of
from owner import actions
from owner.artifacts import artifact_of
from owner.errors import NotPossible, OwnerError
from owner.inbox import told_already
from owner.stopped import STOPPED, stopped_of
from owner.thread import Entry, thread_of
from owner.why import AddedLine, why_of
from owner.words import agent_name, count, span

router = APIRouter(include_in_schema=False)

_ROWS, _CALLS, _ENTRIES = 50, 100, 200
_STOPPED_FILTER = "stopped"
_ESCALATION = "escalate"


@dataclass
class Step:
    """A stage of a task's flow: done, now, stopped or ahead."""

    name: str
    state: str
    told: str


@dataclass
class Moment:
    """An entry of the thread, as it is drawn."""

    key: str
    kind: str
    at: datetime
    text: str
    mark: str = ""
    evidence: str = ""
    issues: list[str] = field(default_factory=list)
    reasoning: str = ""


@router.get("/tasks")
def tasks(request: Request, room: TheRoom, _: AViewer) -> Response:
    """The list, with filters and search."""
    query = request.query_params
    before = query.get("before") or None
    rows = room.store.browse.tasks(
        _ROWS + 1, cursor_of(before), status=_statuses(query.get("status", "")), type=query.get("type") or None,
        source=query.get("source") or None, search=query.get("search", "")[:200] or None,
    )  # fmt: skip
    values = {
        "rows": paged(rows, _ROWS, age_of),
        "statuses": [
            (_STOPPED_FILTER, "waits for me"),
            *((status.value, status.replace("_", " ")) for status in TaskStatus),
        ],
        "types": list(FLOWS),
        "live": before is None,
    }
    return page(request, "tasks.html", values)


@router.get("/tasks/new")
def new(request: Request, _: AnOperator) -> Response:
    """The form for a task. Its id is chosen here, so that a form that is sent twice makes one task."""
    return _form(request, {"id": new_task_id()}, [])


@router.post("/tasks/new")
def add(request: Request, room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """Give the team a task."""
    given: dict[str, object] = {key: form[key] for key in ("id", "title", "description", "type", "kind", "priority")
                                if form.get(key)}  # fmt: skip
    try:
        if form.get("deadline"):
            given["deadline"] = datetime.fromisoformat(form["deadline"]).replace(tzinfo=UTC)
        given["depends_on"] = form.get("depends_on", "").replace(",", " ").split()
        added = programs.add(programs.NewTask.model_validate(given), room, visitor, Response())
    except ValidationError as wrong:
        told = [f"{each.place.replace('_', ' ')}: {each.told}" for each in fields_of(wrong)]
        return _form(request, form, told)
    except (OwnerError, KnownError, ValueError) as wrong:
        return _form(request, form, [str(wrong)])
    return redirect(f"/tasks/{added.task.id}", "added")


def _form(request: Request, form: dict[str, str], problems: list[str]) -> Response:
    blank = dict.fromkeys(("title", "description", "type", "kind", "priority", "deadline", "depends_on"), "")
    values = {"form": {**blank, **form}, "problems": problems, "types": list(FLOWS), "kinds": [*TaskKind]}
    return page(request, "task_new.html", values, status=422 if problems else 200)


@router.get("/tasks/{task_id}")
def task(task_id: str, request: Request, room: TheRoom, _: AViewer) -> Response:
    """One task: what was asked, where it is, what happened, what it cost, and what can be done about it."""
    store = room.store
    found = store.tasks.get(task_id)
    told, calls = thread_of(store, found), store.browse.calls(found.id, _CALLS + 1)
    result = found.result
    values = {
        "task": found,
        "stopped": next(iter(stopped_of(store, [found])), None),
        "sent": told_already(store).get(found.id, ""),
        "verbs": _verbs(found),
        "stages": [(stage, actions.KEPT[stage]) for stage in found.reached] if found.status in RETRIABLE else [],
        "verbs_open": found.status in OPEN,
        "steps": list(_steps(found, told)),
        "entries": [_moment(index, entry) for index, entry in enumerate(told)][-_ENTRIES:],
        "left_out": max(len(told) - _ENTRIES, 0),
        "facts": list(_facts(room, found)),
        "usage": store.ledger.usage("model", task_ids=[found.id]),
        "waits_for": programs.waits_for(store, found),
        "parts": store.browse.tasks(100, parent_id=found.id),
        "commits": [str(each) for each in _listed(result.get("landed_commits"))],
        "proofs": [str(ProofOutcome.model_validate(each)) for each in _listed(result.get("proofs"))],
        "sections": artifact_of(found),
        "has_change": (found.type in (TaskType.CODE, TaskType.SKELETON) and bool(found.stage))
        or bool(result.get("landed_commits")),
        "calls": calls[:_CALLS],
        "more_calls": len(calls) > _CALLS,
        "live": True,
    }
    return page(request, "task.html", values)


@router.post("/tasks/{task_id}/change")
def change(task_id: str, room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """Give an open task another priority."""
    priority = number(form.get("priority"))
    if priority is None or not 1 <= priority <= 10:
        raise NotPossible(f"{form.get('priority', '')[:20]!r} is no priority; 1 goes first, 10 last")
    actions.change(room.store, room.store.tasks.get(task_id), {"priority": priority}, visitor.name)
    room.wake()
    return redirect(f"/tasks/{task_id}", "changed")


@router.get("/tasks/{task_id}/diff")
def diff(task_id: str, request: Request, room: TheRoom, _: AViewer) -> Response:
    """What it changed, by file."""
    values = {
        "task": room.store.tasks.get(task_id),
        "files": files_of(programs.diff_of(room, task_id)),
        "split": request.query_params.get("view") == "split",
    }
    return page(request, "diff.html", values)


@router.get("/tasks/{task_id}/why")
def why(task_id: str, request: Request, room: TheRoom, _: AViewer) -> Response:
    """Why a line of the change is there."""
    found, query = room.store.tasks.get(task_id), request.query_params
    file, line = query.get("file", ""), number(query.get("line")) or 0
    added = {
        each.path: [
            AddedLine(number=one.new or 0, text=one.text)
            for hunk in each.hunks for one in hunk.lines if one.kind == "+"
        ]
        for each in files_of(programs.diff_of(room, task_id), coloured=False)
    }  # fmt: skip
    told = why_of(room.store, found, added, file, line)
    if told is None:
        raise NotThere(f"the change of {found.id} has not added line {line} of {file[:200]}")
    told.commit, told.subject = _commit_of(room, found, told.file, told.text)
    return page(request, "why.html", {"task": found, "why": told})


@router.get("/tasks/{task_id}/calls/{call}")
def call(task_id: str, call: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    """What a model was asked, and what it answered."""
    found = programs.call(task_id, number(call) or 0, room, visitor)
    return page(request, "call.html", {"task": room.store.tasks.get(task_id), "call": found})


def _statuses(wanted: str) -> list[TaskStatus] | None:
    if not wanted:
        return None
    if wanted == _STOPPED_FILTER:
        return list(STOPPED)
    try:
        return [TaskStatus(wanted)]
    except ValueError:
        raise NotPossible(f"{wanted[:40]!r} is no status; there are {', '.join(TaskStatus)}") from None


def _verbs(task: Task) -> list[tuple[str, str]]:
    """What the buttons of the head do; what stopped has its own beside the reason."""
    if task.status in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
        return [("cancel", "Cancel")]
    return [("retry", "Try again")] if task.status in RETRIABLE and task.status not in STOPPED else []


def _steps(task: Task, told: list[Entry]) -> Iterator[Step]:
    """The stages of its flow. An escalation is only for what failed; at which stage it did, the records tell."""
    try:
        flow = flow_of(task)
    except UnknownFlow:
        return
    stages = [stage for stage in flow.stages if stage.name != _ESCALATION]
    names = [stage.name for stage in stages]
    failed = [each.stage for each in told if each.stage in names and each.run in (None, task.run)]
    reached = failed[-1] if task.stage == _ESCALATION and failed else task.stage
    at = names.index(reached) if reached in names else -1
    stands = task.status in (*STOPPED, TaskStatus.CANCELLED)
    for index, stage in enumerate(stages):
        if task.status is TaskStatus.COMPLETED or index < at:
            state = "done"
        elif index == at:
            state = "stopped" if stands or reached != task.stage else "now"
        else:
            state = "ahead"
        yield Step(stage.name.replace("_", " "), state, agent_name(flow.agent_for(stage, task)))
    if task.stage == _ESCALATION and task.status is not TaskStatus.COMPLETED:
        yield Step(task.stage, "stopped" if stands else "now", agent_name("tech_lead"))


def _moment(index: int, entry: Entry) -> Moment:
    details = entry.details
    issues = details.get("issues")
    return Moment(
        key=f"{entry.kind}-{details.get('id') or index}",
        kind=entry.kind,
        at=entry.at,
        text=entry.text,
        mark=entry.mark,
        evidence=str(details.get("evidence") or "") if entry.kind == "attempt" else "",
        issues=[str(issue) for issue in issues] if entry.kind == "verdict" and isinstance(issues, list) else [],
        reasoning=str(details.get("reasoning") or "") if entry.kind == "verdict" else "",
    )


def _facts(room: Room, task: Task) -> Iterator[tuple[str, str]]:
    yield "Type", f"{task.type}{f', {task.kind}' if task.kind else ''}"
    yield "Priority", f"{urgency(task.priority)} ({task.priority} of 10; 1 goes first)"
    yield "From", agent_name(task.source) if task.source in ("owner", "ceo", "pm") else task.source
    seconds = room.clock.now().seconds(task)
    if seconds is not None:
        yield "Worked on for", span(seconds)
    if task.run:
        yield "Begun anew", count(task.run, "time")
    attempts = room.store.evidence.attempt_counts({task.id: task.run}).get(task.id, 0)
    if attempts:
        yield "Attempts", f"{attempts}"
    quality = task.result.get("quality")
    if isinstance(quality, dict):
        yield "Its tests", _strength(SuiteQuality.model_validate(quality))
    if task.result.get("landed_commits"):
        pushed = "yes" if task.result.get("pushed") else str(task.result.get("push_error") or "not yet")
        yield "Pushed", pushed
    deployment = task.result.get("deployment")
    if deployment:
        yield "Deployment", str(deployment)


def _strength(quality: SuiteQuality) -> str:
    stated = f" ({quality.stated} of them you stated)" if quality.stated else ""
    noticed = f", which notice {quality.killed} of {count(quality.mutants, 'small fault')}" if quality.mutants else ""
    return f"{count(quality.assertions, 'check')}{stated}{noticed}"


def _commit_of(room: Room, task: Task, file: str, text: str) -> tuple[str, str]:
    """The commit of the task, and its subject, that added this line; empty before it is committed."""
    commits = [*_listed(task.result.get("landed_commits"))]
    commits = commits or [task.result.get("code_commit"), task.result.get("tests_commit")]
    git = room.git
    for sha in filter(None, map(str, filter(None, commits))):
        try:
            changed = git.commits.diff(f"{sha}^", sha, paths=[file], context=0)
            if f"+{text}" in changed.split("\n"):
                return sha, git.commits.get(sha).subject
        except KnownError:  # another run of the task replaced it
            continue
    return "", ""


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
