"""The two clients: `Client` waits for its answers, `AsyncClient` is awaited. Both follow events without losing one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from ai_agents_client.calls import AsyncCalls, Calls
from ai_agents_client.errors import Dropped, TooMany, Unavailable, problem_of
from ai_agents_client.models import Line, Page
from ai_agents_client.sending import SECONDS, Request

Item = TypeVar("Item")

_SILENT_SECONDS = 45.0
"""A stream says something every 15 seconds; one that says nothing for so long is gone."""
_AGAIN_SECONDS = 2.0
_ENDS = ("signed out",)
"""Reasons for which a stream ends that coming again does not mend."""


class Event(Line):
    """Something that happened: a line of the activity stream."""

    title: str
    """Of its task; empty where it has none."""


class Client(Calls):
    """The API of one daemon. Threads may share it."""

    def __init__(self, url: str, key: str = "", *, seconds: float = SECONDS) -> None:
        """`key`: a key of the control room, `aak_…`. `seconds`: for one answer, at most."""
        self._http = httpx2.Client(base_url=url, headers=_headers(key), timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def every(self, method: Callable[..., Page[Item]], *given: Any, **named: Any) -> Iterator[Item]:
        """All rows of a list that comes in pages: `client.every(client.tasks, status=[TaskStatus.BLOCKED])`."""
        page = method(*given, **named)
        yield from page.items
        while page.next is not None:
            page = method(*given, **{**named, "before": page.next})
            yield from page.items

    def events(
        self, *, task: str | None = None, agent: str | None = None, after: int | None = None, patience: float = 60.0
    ) -> Generator[Event, None, None]:
        """What happens, as it happens, without end, each line once. `after`: begin behind the line of this id; None:
        from now on. When the connection ends it comes again behind the last line; after `patience` seconds without
        success what hinders it is raised: `httpx2.TransportError`, or an `ApiProblem`."""
        place = _Place(task, agent, self._latest() if after is None else after, patience)
        while True:
            try:
                with self._http.stream("GET", "/api/v1/events", params=place.query, timeout=_SILENT_SECONDS) as stream:
                    if not stream.is_success:
                        stream.read()
                        raise problem_of(stream)
                    for said in httpx2.EventSource(stream):
                        if event := place.take(said):
                            yield event
            except (httpx2.TransportError, TooMany, Unavailable) as problem:
                place.hindered(problem)
            time.sleep(_AGAIN_SECONDS)

    def _latest(self) -> int:
        return _last_of(self.activity(limit=1))

    def _send(self, request: Request) -> httpx2.Response:
        return self._http.request(request.verb, request.path, params=request.query, json=request.body)


class AsyncClient(AsyncCalls):
    """The same, to be awaited."""

    def __init__(self, url: str, key: str = "", *, seconds: float = SECONDS) -> None:
        """As of `Client`."""
        self._http = httpx2.AsyncClient(base_url=url, headers=_headers(key), timeout=seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def every(
        self, method: Callable[..., Awaitable[Page[Item]]], *given: Any, **named: Any
    ) -> AsyncIterator[Item]:
        """As of `Client`."""
        page = await method(*given, **named)
        for item in page.items:
            yield item
        while page.next is not None:
            page = await method(*given, **{**named, "before": page.next})
            for item in page.items:
                yield item

    async def events(
        self, *, task: str | None = None, agent: str | None = None, after: int | None = None, patience: float = 60.0
    ) -> AsyncGenerator[Event, None]:
        """As of `Client`."""
        place = _Place(task, agent, await self._latest() if after is None else after, patience)
        while True:
            try:
                async with self._http.stream(
                    "GET", "/api/v1/events", params=place.query, timeout=_SILENT_SECONDS
                ) as stream:
                    if not stream.is_success:
                        await stream.aread()
                        raise problem_of(stream)
                    async for said in httpx2.EventSource(stream):
                        if event := place.take(said):
                            yield event
            except (httpx2.TransportError, TooMany, Unavailable) as problem:
                place.hindered(problem)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _latest(self) -> int:
        return _last_of(await self.activity(limit=1))

    async def _send(self, request: Request) -> httpx2.Response:
        return await self._http.request(request.verb, request.path, params=request.query, json=request.body)


class _Place:
    """Where a stream of events is, and for how long it has not got on."""

    def __init__(self, task: str | None, agent: str | None, after: int, patience: float) -> None:
        self._wanted = {name: value for name, value in (("task", task), ("agent", agent)) if value is not None}
        self._last, self._patience, self._hindered = after, patience, 0.0

    @property
    def query(self) -> dict[str, str | int]:
        """Of the request that goes on from here."""
        return {**self._wanted, "after": self._last}

    def take(self, said: httpx2.ServerSentEvent) -> Event | None:
        """The event that was said, if it is one. Raises `Dropped`."""
        self._hindered = 0.0
        if said.event == "dropped" and any(reason in said.data for reason in _ENDS):
            raise Dropped(f"the stream of events ended: {said.data}")
        if said.event != "activity":
            return None
        event = Event.model_validate_json(said.data)
        self._last = event.id
        return event

    def hindered(self, problem: Exception) -> None:
        """It could not go on; raises `problem` when it has not for too long."""
        now = time.monotonic()
        self._hindered = self._hindered or now
        if now - self._hindered >= self._patience:
            raise problem


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _last_of(page: Page[Line]) -> int:
    return page.items[0].id if page.items else 0
