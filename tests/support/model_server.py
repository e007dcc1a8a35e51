"""A model server over real HTTP whose answers come from a script, and which can misbehave.

It speaks OpenAI chat completions and Anthropic messages on one port; `server.url` is the base URL for both.

    def rule(request: Request) -> Answer:
        if request.schema:                       # a structured answer is wanted: json or tool, the server knows which
            return {"verdict": "approved"}
        return "```python\\nx = 1\\n```"

    with ScriptedModelServer(rule) as server:
        client = ...(base_url=server.url)
        assert server.requests[0].prompt == "..."

A list instead of a rule answers in turn: `ScriptedModelServer([Reply.status(429, retry_after=1), "then this"])`.
A rule runs in the thread of its request, so it may wait on a `threading.Event` to hold an answer back.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, JsonValue

from tests.support import model_protocols as protocols

Api: TypeAlias = Literal["openai", "anthropic"]


@dataclass(frozen=True)
class Message:
    """One message of a request; `text` is its text content, tool calls and results as JSON."""

    role: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the client sent, the same for both APIs."""

    api: Api
    model: str
    system: str
    prompt: str
    """Text of the last user message."""
    messages: tuple[Message, ...]
    """All messages but the system ones, in order."""
    results: tuple[tuple[str, str], ...]
    """Results of tool calls that came after the last answer: the call's id and the text."""
    schema: dict[str, JsonValue] | None
    """JSON schema of the structured answer that is wanted, if one is."""
    schema_name: str
    tools: tuple[str, ...]
    """Names of the tools offered (the output tool among them when structured output goes by a tool call)."""
    temperature: float | None
    max_tokens: int | None
    seed: int | None
    headers: Mapping[str, str]
    """Header names are lower case."""
    body: Mapping[str, JsonValue]
    number: int
    """1 for the first request of this server, and so on."""
    received_at: float
    """`time.monotonic()` when the request had been read."""


@dataclass(frozen=True)
class Reply:
    """One answer. Make it with `text`, `json`, `tool`, `tools`, `status`, `hang`, `cut` or `garbage`."""

    kind: Literal["text", "json", "tool", "status", "hang", "cut", "garbage"]
    content: str = ""
    code: int = 200
    retry_after: float | None = None
    seconds: float = 0.0
    """How long a hang lasts."""
    wait: float = 0.0
    """Seconds before the answer is sent; see `after`."""
    truncated: bool = False
    cached_tokens: int = 0
    calls: tuple[protocols.Call, ...] = ()

    @classmethod
    def text(cls, content: str, *, truncated: bool = False, cached_tokens: int = 0) -> Self:
        """Plain text; `truncated` says that the answer met its token limit."""
        return cls("text", content, truncated=truncated, cached_tokens=cached_tokens)

    @classmethod
    def json(cls, value: JsonValue | BaseModel, *, truncated: bool = False) -> Self:
        """A structured answer: a call of the output tool if the request offers one, else JSON text."""
        text = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value)
        return cls("json", text, truncated=truncated)

    @classmethod
    def tool(
        cls, name: str, arguments: Mapping[str, JsonValue] | str, *, text: str = "", cached_tokens: int = 0
    ) -> Self:
        """A call of the tool `name`, with `text` before it. Arguments given as text need not be JSON (OpenAI only)."""
        return cls.tools((name, arguments), text=text, cached_tokens=cached_tokens)

    @classmethod
    def tools(
        cls,
        *calls: tuple[str, Mapping[str, JsonValue] | str],
        text: str = "",
        truncated: bool = False,
        cached_tokens: int = 0,
    ) -> Self:
        """Several calls in one answer. Their ids are made of the request's number and the call's place in it."""
        written = tuple((name, given if isinstance(given, str) else dict(given)) for name, given in calls)
        return cls("tool", text, calls=written, truncated=truncated, cached_tokens=cached_tokens)

    @classmethod
    def status(cls, code: int, message: str = "scripted error", *, retry_after: float | None = None) -> Self:
        """An HTTP error in the API's own form, with a `Retry-After` header if given (seconds)."""
        return cls("status", message, code=code, retry_after=retry_after)

    @classmethod
    def hang(cls, seconds: float = 60.0) -> Self:
        """No answer; the connection stays open for `seconds` or until the server stops, then it is closed."""
        return cls("hang", seconds=seconds)

    @classmethod
    def cut(cls, content: str = "") -> Self:
        """The connection is reset: at once, or with `content` in the middle of that answer."""
        return cls("cut", content)

    @classmethod
    def garbage(cls, body: str = '{"choices": [{"mess') -> Self:
        """A 200 whose body is `body` (not JSON, by default) under a JSON content type."""
        return cls("garbage", body)

    def after(self, seconds: float) -> Self:
        """The same reply, sent `seconds` later."""
        return replace(self, wait=seconds)


Answer: TypeAlias = Reply | str | dict[str, JsonValue] | list[JsonValue] | BaseModel
"""A rule's answer: text as `str`, a structured answer as a JSON value or a model, all else as a `Reply`."""
Rule: TypeAlias = Callable[[Request], Answer]


class ScriptError(AssertionError):
    """A rule raised, or a list of answers ran out: the test and its script do not agree."""


@dataclass
class _Record:
    """What the server saw; guarded by its condition."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    requests: list[Request] = field(default_factory=list)
    sent: dict[int, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class ScriptedModelServer:
    """A model server on a free loopback port, in threads of its own. A context manager.

    Leaving the block raises `ScriptError` when a rule raised or a list ran out, unless another error is under way.
    `port` chooses the port, to come back at an address where a server was before.
    """

    def __init__(self, rule: Rule | Sequence[Answer], *, port: int = 0) -> None:
        self._rule = rule if callable(rule) else _in_turn(rule)
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
        """Base URL for both APIs."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests so far, in the order they arrived."""
        with self._record.changed:
            return tuple(self._record.requests)

    def sent_at(self, request: Request) -> float | None:
        """`time.monotonic()` when the answer to `request` had been handed to the network; None when it was not."""
        with self._record.changed:
            return self._record.sent.get(request.number)

    def wait_for(self, count: int, timeout: float = 30.0) -> tuple[Request, ...]:
        """Wait until `count` requests have arrived and give them. Raises TimeoutError."""
        with self._record.changed:
            if not self._record.changed.wait_for(lambda: len(self._record.requests) >= count, timeout):
                raise TimeoutError(f"{len(self._record.requests)} of {count} requests after {timeout} s")
            return tuple(self._record.requests)

    def stop(self) -> None:
        """Close the port and let go of every hanging answer. Safe to call twice."""
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

    def answer(self, api: Api, body: dict[str, JsonValue], headers: Mapping[str, str]) -> tuple[Request, Reply]:
        """Record the request and ask the script. For the handler."""
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
            return request, _as_reply(self._rule(request))
        except Exception:  # noqa: BLE001  # whatever a test's rule raises must reach the test, not kill its request
            told = f"request {request.number}:\n{traceback.format_exc()}"
            with self._record.changed:
                self._record.errors.append(told)
            # 400 is not tried again by any client, so the test fails at once and with the cause in sight.
            return request, Reply.status(400, f"the script failed on {told}")

    def note_sent(self, request: Request) -> None:
        """Remember that a request has been answered. For the handler."""
        with self._record.changed:
            self._record.sent[request.number] = time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond `stop`. For the handler."""
        if seconds > 0:
            self._stopping.wait(seconds)


def _as_reply(answer: Answer) -> Reply:
    if isinstance(answer, Reply):
        return answer
    return Reply.text(answer) if isinstance(answer, str) else Reply.json(answer)


def _in_turn(answers: Sequence[Answer]) -> Rule:
    left = iter(list(answers))
    lock = threading.Lock()

    def rule(request: Request) -> Answer:
        with lock:
            for answer in left:
                return answer
        raise ScriptError(f"all {len(answers)} answers are used up; the next prompt was: {request.prompt[:500]}")

    return rule


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # server_close must not wait for a client that holds its keep-alive connection open
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
        """End what clients keep alive: a stopped server answers nobody."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without TCP_NODELAY every call takes 40-50 ms longer (research/coding.md)
    disable_nagle_algorithm = True
    server: _HttpServer

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `server.requests`, nobody reads an access log."""

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
        answered = content + "".join(str(given) for _, given in calls)
        usage = protocols.Usage.estimate(str(request.body), answered, reply.cached_tokens)
        return protocols.success_body(
            request.api, request.model, content, calls, truncated=reply.truncated, usage=usage, number=request.number
        )

    def _cut(self, request: Request, reply: Reply) -> None:
        """Reset the connection (RST, not an orderly end), after half an answer when there is one."""
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
