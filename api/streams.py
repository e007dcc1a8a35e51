"""The two ways to listen: `GET /api/v1/events` for browsers and programs, and a WebSocket with subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, ValidationError

from api.access import AViewer, check_origin, visitor_of
from api.errors import NotAllowed, TooMany
from api.live import SEND_SECONDS, Event, EventStream, Listener, Wanted, follow
from api.paging import RowId, row_id_of
from api.problems import problems
from api.room import Room, TheRoom
from memory import Role
from monitoring.errors import KnownError

router = APIRouter(prefix="/api/v1")

_MOST_SUBSCRIPTIONS = 100


class Subscription(BaseModel):
    """A message of a client of the WebSocket: which events it wants from now on, or no longer."""

    model_config = ConfigDict(extra="forbid")

    do: Literal["subscribe", "unsubscribe"]
    task: str | None = None
    agent: str | None = None


@router.get(
    "/events",
    summary="What happens, as it happens",
    response_class=Response,
    responses=problems(401, 403, 422, 429)
    | {
        200: {"content": {"text/event-stream": {"example": 'id: 7\nevent: activity\ndata: {"id": 7, "agent_name": …}'}}}
    },
    tags=["activity"],
)
async def events(
    request: Request,
    room: TheRoom,
    _: AViewer,
    task: Annotated[str | None, Query(description="Only about this task.")] = None,
    agent: Annotated[str | None, Query(description="Only of this agent.")] = None,
    after: Annotated[RowId | None, Query(description="Begin behind this line.")] = None,
    last_event_id: Annotated[str | None, Header(description="The same, as browsers say it.")] = None,
) -> Response:
    """Server-sent events: each is a line of the activity stream, with its id. Send the last one you saw as
    Last-Event-ID and nothing is lost. `event: dropped` says why the stream ends."""
    wanted = [Wanted(task, agent)]
    listener = await room.hub.join(wanted)
    if listener is None:
        raise TooMany("too many listen already; close some, or try again", 5)
    seen = row_id_of(last_event_id)
    return EventStream(room.hub, listener, after if seen is None else seen, lambda: visitor_of(room, request))


@router.websocket("/live")
async def live(socket: WebSocket, room: TheRoom) -> None:
    """Events by subscription. Send {"do": "subscribe", "task": …, "agent": …}: leave both out for all. `?after=ID`
    begins behind a line. You get {"event": …}, {"beat": true}, {"subscribed": …} and {"problem": …}."""
    try:
        check_origin(socket)
        visitor = await run_sync(visitor_of, room, socket)
        if not visitor.may(Role.VIEWER):
            raise NotAllowed("this key may not look")
    except KnownError as problem:
        return await socket.close(1008, str(problem)[:120])
    begins = row_id_of(socket.query_params.get("after"))
    listener = await room.hub.join([])
    if listener is None:
        return await socket.close(1013, "too many listen already")
    await socket.accept()
    first = asyncio.Event()
    reader = asyncio.create_task(_subscriptions(socket, room, listener, first))
    try:
        await first.wait()
        reason = await _follow(socket, room, listener, begins)
        if reason != "gone":
            await _send(socket.close(1013 if reason.startswith("too slow") else 1001, reason[:120]))
    except (WebSocketDisconnect, TimeoutError, RuntimeError):  # it is gone, or does not read
        pass
    finally:
        reader.cancel()
        room.hub.leave(listener)


async def _follow(socket: WebSocket, room: Room, listener: Listener, after: int | None) -> str:
    async def tell(events: list[Event]) -> None:
        for event in events:
            await _send(socket.send_text(f'{{"event": {event.text}}}'))

    async def beat() -> None:
        await _send(socket.send_text('{"beat": true}'))

    return await follow(room.hub, listener, after, tell, beat, lambda: visitor_of(room, socket))


async def _subscriptions(socket: WebSocket, room: Room, listener: Listener, first: asyncio.Event) -> None:
    """Take the client's messages until it is gone. The first subscription begins the stream."""
    try:
        while True:
            try:
                said = Subscription.model_validate_json(await socket.receive_text())
            except (ValidationError, KeyError) as problem:
                told = problem.errors()[0]["msg"] if isinstance(problem, ValidationError) else "send text"
                await _send(socket.send_json({"problem": told}))
                continue
            wanted = Wanted(said.task, said.agent)
            if said.do == "unsubscribe":
                listener.wanted = [each for each in listener.wanted if each != wanted]
            elif len(listener.wanted) >= _MOST_SUBSCRIPTIONS:
                await _send(socket.send_json({"problem": f"at most {_MOST_SUBSCRIPTIONS} subscriptions"}))
                continue
            elif wanted not in listener.wanted:
                listener.wanted = [*listener.wanted, wanted]
            await _send(socket.send_json({said.do + "d": {"task": said.task, "agent": said.agent}}))
            first.set()
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        listener.end("gone")
        first.set()


async def _send(sending: Awaitable[None]) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await sending
