"""Deployments, for programs and as a page: what is live where, what became of each, and the buttons."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.access import AnOperator, AViewer, Form
from api.look import page
from api.pages import number, redirect
from api.paging import Before, Limit, Page, RowId, number_of, paged
from api.problems import problems
from api.room import TheRoom
from memory import Deployment
from owner import deploying
from owner.deploying import EnvironmentNow, Requested
from owner.measured import Measured, figures_words, findings, measured

router = APIRouter()
_PROGRAMS = "/api/v1/deployments"
_ROWS = 50


class Wanted(BaseModel):
    """What is to be deployed."""

    environment: str = Field("", max_length=32, description="Empty: that of on_landing, or the only one.")
    commit: str = Field("", max_length=200, description="A commit, branch or tag; empty: the newest landed work.")


class Back(BaseModel):
    """Where to return to."""

    environment: str = Field("", max_length=32, description="Empty: that of on_landing, or the only one.")
    to: RowId | None = Field(None, description="The deployment whose version comes back; null: the one before.")


class Upwards(BaseModel):
    """What is to be promoted."""

    environment: str = Field(max_length=32, description="Where to; it has a promote_from.", examples=["production"])


@router.get(_PROGRAMS, summary="Deployments", tags=["deployments"], responses=problems(401, 403, 422, 503))
def deployments(
    room: TheRoom,
    _: AViewer,
    environment: Annotated[str | None, Query(description="Only of this one.")] = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[Deployment]:
    """The newest first."""
    return paged(deploying.history(room.store, environment, limit + 1, before), limit, number_of)


@router.get(
    f"{_PROGRAMS}/environments", summary="What is live", tags=["deployments"], responses=problems(401, 403, 503)
)
def environments(room: TheRoom, _: AViewer) -> list[EnvironmentNow]:
    """Each environment with what is live in it, as far as is remembered."""
    return deploying.environments_of(room.store, room.settings.deployment)


@router.get(
    f"{_PROGRAMS}/environments/{{name}}/metrics",
    summary="What was measured",
    tags=["deployments"],
    responses=problems(401, 403, 404, 409, 422),
)
def metrics(name: Annotated[str, Path(max_length=32)], room: TheRoom, _: AViewer) -> Measured:
    """What was measured of what is live there, beside the version before, and how they compare."""
    return measured(room.store, room.settings.deployment, name)


@router.get(
    f"{_PROGRAMS}/{{number}}", summary="One deployment", tags=["deployments"], responses=problems(401, 403, 404, 422)
)
def deployment(number: RowId, room: TheRoom, _: AViewer) -> Deployment:
    """All that is remembered of it."""
    return deploying.as_seen(room.store, room.store.deployments.get(number))


@router.post(_PROGRAMS, status_code=202, summary="Deploy", tags=["deployments"], responses=problems(401, 403, 409, 422))
def deploy(wanted: Wanted, room: TheRoom, visitor: AnOperator) -> Requested:
    """A task of the daemon does it; `GET /api/v1/tasks/{id}` tells how it goes."""
    settings = room.settings.deployment
    asked = deploying.deploy(room.store, settings, wanted.environment, wanted.commit, visitor.name)
    room.wake()
    return asked


@router.post(
    f"{_PROGRAMS}/rollback",
    status_code=202,
    summary="Return to an earlier version",
    tags=["deployments"],
    responses=problems(401, 403, 404, 409, 422),
)
def rollback(back: Back, room: TheRoom, visitor: AnOperator) -> Requested:
    """The version that was live before, or that of a deployment."""
    asked = deploying.rollback(room.store, room.settings.deployment, back.environment, back.to, visitor.name)
    room.wake()
    return asked


@router.post(
    f"{_PROGRAMS}/promote",
    status_code=202,
    summary="Promote",
    tags=["deployments"],
    responses=problems(401, 403, 409, 422),
)
def promote(wanted: Upwards, room: TheRoom, visitor: AnOperator) -> Requested:
    """Deploy what is live in the environment before this one."""
    asked = deploying.promote(room.store, room.settings.deployment, wanted.environment, visitor.name)
    room.wake()
    return asked


@router.get("/deployments", include_in_schema=False)
def look(request: Request, room: TheRoom, _: AViewer) -> Response:
    """The page."""
    before = number(request.query_params.get("before"))
    chosen = request.query_params.get("environment") or None
    places = environments(room, _)
    values = {
        "environments": places,
        "measured": {each.name: metrics(each.name, room, _) for each in places},
        "figures": figures_words,
        "findings": lambda number: findings(room.store, number),
        "rows": paged(deploying.history(room.store, chosen, _ROWS + 1, before), _ROWS, number_of),
        "live": before is None,
    }
    return page(request, "deployments.html", values)


@router.post("/deployments/{verb}", include_in_schema=False)
def press(verb: Literal["deploy", "rollback", "promote"], room: TheRoom, visitor: AnOperator, form: Form) -> Response:
    """What the buttons do."""
    environment = form.get("environment", "")
    if verb == "deploy":
        deploy(Wanted(environment=environment[:32]), room, visitor)
    elif verb == "rollback":
        rollback(Back(environment=environment[:32]), room, visitor)
    else:
        promote(Upwards(environment=environment[:32]), room, visitor)
    return redirect("/deployments", "deploy")
