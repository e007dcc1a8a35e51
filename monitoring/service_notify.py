"""What systemd is told of the daemon: that it is ready, that it is alive, what it does, that it ends.

The protocol is that of sd_notify(3): lines `NAME=value` in one datagram to a Unix socket. Where nobody listens, because
something else started the daemon, nothing is sent.
"""

from __future__ import annotations

import faulthandler
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager

from monitoring.logs import get_logger
from monitoring.redaction import redact

log = get_logger(__name__)

_SEND_SECONDS = 2.0
_START_PATIENCE = 900.0
"""Seconds a long step of the start may take without visible progress, such as checking 48 GB that were downloaded; as
long as TimeoutStartSec in the unit."""
_LOOK = 20.0
"""Seconds between two looks at the progress of such a step."""


class Supervisor:
    """systemd, if it started this process and wants to hear of it; else nobody, and each call does nothing.

    The variables that name its socket are taken out of `environ`: nothing that the daemon starts may speak for it.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        seconds = int(environ.pop("WATCHDOG_USEC", "") or 0) / 1e6
        about = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        self._beat_pause = seconds / 4 if self._address and about == str(os.getpid()) else 0.0
        self._loop: int | None = None
        self._last_beat, self._told, self._heard = 0.0, "", True
        if self._beat_pause:
            faulthandler.enable()  # the watchdog ends the process by SIGABRT: where it stood is then in the journal

    def ready(self) -> None:
        """The start is over. From now on this thread, the main loop's, has to give a sign of life with `beat`."""
        self._loop = threading.get_ident()
        self._send("READY=1")
        self.beat()

    def beat(self) -> None:
        """The main loop is alive; call it as often as you like. Calls from other threads count for nothing."""
        now = time.monotonic()
        if self._beat_pause and threading.get_ident() == self._loop and now - self._last_beat >= self._beat_pause:
            self._last_beat = now
            self._send("WATCHDOG=1")

    def rest(self, event: threading.Event, seconds: float) -> bool:
        """`event.wait(seconds)`, with signs of life meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if event.wait(min(left, self._beat_pause or left)):
                return True
            self.beat()
        return event.is_set()

    def says(self, status: str) -> None:
        """One line for `systemctl status`: what the daemon does."""
        status = " ".join(redact(status).split())
        if status != self._told:
            self._told = status
            self._send(f"STATUS={status}")

    def stopping(self, seconds: float) -> None:
        """The end has begun and may take that long."""
        self._send(f"STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    @contextmanager
    def long_start(self, progress: Callable[[], int], status: str) -> Iterator[None]:
        """A step of the start that may take hours: it gets more time for as long as `progress` gives new numbers."""
        ended = threading.Event()

        def watch() -> None:
            seen = None
            while True:
                if (now := progress()) != seen:
                    seen = now
                    self._send(f"EXTEND_TIMEOUT_USEC={int(_START_PATIENCE * 1e6)}")
                if ended.wait(_LOOK):
                    return

        self.says(status)
        watcher = threading.Thread(target=watch, name="start", daemon=True)
        if self._address:
            watcher.start()
        try:
            yield
        finally:
            ended.set()

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is an abstract one, which has no file.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto(message.encode(), address)
            self._heard = True
        except OSError as problem:
            if self._heard:
                log.warning("systemd cannot be told how the daemon is", socket=self._address, problem=str(problem))
            self._heard = False
