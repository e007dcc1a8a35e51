"""Whether it works, for whoever watches: without a sign-in, and without a word about the project."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.problems import problems
from api.room import TheRoom

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """It works; what does not is a problem."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> Health:
    """Answered by the event loop itself, whatever the database does."""
    return Health()


@router.get("/readyz", summary="Can it answer", responses=problems(503))
def readyz(room: TheRoom) -> Health:
    """The database has been asked."""
    room.store.audit.head()
    return Health()
