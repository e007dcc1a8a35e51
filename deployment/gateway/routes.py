"""Where services call each other, so that the calls are seen: who called whom, how it went, and how long it took.

A worker calls `env.GATEWAY.fetch("http://stock/…")` for the service `stock`, and
`env.GATEWAY.fetch("http://stock/.objects/Book/moby-dick/…")` for its object `Book` of that name. workerd measures no
durations by itself; they are measured here. A call during a switch waits until the new version takes it.
"""

from __future__ import annotations

import http.client
import http.server
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment.gateway.files import Trouble, listening
from deployment.gateway.probe import UnixConnection

CALLER = "X-Gateway-From"
"""The header in which workerd, not the worker, says whose call it is."""
_OBJECTS = "/.objects/"
_SECONDS = 60.0
_MOST_BODY = 32 * 1024 * 1024
_MOST_CALLS = 10_000
_PART = 65_536
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection", "host"}


class Calls:
    """The newest calls, and sums of all."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._newest: deque[dict[str, Any]] = deque(maxlen=_MOST_CALLS)

    def add(self, **call: Any) -> None:
        """Remember one."""
        with self._guard:
            self._newest.append(call)

    def seen(self, limit: int) -> dict[str, Any]:
        """For each pair how many, how many of them failed, and how long they took; and the newest."""
        with self._guard:
            calls = list(self._newest)
        pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for each in calls:
            pairs.setdefault((each["from"], each["to"]), []).append(each)
        sums = []
        for (caller, called), found in sorted(pairs.items()):
            took = sorted(each["ms"] for each in found)
            bad = sum(each["status"] >= 500 for each in found)
            p50, p95 = took[len(took) // 2], took[min(len(took) - 1, len(took) * 95 // 100)]
            sums.append(
                {"from": caller, "to": called, "calls": len(found), "failed": bad, "p50_ms": p50, "p95_ms": p95}
            )
        return {"pairs": sums, "newest": calls[-limit:] if limit else []}


Find = Callable[[str], tuple[str, Path]]
"""The address at which a service listens, and the socket of its objects. Raises `Trouble`."""


class Routes(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The server of the calls."""

    daemon_threads = True

    def __init__(self, path: Path, find: Find, calls: Calls) -> None:
        super().__init__(str(path), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening(path)
        self.find, self.calls = find, calls


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Routes

    def address_string(self) -> str:
        return "a service"

    def log_message(self, *_: object) -> None:
        """Calls are counted instead."""

    def _carry(self) -> None:
        begun, called = time.monotonic(), self.headers.get("Host", "").partition(":")[0]
        status = 502
        try:
            called, status = self._carried(called)
        except Trouble as problem:
            self._say(502, problem.text)
        except (OSError, http.client.HTTPException) as problem:
            self._say(502, f"{called} does not answer: {problem or type(problem).__name__}")
        finally:
            took = round(1000 * (time.monotonic() - begun), 2)
            self.server.calls.add(
                at=round(time.time(), 3), to=called, method=self.command, path=self.path[:200], status=status, ms=took,
                **{"from": self.headers.get(CALLER, "?")},
            )  # fmt: skip

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _carry

    def _carried(self, called: str) -> tuple[str, int]:
        body = self._body()
        address, private = self.server.find(called)
        path = self.path
        connection: http.client.HTTPConnection
        if path.startswith(_OBJECTS):
            called = f"{called} {path.removeprefix(_OBJECTS).partition('/')[0]}"
            path, connection = f"/name/{path.removeprefix(_OBJECTS)}", UnixConnection(private, _SECONDS)
        else:
            host, _, port = address.rpartition(":")
            host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - none is opened here
            connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_SECONDS)
        try:
            given = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, path, body, given | {"Host": self.headers.get("Host", "")})
            answer = connection.getresponse()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP | {"content-length"}:
                    self.send_header(name, value)
            self._send_on(answer)
            return called, answer.status
        finally:
            connection.close()

    def _send_on(self, answer: http.client.HTTPResponse) -> None:
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        if answer.length is not None and not bodiless:
            self.send_header("Content-Length", str(answer.length))
        elif not bodiless:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunked = answer.length is None
        while not bodiless and (part := answer.read1(_PART)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked and not bodiless:
            self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes:
        if self.headers.get("Upgrade"):
            raise Trouble("refused", "the gateway carries requests, no WebSockets; call the service's address")
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(_bounded(int(self.headers.get("Content-Length") or 0)))
        body = b""
        while size := int(self.rfile.readline(_PART).partition(b";")[0], 16):
            _bounded(len(body) + size)
            body += self.rfile.read(size)
            self.rfile.readline(_PART)
        while self.rfile.readline(_PART).strip():
            pass
        return body

    def _say(self, status: int, text: str) -> None:
        self.close_connection = True
        try:
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())
        except OSError:
            pass


def _bounded(size: int) -> int:
    if not 0 <= size <= _MOST_BODY:
        raise Trouble("refused", f"a request of more than {_MOST_BODY // 2**20} MB is not carried")
    return size
