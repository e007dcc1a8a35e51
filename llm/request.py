"""One request to a model and its answer, independent of any provider; the request's digest is its identity."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self

from pydantic import JsonValue

from config import ReasoningLevel

_ASCII_CHARS_PER_TOKEN = 3.0
"""The smallest embedded model's tokenizer took 4.1 on Python source (595 tokens with the chat template); 3 leaves
room."""
_LEAST_RATIO, _MOST_RATIO, _RATIO_MARGIN = 0.5, 4.0, 1.05
"""Six characters a token are more than any tokenizer makes of text: a smaller number leaves something out, such as
what was in the provider's cache."""
_LEAST_REASONING = 1024
"""Tokens; providers that take a number take none below."""


@dataclass(frozen=True)
class CallContext:
    """For whom a call is made. `workflow_id` and `step` identify it: when the step runs again, its answer is replayed.

    Two calls that may differ in their answers (samples) need a step or a seed of their own. The embedded model, which
    answers one call at a time, takes `patient` ones last.
    """

    task_id: str | None
    agent: str
    workflow_id: str
    step: str
    patient: bool = False


@dataclass(frozen=True)
class Tool:
    """Something that a model may call."""

    name: str
    description: str
    parameters: dict[str, JsonValue] = field(hash=False)
    """JSON schema of an object: the arguments."""


@dataclass(frozen=True)
class ToolCall:
    """A model calls a tool. Nothing has been checked yet: neither whether the tool exists nor its arguments."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it; `{}` when it wrote none."""


@dataclass(frozen=True)
class ToolResult:
    """The result of the call with this id, for the model to read."""

    call_id: str
    text: str


@dataclass(frozen=True)
class Thought:
    """Reasoning of a model that only goes back to it, unchanged: it is signed or encrypted, and not for people."""

    provider: str
    model: str
    data: str
    """What the provider gave, as `llm/calls/messages.py` writes it: in characters that nothing takes for a secret."""
    place: int
    """How many other parts of its message come before it: the text, if there is any, and the calls."""
    tokens: int
    """What it counts at most when it is sent back."""


@dataclass(frozen=True)
class Turn:
    """One message of the conversation: the assistant's may hold calls, the user's their results."""

    role: Literal["user", "assistant"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    thoughts: tuple[Thought, ...] = ()
    """What the assistant's message holds of its reasoning. Only the model that wrote them gets them back."""

    def shown(self) -> list[tuple[str, str]]:
        """Its parts for people to read, each under a heading; empty ones left out."""
        parts = [(f"result of {result.call_id}", result.text) for result in self.results]
        parts.append((self.role, self.text))
        parts += [(f"call {call.id}: {call.name}", call.arguments) for call in self.calls]
        return [(heading, text) for heading, text in parts if text]


@dataclass(frozen=True)
class OutputSchema:
    """The JSON schema a structured answer must fit."""

    name: str
    schema: dict[str, JsonValue] = field(hash=False)


@dataclass(frozen=True)
class Request:
    """Everything that decides the answer."""

    provider: str
    model: str
    system: str
    turns: tuple[Turn, ...]
    temperature: float
    max_tokens: int
    seed: int | None = None
    schema: OutputSchema | None = None
    stop: tuple[str, ...] = ()
    """Words at which the answer ends; they are not part of it."""
    tools: tuple[Tool, ...] = ()
    reasoning: ReasoningLevel | None = None
    """How much the model reasons before it answers; None: it is not told."""
    reasoning_tokens: int = 0
    """Tokens for that, on top of `max_tokens`."""

    @property
    def output_limit(self) -> int:
        """The most tokens that the model may write, reasoning and answer together."""
        return self.max_tokens + self.reasoning_tokens

    def digest(self) -> str:
        """SHA-256 of the whole request, hexadecimal. What is not set is left out, so that fields can be added."""
        whole = asdict(self)
        for turn in whole["turns"]:
            if not turn["thoughts"]:
                del turn["thoughts"]
        if self.reasoning is None:
            del whole["reasoning"]
        if not self.reasoning_tokens:
            del whole["reasoning_tokens"]
        return _sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False))

    def thoughts(self) -> tuple[Thought, ...]:
        """The earlier reasoning that its model gets back."""
        return tuple(
            thought
            for turn in self.turns
            for thought in turn.thoughts
            if (thought.provider, thought.model) == (self.provider, self.model)
        )

    def prompt_digest(self) -> str:
        """SHA-256 of the text alone, which is the same for every model that gets the prompt."""
        return _sha256(self.text())

    def text(self) -> str:
        """The conversation for people to read, without the model's reasoning."""
        tools = "\n".join(f"{tool.name}: {tool.description} {json.dumps(tool.parameters)}" for tool in self.tools)
        parts = [("tools", tools), ("system", self.system), *(part for turn in self.turns for part in turn.shown())]
        return "\n\n".join(f"[{heading}]\n{text}" for heading, text in parts if text)

    def answered(self, answer: str, objection: str) -> Self:
        """The request that shows the model its `answer` and the `objection` to it."""
        return replace(self, turns=(*self.turns, Turn("assistant", answer), Turn("user", objection)))


@dataclass(frozen=True)
class Answer:
    """What a model answered: text, or JSON text when a schema was given, and calls when tools were offered."""

    text: str
    truncated: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    """Of the input tokens, those that the provider had in its cache."""
    written_tokens: int = 0
    """Of the input tokens, those that it put into its cache; Anthropic charges a quarter more for them."""
    calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Thought, ...] = ()

    def json_text(self) -> str:
        """The text without the Markdown fence that models like to put around JSON."""
        fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", self.text, re.DOTALL)
        return fenced[1] if fenced else self.text


@dataclass(frozen=True)
class Reply:
    """A model's message in a conversation with tools."""

    text: str
    calls: tuple[ToolCall, ...]
    truncated: bool
    """It reached its length limit: the text, or the arguments of the last call, are cut off."""
    thoughts: tuple[Thought, ...] = ()
    estimated_tokens: int = 0
    """What the conversation before it was estimated to have, tools and instructions included."""
    input_tokens: int = 0
    """What the model's own tokenizer made of it, as the provider says; 0: unknown."""

    def turn(self) -> Turn:
        """The message as a turn of the conversation, with the reasoning that goes back to the model."""
        return Turn("assistant", self.text or ("" if self.calls else "…"), self.calls, thoughts=self.thoughts)


@dataclass(frozen=True)
class Window:
    """How much a model takes, and how its own count of tokens differs from our estimate."""

    tokens: int
    """Prompt and answer together, in the model's own tokens."""
    ratio: float = 1.0
    """How many of the model's tokens one that is estimated has at most."""
    measured: int = 0
    """Estimated tokens at the conversation's beginning that the ratio was learned from; the rest may be denser."""

    def taken(self, estimated: int) -> int:
        """The model's tokens for so many estimated ones."""
        seen = min(self.measured, estimated)
        return math.ceil(seen * self.ratio + (estimated - seen) * max(1.0, self.ratio))

    def learned(self, reply: Reply) -> Self:
        """The window after a message, with the ratio that its provider's count shows."""
        if not reply.input_tokens or not reply.estimated_tokens:
            return self
        ratio = reply.input_tokens / reply.estimated_tokens * _RATIO_MARGIN
        return replace(self, ratio=min(max(ratio, _LEAST_RATIO), _MOST_RATIO), measured=reply.estimated_tokens)


def limited(request: Request, left: int) -> Request:
    """The request for an answer of at most `left` tokens, reasoning included."""
    if request.output_limit <= left:
        return request
    reasoning = min(request.reasoning_tokens, left // 2)
    if reasoning < _LEAST_REASONING:
        request, reasoning = replace(request, reasoning=None), 0
    return replace(request, max_tokens=min(request.max_tokens, left - reasoning), reasoning_tokens=reasoning)


def estimate_tokens(text: str) -> int:
    """How many tokens `text` is at worst: a third of its ASCII characters and one for each other character.

    This is the one place where text becomes a number of tokens without a tokenizer.
    """
    ascii_chars = len(text.encode("ascii", "ignore"))
    return int(ascii_chars / _ASCII_CHARS_PER_TOKEN) + len(text) - ascii_chars + 1


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
