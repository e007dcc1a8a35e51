"""The web server: uvicorn in a thread of the daemon's process. It never stops the daemon, whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import uvicorn

from api.app import make_app
from api.live import Hub
from api.room import Room
from api.team import models_of, roles_of
from config import ProjectPaths, Settings
from memory import MemoryStore
from monitoring import get_logger
from owner.way_in import announce, take_back

log = get_logger(__name__)

_BUSY_SECONDS = 5.0
"""Seconds that a request waits for a lock of the database; then the client is told to try again."""
_STOP_SECONDS, _TICK = 3, 1.0
_UNREAD_MS = 30_000
"""Milliseconds after which the kernel gives up a connection that takes nothing (TCP_USER_TIMEOUT, tcp(7))."""
_UNREAD_BYTES = 128 * 1024
"""What the kernel keeps for a connection that takes nothing; left to itself it would keep megabytes."""
_MOST_CONNECTIONS = 1500
_MOST_MESSAGE = 16 * 1024


class _Server(uvicorn.Server):
    """Uvicorn, which looks once a second whether it is to end, and not ten times: an idle daemon sleeps."""

    async def main_loop(self) -> None:
        """Until `should_exit`."""
        while not await self.on_tick(0):
            await asyncio.sleep(_TICK)


class ControlRoom:
    """The control room of one project, open from its making until `close`."""

    def __init__(
        self,
        settings: Settings,
        paths: ProjectPaths,
        *,
        wake: Callable[[], None] = lambda: None,
        running: Callable[[], Collection[str]] = lambda: (),
        config: Path = Path("config.yaml"),
        poke_forge: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises OSError when it cannot listen at `api.host` and `api.port`."""
        for name in ("uvicorn.error", "uvicorn.access"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._listener, self._state = _listening(settings.api.host, settings.api.port), paths.state
        self._store = MemoryStore(paths.database_url, busy_seconds=_BUSY_SECONDS)
        self.hub = Hub(self._store)
        host, port = self._listener.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
        self.address = settings.api.public_url.rstrip("/") or f"http://{shown}:{port}"
        """Where a browser finds it."""
        roles, models = roles_of(settings), models_of(settings)
        room = Room(settings, paths, self._store, wake, running, self.hub, roles, models, config, poke_forge)
        server = uvicorn.Config(
            make_app(room), http="h11", ws="websockets-sansio", lifespan="on", log_config=None, access_log=False,
            server_header=False, proxy_headers=bool(settings.api.public_url), timeout_keep_alive=30,
            limit_concurrency=_MOST_CONNECTIONS, timeout_graceful_shutdown=_STOP_SECONDS, ws_max_size=_MOST_MESSAGE,
        )  # fmt: skip
        self._server = _Server(server)
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)
        self._thread.start()
        announce(self._state, self.address)

    def close(self) -> None:
        """End all requests and streams; those that do not end in time are cut off."""
        take_back(self._state)
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS + 2)
        with suppress(OSError):
            self._listener.close()
        self._store.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        except (Exception, SystemExit):  # it says so, and the daemon goes on without it
            log.exception("the control room is closed")


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
        listener.bind(place)
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
