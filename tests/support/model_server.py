"""A model server over real HTTP that answers from a script and can misbehave.

It speaks OpenAI chat completions and responses, and Anthropic messages, on one port; `server.url` is the base URL for
all.

    def rule(request: Request) -> Answer:
        if request.schema:                       # a structured answer requested, in either form
            return {"verdict": "approved"}
        return "```python\\nx = 1\\n```"

    with ScriptedModelServer(rule) as server:
        client = ...(base_url=server.url)
        assert server.requests[0].prompt == "..."

A list gives its answers in turn: `ScriptedModelServer([Reply.status(429, retry_after=1), "then this"])`.
A rule runs in the thread of its request, so it can wait for a `threading.Event` to hold an answer back.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from tests.support import model_protocols as protocols
from tests.support.script import Answer, Message, Reply, Request, Rule, ScriptError, as_reply, in_turn


@dataclass
class _Record:
    """The recorded requests, send times and errors; guarded by `changed`."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    requests: list[Request] = field(default_factory=list)
    sent: dict[int, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class ScriptedModelServer:
    """A model server on a free loopback port, in its own threads. A context manager.

    Leaving the block raises `ScriptError` if a rule raised or a list ran out, unless another error is being raised.
    `port` is for a server that comes back at the address of an earlier one.
    """

    def __init__(self, rule: Rule | Sequence[Answer], *, port: int = 0) -> None:
        self._rule = rule if callable(rule) else in_turn(rule)
        self._record = _Record()
        self._stopping = threading.Event()
        self._http = _HttpServer(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="scripted-model")
        self._thread.daemon = True
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Base URL for all APIs."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests so far, in the order they arrived."""
        with self._record.changed:
            return tuple(self._record.requests)

    def sent_at(self, request: Request) -> float | None:
        """When the answer to `request` was handed to the network (`time.monotonic()`); None if it was not."""
        with self._record.changed:
            return self._record.sent.get(request.number)

    def wait_for(self, count: int, timeout: float = 200.0) -> tuple[Request, ...]:
        """Wait until `count` requests have arrived and return all. Raises TimeoutError."""
        with self._record.changed:
            if not self._record.changed.wait_for(lambda: len(self._record.requests) >= count, timeout):
                raise TimeoutError(f"{len(self._record.requests)} of {count} requests after {timeout} s")
            return tuple(self._record.requests)

    def stop(self) -> None:
        """Close the port and end every hanging answer. Safe to call twice."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._http.shutdown()
            self._http.close_connections()
            self._http.server_close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._record.errors and error is None:
            raise ScriptError(self._record.errors[0])

    def answer(
        self, api: protocols.Api, body: dict[str, JsonValue], headers: Mapping[str, str]
    ) -> tuple[Request, Reply]:
        """Record the request and get the script's reply. For the handler."""
        parsed = protocols.parse(api, body)
        with self._record.changed:
            request = Request(
                api=api,
                model=parsed.model,
                system=parsed.system,
                prompt=next((text for role, text in reversed(parsed.messages) if role == "user"), ""),
                messages=tuple(Message(role, text) for role, text in parsed.messages),
                results=parsed.results,
                schema=parsed.schema,
                schema_name=parsed.schema_name,
                tools=parsed.tools,
                temperature=parsed.temperature,
                max_tokens=parsed.max_tokens,
                seed=parsed.seed,
                headers=headers,
                body=body,
                number=len(self._record.requests) + 1,
                received_at=time.monotonic(),
            )
            self._record.requests.append(request)
            self._record.changed.notify_all()
        try:
            return request, as_reply(self._rule(request))
        except Exception:  # noqa: BLE001  # whatever a test's rule raises must reach the test, not kill its request
            told = f"request {request.number}:\n{traceback.format_exc()}"
            with self._record.changed:
                self._record.errors.append(told)
            # No client retries after a 400, so the test fails at once and shows the cause.
            return request, Reply.status(400, f"the script failed on {told}")

    def note_sent(self, request: Request) -> None:
        """Record when a request was answered. For the handler."""
        with self._record.changed:
            self._record.sent[request.number] = time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until `stop`. For the handler."""
        if seconds > 0:
            self._stopping.wait(seconds)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # `server_close` must not wait for clients that keep their connections open.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: ScriptedModelServer) -> None:
        self.model = model
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close keep-alive connections, because a stopped server must not answer on them."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignored: clients that hang up are expected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without TCP_NODELAY every call takes 40-50 ms longer.
    disable_nagle_algorithm = True
    server: _HttpServer

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: tests read `server.requests`."""

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})
        elif self.path.endswith("/health"):
            self._send(200, {"status": "ok"})
        else:
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api = protocols.api_of(self.path)
        if api is None:
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        body = json.loads(raw)
        if body.get("stream"):
            self._send(400, protocols.error_body(api, 400, "this server does not stream: set max_tokens and a timeout"))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request, reply = self.server.model.answer(api, body, headers)
        self.server.model.pause(reply.wait)
        self._deliver(request, reply)
        self.server.model.note_sent(request)

    def _deliver(self, request: Request, reply: Reply) -> None:
        if reply.kind == "hang":
            self.server.model.pause(reply.seconds)
            self.close_connection = True
        elif reply.kind == "status":
            extra = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
            self._send(reply.code, protocols.error_body(request.api, reply.code, reply.content), extra)
        elif reply.kind == "garbage":
            self._send_raw(200, reply.content.encode())
        elif reply.kind == "cut":
            self._cut(request, reply)
        else:
            self._send(200, self._body(request, reply))

    def _body(self, request: Request, reply: Reply) -> dict[str, JsonValue]:
        content, calls = reply.content, reply.calls
        if reply.kind == "json" and request.schema_name in request.tools:
            content, calls = "", ((request.schema_name, json.loads(reply.content)),)
        answered = reply.thought + content + "".join(str(given) for _, given in calls)
        usage = protocols.Usage.estimate(str(request.body), answered, reply.cached_tokens)
        if reply.input_tokens is not None:
            usage = replace(usage, input=reply.input_tokens)
        return protocols.success_body(
            request.api, request.model, content, calls, truncated=reply.truncated, usage=usage, number=request.number,
            thought=reply.thought,
        )  # fmt: skip

    def _cut(self, request: Request, reply: Reply) -> None:
        """Reset the connection (RST instead of an orderly end), after half of the answer if there is one."""
        if reply.content:
            body = json.dumps(self._body(request, reply)).encode()
            self._send_head(200, len(body), {})
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, code: int, body: dict[str, JsonValue], extra: Mapping[str, str] | None = None) -> None:
        self._send_raw(code, json.dumps(body).encode(), extra)

    def _send_raw(self, code: int, body: bytes, extra: Mapping[str, str] | None = None) -> None:
        self._send_head(code, len(body), extra or {})
        self.wfile.write(body)

    def _send_head(self, code: int, length: int, extra: Mapping[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
