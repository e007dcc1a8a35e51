"""How a request is made and its answer read, for both kinds of client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, TypeAdapter

from ai_agents_client.errors import problem_of

Answer = TypeVar("Answer")
SECONDS = 30.0
"""For one answer, at most."""


class _Quoting:
    @staticmethod
    def _quoted(part: str | int) -> str:
        return quote(str(part), safe="")


class Asking(_Quoting, ABC):
    """A client that waits."""

    @abstractmethod
    def _send(self, request: Request) -> httpx2.Response: ...

    def _ask(
        self, verb: str, path: str, answer: type[Answer], body: BaseModel | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Answer:  # fmt: skip
        return read(self._send(Request(verb, path, body, query)), answer)


class AsyncAsking(_Quoting, ABC):
    """A client that is awaited."""

    @abstractmethod
    async def _send(self, request: Request) -> httpx2.Response: ...

    async def _ask(
        self, verb: str, path: str, answer: type[Answer], body: BaseModel | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Answer:  # fmt: skip
        return read(await self._send(Request(verb, path, body, query)), answer)


class Request:
    """What is sent. Of a body only what was given: null means something else than nothing."""

    def __init__(self, verb: str, path: str, body: BaseModel | None, query: Mapping[str, object] | None) -> None:
        self.verb, self.path = verb, path
        self.body = None if body is None else body.model_dump(mode="json", exclude_unset=True)
        self.query: dict[str, Any] = {name: value for name, value in (query or {}).items() if value is not None}


def read(response: httpx2.Response, answer: type[Answer]) -> Answer:
    """What an answer says. Raises `ApiProblem`."""
    if not response.is_success:
        raise problem_of(response)
    shape = TypeAdapter(answer)
    if answer is str:
        return shape.validate_python(response.text)
    return shape.validate_json(response.content or b"null")
