"""One request to a model and its answer, independent of any provider; the request's digest is its identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Self

from pydantic import JsonValue

from llm.providers import Provider


@dataclass(frozen=True)
class Turn:
    """One message of the conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class OutputSchema:
    """The JSON schema a structured answer must fit."""

    name: str
    schema: dict[str, JsonValue] = field(hash=False)


@dataclass(frozen=True)
class Request:
    """Everything that decides the answer."""

    provider: Provider
    model: str
    system: str
    turns: tuple[Turn, ...]
    temperature: float
    max_tokens: int
    seed: int | None = None
    schema: OutputSchema | None = None
    stop: tuple[str, ...] = ()
    """Words at which the answer ends; they are not part of it."""

    def digest(self) -> str:
        """SHA-256 of the whole request, hexadecimal."""
        return _sha256(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False))

    def prompt_digest(self) -> str:
        """SHA-256 of the words alone: the same prompt put to another model has the same one."""
        return _sha256(self.text())

    def text(self) -> str:
        """The conversation for people to read."""
        parts = [("system", self.system), *((turn.role, turn.text) for turn in self.turns)]
        return "\n\n".join(f"[{role}]\n{text}" for role, text in parts if text)

    def answered(self, answer: str, objection: str) -> Self:
        """The request that shows the model its `answer` and what is wrong with it."""
        return replace(self, turns=(*self.turns, Turn("assistant", answer), Turn("user", objection)))


@dataclass(frozen=True)
class Answer:
    """What came back: text, or JSON text when a schema was given."""

    text: str
    truncated: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
