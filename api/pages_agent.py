"""The page of an agent: what you and it have said, with a field for your words; and the whole team's rest."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import reading as programs
from api.access import AnOperator, AViewer, Form
from api.look import page
from api.pages import redirect
from api.room import TheRoom
from owner import talk
from owner.actions import MOST_NOTE
from owner.errors import NotPossible

router = APIRouter(include_in_schema=False)

_SHOWN = 50


@router.get("/team/{name}")
def agent(name: str, request: Request, room: TheRoom, visitor: AViewer) -> Response:
    """One agent, and the thread between it and its owner, the latest first."""
    values = {
        "agent": programs.agent(name, room, visitor),
        "thread": talk.thread_of(room.store, name, _SHOWN)[::-1],
        "most": MOST_NOTE,
    }
    return page(request, "agent.html", values)


@router.post("/team/{name}/tell")
def tell(name: str, room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """Your words to an agent."""
    text = form.get("text", "").strip()
    if not text:
        raise NotPossible("there is nothing to tell: the field is empty")
    programs.tell(name, programs.Words(text=text[: MOST_NOTE + 1]), room, visitor)
    return redirect(f"/team/{name}", "said")


@router.post("/rest/{verb}")
def rest(verb: str, room: TheRoom, visitor: AnOperator) -> Response:
    """Hold everybody back, or let them go on."""
    (programs.resume_all if verb == "resume" else programs.pause_all)(room, visitor)
    return redirect("/team", "resumed" if verb == "resume" else "paused")
