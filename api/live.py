"""What happens, as it happens: server-sent events and a WebSocket over one reader of the journal.

A thread reads the journal, and only while somebody listens. It is woken by what this process writes, and looks six
times a second for what others write. Each listener has a queue of its own; one that does not keep up is dropped with a
reason, so that it never holds up the others, and goes on from the last id it saw when it comes again.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from memory import Activity, MemoryStore, MemoryStoreError, utc_now
from monitoring import get_logger
from monitoring.errors import KnownError
from owner.sentences import sentence
from owner.stream import Titles

log = get_logger(__name__)

MOST_LISTENERS = 1000
_POLL, _GATHER = 0.15, 0.01
"""Seconds between two looks while somebody listens; and seconds in which what comes together is gathered."""
_BACKLOG, _BATCH = 500, 200
"""Lines that one listener may be behind, which are also read at once of what it missed; that one look reads."""
SEND_SECONDS = 10.0
"""That one send may take."""
_BEAT, _LOOK_AGAIN = 15.0, 60.0
"""Seconds until a silent stream shows that it lives; between two checks of the session."""


@dataclass(frozen=True)
class Event:
    """One line of the journal, as it is sent to everybody."""

    id: int
    text: str
    """JSON: the line, its sentence, and the title of its task."""

    @cached_property
    def as_sent(self) -> bytes:
        """As a server-sent event."""
        return f"id: {self.id}\nevent: activity\ndata: {self.text}\n\n".encode()

    @classmethod
    def of(cls, activity: Activity, title: str) -> Event:
        """The event of a line."""
        values = activity.model_dump(mode="json") | {"title": title, "sentence": sentence(activity, title)}
        return cls(activity.id, json.dumps(values, ensure_ascii=False))


@dataclass(frozen=True)
class Wanted:
    """Which events a listener wants; None: it does not matter."""

    task: str | None = None
    agent: str | None = None

    def fits(self, line: Activity) -> bool:
        """Whether it is one of them."""
        return self.task in (None, line.task_id) and self.agent in (None, line.agent_name)


class Listener:
    """One stream. All of it but `wants` runs in the event loop."""

    def __init__(self, wanted: list[Wanted]) -> None:
        self.wanted = wanted
        self.ended = ""
        """Why it gets no more; empty as long as it does."""
        self._events: list[Event] = []
        self._news = asyncio.Event()

    def wants(self, line: Activity) -> bool:
        """Whether it is told of this line."""
        return not self.ended and any(each.fits(line) for each in self.wanted)

    def offer(self, line: Activity, event: Event) -> None:
        """Give it the event of a line, if it wants that."""
        if not self.wants(line):
            return
        if len(self._events) < _BACKLOG:
            self._events.append(event)
            self._news.set()
        else:
            self.end(f"too slow: {_BACKLOG} events wait to be read; come again with the last id")

    def end(self, reason: str) -> None:
        """Let it end; what waits is not sent any more, it can be asked for again."""
        self.ended = self.ended or reason
        self._events.clear()
        self._news.set()

    async def next(self, seconds: float) -> list[Event]:
        """The events that have come, all together, since each sending costs; none when none came in time, or it has
        ended."""
        if not self._events and not self.ended:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        found, self._events = self._events, []
        return found


class Hub:
    """All listeners, and the one reader."""

    def __init__(self, store: MemoryStore) -> None:
        self._store, self._titles = store, Titles(store)
        self._listeners: set[Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poke, self._heard, self._stopped = threading.Event(), threading.Event(), threading.Event()
        self._last = 0
        self.lag = 0.0
        """Seconds that the oldest of the lines read last had waited by then."""

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return sum(not listener.ended for listener in self._listeners)

    def open(self) -> None:
        """Begin, in the event loop's thread."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="api-events", daemon=True).start()

    def close(self) -> None:
        """End all streams, in the event loop's thread."""
        self._stopped.set()
        self._heard.set()
        self._poke.set()
        for listener in list(self._listeners):
            listener.end("the daemon stops")

    def poke(self) -> None:
        """Something was written; from any thread."""
        if self._listeners:
            self._poke.set()

    async def join(self, wanted: list[Wanted]) -> Listener | None:
        """A new listener, which gets what is written from now on; None when there are too many."""
        if len(self._listeners) >= MOST_LISTENERS or self._stopped.is_set():
            return None
        if not self._listeners:
            latest = await run_sync(self._store.journal.latest, 1)
            if not self._listeners:  # another one may have come meanwhile
                self._last = latest[-1].id if latest else 0
        listener = Listener(wanted)
        self._listeners.add(listener)
        self._heard.set()
        return listener

    def leave(self, listener: Listener) -> None:
        """It is gone."""
        self._listeners.discard(listener)
        if not self._listeners and not self._stopped.is_set():
            self._heard.clear()

    async def missed(self, after: int, wanted: list[Wanted]) -> tuple[list[Event], int | None]:
        """What a listener missed since the line `after`, some of it at a time, and behind which line it goes on (None:
        that was all). Whoever joins before asks loses nothing."""
        task = wanted[0].task if len(wanted) == 1 else None

        def read() -> tuple[list[Event], int | None]:
            lines = self._store.journal.activity(after, task_id=task, limit=_BACKLOG)
            found = [line for line in lines if any(each.fits(line) for each in wanted)]
            events = [Event.of(line, self._titles[line.task_id]) for line in found]
            return events, lines[-1].id if len(lines) == _BACKLOG else None

        return await run_sync(read)

    def _read(self) -> None:
        while not self._stopped.is_set():
            self._heard.wait()
            if self._poke.wait(_POLL):
                time.sleep(_GATHER)
                self._poke.clear()
            if self._stopped.is_set() or not self._listeners:
                continue
            try:
                lines, listeners = self._store.journal.activity(self._last, limit=_BATCH), list(self._listeners)
                wanted = [line for line in lines if any(each.wants(line) for each in listeners)]
                events = [(line, Event.of(line, self._titles[line.task_id])) for line in wanted]
            except MemoryStoreError as problem:  # a listener misses nothing: the next look begins where this one did
                log.warning("cannot follow the activity", problem=str(problem))
                self._stopped.wait(1)
                continue
            if lines and self._loop is not None:
                self._last = lines[-1].id
                self.lag = max((utc_now() - lines[0].timestamp).total_seconds(), 0.0)
                if len(lines) == _BATCH:
                    self._poke.set()
                self._loop.call_soon_threadsafe(self._hand_out, events)

    def _hand_out(self, events: list[tuple[Activity, Event]]) -> None:
        for listener in list(self._listeners):
            for line, event in events:
                listener.offer(line, event)


class EventStream(Response):
    """The answer that does not end: `text/event-stream`, as https://html.spec.whatwg.org/multipage/server-sent-events.html
    has it. A client that does not read loses its place after ten seconds, not the daemon its patience."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, listener: Listener, after: int | None, still_in: Callable[[], object]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub, self._listener, self._after, self._still_in = hub, listener, after, still_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io."""

        async def write(body: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send({"type": "http.response.body", "body": body, "more_body": more})

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self._listener.end("gone")

        watcher = asyncio.create_task(until_gone())
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await write(b"retry: 2000\n: the stream begins\n\n")

            async def tell(events: list[Event]) -> None:
                await write(b"".join(event.as_sent for event in events))

            reason = await follow(
                self._hub, self._listener, self._after, tell, lambda: write(b": \n\n"), self._still_in
            )
            if reason != "gone":
                told = f"event: dropped\ndata: {json.dumps({'reason': reason})}\n\n"
                await write(told.encode(), more=False)
        except TimeoutError:
            log.info("a listener was dropped", reason="it did not read")
        finally:
            watcher.cancel()
            self._hub.leave(self._listener)


async def follow(
    hub: Hub,
    listener: Listener,
    after: int | None,
    tell: Callable[[list[Event]], Awaitable[None]],
    beat: Callable[[], Awaitable[None]],
    still_in: Callable[[], object],
) -> str:
    """Tell a listener what it missed and then what happens, each line once and in order, until it ends; gives why.

    `still_in` raises when its session or key is no longer good.
    """
    last = after if after is not None else 0
    while after is not None and not listener.ended:
        missed, after = await hub.missed(after, listener.wanted)
        if missed:
            await tell(missed)
            last = missed[-1].id
    looked = time.monotonic()
    while not listener.ended:
        following = await listener.next(_BEAT)
        if new := [event for event in following if event.id > last]:
            await tell(new)
            last = new[-1].id
        elif not following and not listener.ended:
            await beat()
        if time.monotonic() - looked > _LOOK_AGAIN:
            looked = time.monotonic()
            try:
                await run_sync(still_in)
            except KnownError:
                log.info("a listener was dropped", reason="signed out")
                return "signed out"
    return listener.ended
