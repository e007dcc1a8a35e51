"""The pages. Each handler gathers facts and hands them to a template; what a button does goes through `owner.actions`.

A form is sent as it is, so that it works without scripts: the answer is a redirect to the page, with what came of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from agents import agent_names
from api import reading as programs
from api.access import AnOperator, AViewer, Form, begin_session, check_origin, end_session
from api.errors import WrongSecret
from api.look import page
from api.paging import number_of, paged, row_id_of
from api.room import Room, TheRoom
from api.tasks import do
from api.team import team_of
from memory import RetryStage, TaskStatus, utc_now
from memory.tables.ledger import UsageKey
from memory.tables.people import FIRST
from owner import actions
from owner.errors import NotPossible
from owner.history import midnight
from owner.inbox import inbox_of
from owner.stream import Titles

router = APIRouter(include_in_schema=False)

_LINES, _ROWS, _STOPPED = 12, 50, 30
_TOLD_OF_A_LIMIT = 0.1
"""The share of a limit of one task or agent from which on Costs shows it."""


@router.get("/sign-in")
def sign_in_page(request: Request, room: TheRoom) -> Response:
    """The way in: a script sends what stands behind the # of a link, and a person a name and a password."""
    return sign_in_form(request, room)


@router.post("/sign-in")
def sign_in(request: Request, room: TheRoom, form: Form) -> Response:
    """By a link (`token`), or by `name` and `password`. Other sites sign nobody in, not even as somebody else."""
    check_origin(request)
    address = request.client.host if request.client else ""
    doorkeeper = request.app.state.doorkeeper
    try:
        if token := form.get("token", ""):
            person = doorkeeper.follow_link(room, token, address)
        else:
            person = doorkeeper.sign_in(room, form.get("name", ""), form.get("password", ""), address)
    except WrongSecret as problem:
        return sign_in_form(request, room, str(problem), problem.status)
    answer = RedirectResponse("/" if person.password or person.name == FIRST else "/people", 303)
    begin_session(room, person, answer, secure=request.url.scheme == "https")
    actions.record(room.store, "signed in", person.name, address=address)
    return answer


def sign_in_form(request: Request, room: Room, problem: str = "", status: int = 200) -> Response:
    """The way in, with what went wrong."""
    chosen = room.settings.api.oidc
    values = {"problem": problem, "service": chosen.name if chosen.issuer else ""}
    return page(request, "sign_in.html", values, status=status)


@router.post("/sign-out")
def sign_out(room: TheRoom, visitor: AViewer) -> Response:
    """End this session."""
    answer = RedirectResponse("/sign-in", 303)
    end_session(room, visitor, answer)
    return answer


@router.get("/")
def inbox(request: Request, room: TheRoom, _: AViewer) -> Response:
    """Everything that waits for the owner."""
    values = {
        "inbox": room.seen.of("first page", lambda: inbox_of(room.store, room.settings.budget, room.git, _STOPPED)),
        "clock": room.clock.now(),
        "live": True,
    }
    return page(request, "inbox.html", values)


@router.get("/now")
def now(request: Request, room: TheRoom, _: AViewer) -> Response:
    """What each agent does at this moment, what comes next, and what waits for other tasks."""
    counts = room.store.tasks.count_by_status()
    pending = room.store.tasks.select([TaskStatus.PENDING], limit=_ROWS)
    unmet = room.store.tasks.unmet([task.id for task in pending])
    values = {
        "team": team_of(room),
        "counts": [(status, counts[status]) for status in TaskStatus],
        "held": [(task, unmet[task.id]) for task in pending if task.id in unmet],
        "lines": room.store.browse.activity(_LINES),
        "titles": Titles(room.store),
        "live": True,
    }
    return page(request, "now.html", values)


@router.post("/agents/{name}/{verb}")
def hold(name: str, verb: Literal["pause", "resume"], room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """Hold an agent back, or let it go on."""
    (programs.pause if verb == "pause" else programs.resume)(name, room, visitor)
    return redirect(form.get("back", "/now"), f"{verb}d")


@router.get("/team")
def team(request: Request, room: TheRoom, _: AViewer) -> Response:
    """Who is on the team, with which model, and how often they succeed."""
    return page(request, "team.html", {"team": team_of(room), "live": True})


@router.get("/activity")
def activity(request: Request, room: TheRoom, _: AViewer) -> Response:
    """The stream, newest first."""
    query = request.query_params
    before = number(query.get("before"))
    found = room.store.browse.activity(
        _ROWS + 1, before, agent=query.get("agent") or None, task_id=query.get("task") or None
    )
    values = {
        "rows": paged(found, _ROWS, number_of),
        "titles": Titles(room.store),
        "agents": [*agent_names(room.settings.agents), "orchestrator", "owner"],
        "live": before is None,
    }
    return page(request, "activity.html", values)


@router.get("/decisions")
def decisions(request: Request, room: TheRoom, _: AViewer) -> Response:
    """What was decided, by whom, and what led to it."""
    before = number(request.query_params.get("before"))
    found = room.store.browse.decisions(_ROWS + 1, before)
    return page(request, "decisions.html", {"rows": paged(found, _ROWS, number_of), "live": before is None})


@router.get("/costs")
def costs(request: Request, room: TheRoom, _: AViewer) -> Response:
    """What was used, by day, agent, model and task, against the limits."""
    days = number(request.query_params.get("days")) or 30
    since = midnight(utc_now() - timedelta(days=min(days, 3650) - 1))
    keys: tuple[UsageKey, ...] = ("day", "agent", "model", "task")
    by = {key: room.history.usage(key, since) for key in keys}
    known = [row.cost_usd for row in by["day"] if row.cost_usd is not None]
    states = room.store.budgets.limit_states(room.settings.budget, agents=agent_names(room.settings.agents))
    values = {
        "by": by,
        "days": str(days),
        "total": sum(row.input_tokens + row.output_tokens for row in by["day"]),
        "calls": sum(row.calls for row in by["day"]),
        "cached": sum(row.cached_calls for row in by["day"]),
        "unpriced": sum(row.unpriced_calls for row in by["day"]),
        "cost": sum(known) if known or not by["day"] else None,
        "limits": [state for state in states if state.scope in ("day", "month") or state.share >= _TOLD_OF_A_LIMIT],
        "titles": Titles(room.store),
        "live": True,
    }
    return page(request, "costs.html", values)


@router.post("/tasks/{task_id}/{verb}")
def act(task_id: str, verb: str, room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """What a button beside a task does: `approve`, `reject`, `cancel` or `retry`, with `note` or `stage`; `why` is for
    the records of a rejection. Words that stand there when it is to be tried again go along."""
    stage, note = form.get("stage", ""), form.get("note", "")
    if verb == "retry" and note.strip() and not stage:
        verb = "approve"
    if stage not in ("", *RetryStage):
        raise NotPossible(f"{stage[:20]!r} is no stage to try again from; there are {', '.join(RetryStage)}")
    if verb == "reject":
        note = note or form.get("why", "")
    do(room, task_id, verb, visitor, note, RetryStage(stage) if stage else None)
    return redirect(form.get("back", "/"), verb)


def redirect(back: str, told: str) -> Response:
    """To a path of ours, whatever a form says, where the page says what was done."""
    path = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}told={told}", 303)


def number(text: str | None) -> int | None:
    """The number of a row or of days in an address. Raises `NotPossible` for what is none."""
    found = row_id_of(text)
    if text and found is None:
        raise NotPossible(f"{text[:40]!r} in the address is no number")
    return found
