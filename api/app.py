"""The application, put together: what is asked first, who answers what, how errors look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.types import Lifespan

from api import (
    deployments,
    forge,
    health,
    metrics,
    pages,
    pages_agent,
    pages_oidc,
    pages_people,
    pages_project,
    pages_task,
    people,
    reading,
    settings,
    streams,
    tasks,
)
from api.access import Doorkeeper
from api.guard import Guard
from api.metrics import Figures
from api.problems import handle_errors
from api.room import Room
from config import VERSION

_THREADS = 12
"""Requests that are worked on at a time; a slow database then makes others wait and takes nothing else."""
STATIC = Path(__file__).with_name("static")


def make_app(room: Room) -> FastAPI:
    """The application of one project."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        room.hub.open()
        yield
        room.hub.close()

    app = _with_routes(life)
    app.state.room, app.state.doorkeeper, app.state.figures = room, Doorkeeper(), Figures(room)
    handle_errors(app)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(Guard, settings=room.settings.api)
    return app


def openapi_document() -> dict[str, Any]:
    """What `/api/v1/openapi.json` says, without a project."""
    return _with_routes().openapi()


def _with_routes(life: Lifespan[FastAPI] | None = None) -> FastAPI:
    app = FastAPI(
        title="AI Agents", version=VERSION, lifespan=life, openapi_url="/api/v1/openapi.json", docs_url=None,
        redoc_url=None, description="The control room of an autonomous software team. Errors are problem details "
        "(RFC 9457). Lists come in pages: pass `next` of one as `before` of the following request.",
    )  # fmt: skip
    for part in (
        health,
        metrics,
        tasks,
        reading,
        settings,
        people,
        deployments,
        forge,
        streams,
        pages_agent,
        pages_task,
        pages_project,
        pages_people,
        pages_oidc,
        pages,
    ):
        app.include_router(part.router)
    return app
