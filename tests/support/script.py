"""Requests and replies of the scripted model server, independent of the API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, JsonValue

from tests.support import model_protocols as protocols


@dataclass(frozen=True)
class Message:
    """One message of a request; `text` is its text content, tool calls and results as JSON."""

    role: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the client sent, in a form common to both APIs."""

    api: protocols.Api
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
    """One answer. Create it with `text`, `json`, `tool`, `tools`, `status`, `hang`, `cut` or `garbage`."""

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
    thought: str = ""
    """What comes before the answer as the model's reasoning; see `thinking`."""
    input_tokens: int | None = None
    """What the request is said to have; see `counting`."""

    @classmethod
    def text(cls, content: str, *, truncated: bool = False, cached_tokens: int = 0) -> Self:
        """Plain text; `truncated` says that the answer reached its token limit."""
        return cls("text", content, truncated=truncated, cached_tokens=cached_tokens)

    @classmethod
    def json(cls, value: JsonValue | BaseModel, *, truncated: bool = False) -> Self:
        """A structured answer: a call of the output tool if the request has one, else JSON text."""
        text = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value)
        return cls("json", text, truncated=truncated)

    @classmethod
    def tool(
        cls, name: str, arguments: Mapping[str, JsonValue] | str, *, text: str = "", cached_tokens: int = 0
    ) -> Self:
        """A call of the tool `name`, after `text`. Arguments given as text may be invalid JSON (OpenAI only)."""
        return cls.tools((name, arguments), text=text, cached_tokens=cached_tokens)

    @classmethod
    def tools(
        cls,
        *calls: tuple[str, Mapping[str, JsonValue] | str],
        text: str = "",
        truncated: bool = False,
        cached_tokens: int = 0,
    ) -> Self:
        """Several calls in one answer. Their ids consist of the request's number and the call's position."""
        written = tuple((name, given if isinstance(given, str) else dict(given)) for name, given in calls)
        return cls("tool", text, calls=written, truncated=truncated, cached_tokens=cached_tokens)

    @classmethod
    def status(cls, code: int, message: str = "scripted error", *, retry_after: float | None = None) -> Self:
        """An HTTP error in the API's format; `retry_after` (seconds) sets the `Retry-After` header."""
        return cls("status", message, code=code, retry_after=retry_after)

    @classmethod
    def hang(cls, seconds: float = 60.0) -> Self:
        """No answer; the connection is closed after `seconds` or when the server stops."""
        return cls("hang", seconds=seconds)

    @classmethod
    def cut(cls, content: str = "") -> Self:
        """A reset of the connection: at once, or in the middle of an answer with `content`."""
        return cls("cut", content)

    @classmethod
    def garbage(cls, body: str = '{"choices": [{"mess') -> Self:
        """A 200 with a JSON content type and the body `body`, which is not JSON by default."""
        return cls("garbage", body)

    def thinking(self, thought: str) -> Self:
        """The same reply after `thought`: a signed block (Anthropic), a field of its own (OpenAI chat), an encrypted
        item (OpenAI responses).
        """
        return replace(self, thought=thought)

    def counting(self, input_tokens: int) -> Self:
        """The same reply, with so many tokens of the request in its usage."""
        return replace(self, input_tokens=input_tokens)

    def after(self, seconds: float) -> Self:
        """The same reply, sent `seconds` later."""
        return replace(self, wait=seconds)


Answer: TypeAlias = Reply | str | dict[str, JsonValue] | list[JsonValue] | BaseModel
"""A rule's answer: text as `str`, a structured answer as a JSON value or a model, all else as a `Reply`."""
Rule: TypeAlias = Callable[[Request], Answer]


class ScriptError(AssertionError):
    """A rule raised, or a list of answers ran out: the script does not fit the test."""


def as_reply(answer: Answer) -> Reply:
    """The reply for an answer of a script."""
    if isinstance(answer, Reply):
        return answer
    return Reply.text(answer) if isinstance(answer, str) else Reply.json(answer)


def in_turn(answers: Sequence[Answer]) -> Rule:
    """A rule that gives each answer once, in order."""
    left = iter(list(answers))
    lock = threading.Lock()

    def rule(request: Request) -> Answer:
        with lock:
            for answer in left:
                return answer
        raise ScriptError(f"all {len(answers)} answers are used up; the next prompt was: {request.prompt[:500]}")

    return rule
