"""A client of the control room's API, typed, for programs that wait and for programs that do not.

    from ai_agents_client import Client, models

    with Client("http://127.0.0.1:8137", key="aak_…") as client:
        task = client.add_task(models.NewTask(title="Add add", description="`add(1, 2)` returns `3`.")).task
        for event in client.events(task=task.id):
            print(event.sentence)

It needs httpx2 and pydantic, and nothing of the daemon.
"""

from ai_agents_client import models
from ai_agents_client.client import AsyncClient, Client, Event
from ai_agents_client.errors import (
    ApiProblem,
    ClientError,
    Conflict,
    Dropped,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooMany,
    Unavailable,
)

__all__ = [
    "ApiProblem",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "Dropped",
    "Event",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "NotSignedIn",
    "TooMany",
    "Unavailable",
    "models",
]
