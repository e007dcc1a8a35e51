"""The pages. Each handler gathers facts and hands them to a template; what a button does goes through `owner.actions`.

A form is sent by htmx or, without scripts, as it is: then the answer is a redirect to the page, with what came of it.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api.access import AnOperator, AViewer, Form, begin_session, end_session
from api.errors import NotThere, WrongSecret
from api.look import page
from api.room import TheRoom
from owner import actions
from owner.inbox import inbox_of
from owner.stream import Clock

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The way in: a script sends what stands behind the # of a link, and a person a name and a password."""
    return page(request, "sign_in.html", {"problem": ""})


@router.post("/sign-in")
def sign_in(request: Request, room: TheRoom, form: Form) -> Response:
    """By a link (`token`), or by `name` and `password`."""
    address = request.client.host if request.client else ""
    doorkeeper = request.app.state.doorkeeper
    try:
        if token := form.get("token", ""):
            person = doorkeeper.follow_link(room, token, address)
        else:
            person = doorkeeper.sign_in(room, form.get("name", ""), form.get("password", ""), address)
    except WrongSecret as problem:
        return page(request, "sign_in.html", {"problem": str(problem)}, status=problem.status)
    answer = RedirectResponse("/", 303)
    begin_session(room, person, answer, secure=request.url.scheme == "https")
    actions.record(room.store, "signed in", person.name, address=address)
    return answer


@router.post("/sign-out")
def sign_out(room: TheRoom, visitor: AViewer) -> Response:
    """End this session."""
    answer = RedirectResponse("/sign-in", 303)
    end_session(room, visitor, answer)
    return answer


@router.get("/")
def inbox(request: Request, room: TheRoom, _: AViewer) -> Response:
    """Everything that waits for the owner. A script asks for `?part=list` when something has happened."""
    values = {"inbox": inbox_of(room.store, room.settings.budget), "clock": Clock(room.store, runs=True)}
    part = request.query_params.get("part") == "list"
    return page(request, "_inbox_list.html" if part else "inbox.html", values)


@router.post("/tasks/{task_id}/{verb}")
def act(task_id: str, verb: str, room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """What a button beside a task does: `approve`, `reject`, `retry` or `cancel`, with the `note` of its form."""
    task, note = room.store.tasks.get(task_id), form.get("note", "")
    match verb:
        case "approve":
            actions.approve(room.store, task, note, visitor.name)
        case "reject":
            actions.reject(room.store, task, note, visitor.name)
        case "retry":
            actions.retry(room.store, task, visitor.name)
        case "cancel":
            actions.cancel(room.store, task, visitor.name)
        case _:
            raise NotThere(f"a task cannot be {verb!r}")
    room.wake()
    return RedirectResponse(_back(form.get("back", "/")), 303)


def _back(path: str) -> str:
    """A path of ours, whatever a form says."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
