"""The forge, for programs: what is known of it, a look at once, and its webhooks."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.access import AnOperator, AViewer
from api.errors import NotThere, SignInNeeded
from api.pages import redirect
from api.problems import problems
from api.room import Room, TheRoom
from forge import is_signed
from owner.forge_runner import ForgeNow, forge_now

router = APIRouter()
_PROGRAMS = "/api/v1/forge"


class Heard(BaseModel):
    """The daemon looks at the forge soon."""

    status: Literal["heard"] = "heard"


@router.get(_PROGRAMS, summary="The forge", tags=["forge"], responses=problems(401, 403, 503))
def forge(room: TheRoom, _: AViewer) -> ForgeNow:
    """What is remembered: issues with their tasks, requests, and how the last look at it went."""
    return forge_now(room.store, room.settings)


@router.post(
    f"{_PROGRAMS}/sync", status_code=202, summary="Look at it now", tags=["forge"], responses=problems(401, 403, 404)
)
def look_at_forge(room: TheRoom, _: AnOperator) -> Heard:
    """The daemon looks within a second or two; what it found is in `GET /api/v1/forge`."""
    _must_have(room)
    room.poke_forge()
    return Heard()


@router.post(f"{_PROGRAMS}/webhook", status_code=202, include_in_schema=False)
async def webhook(request: Request, room: TheRoom) -> Heard:
    """Signed with forge.webhook_secret. What it says is not read: the daemon looks at the forge, as it does anyway."""
    chosen = room.settings.forge
    if not chosen.provider or chosen.webhook_secret is None:
        raise NotThere("webhooks are taken where forge.webhook_secret is set")
    body = await request.body()
    if not is_signed(chosen.provider, chosen.webhook_secret.get_secret_value(), request.headers, body):
        raise SignInNeeded("this webhook is not signed with forge.webhook_secret")
    room.poke_forge()
    return Heard()


@router.post("/forge/sync", include_in_schema=False)
def press(room: TheRoom, _: AnOperator) -> Response:
    """What the button does."""
    _must_have(room)
    room.poke_forge()
    return redirect("/repository", "forge")


def _must_have(room: Room) -> None:
    if not room.settings.forge.provider:
        raise NotThere("no forge is set; see docs/FORGE.md")
