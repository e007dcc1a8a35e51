"""One request sent to the provider it is for, at the rate its account allows; no retries, no budget."""

from __future__ import annotations

from collections.abc import Mapping

from config import LLMSettings
from llm.calls.budget import input_tokens
from llm.calls.in_flight import CallUnderWay
from llm.calls.rate import RateLimiter
from llm.embedded.server import LocalModelServer
from llm.providers.provider import Endpoint, Provider
from llm.providers.wire import Wire
from llm.request import Answer, Request
from llm.tokens import estimate_tokens

_LOCAL_INPUT_SPEED = 10.0
_LOCAL_OUTPUT_SPEED = 2.0
"""Tokens per second of the embedded model on two busy cores at the worst seen; slower counts as hanging."""


class Sender:
    """Sends requests to all providers. Thread-safe."""

    def __init__(
        self, settings: LLMSettings, endpoints: Mapping[Provider, Endpoint], local: LocalModelServer | None
    ) -> None:
        self._timeout = settings.timeout
        self._endpoints = endpoints
        self._local = local
        self._wire = Wire()
        self._rates = {
            provider: RateLimiter(settings.requests_per_minute, settings.tokens_per_minute) for provider in endpoints
        }

    def timeout(self, request: Request) -> float:
        """Seconds one try may take; the embedded model may be slow."""
        return max(self._timeout, _slowest(request)) if request.provider == "local" else self._timeout

    def wait_for_rate(self, request: Request, call: CallUnderWay) -> None:
        """Wait until the provider may be asked. Raises as `CallUnderWay.check`."""
        call.check()
        if request.provider != "local":
            pause = self._rates[request.provider].take(input_tokens(request) + request.max_tokens)
            if pause > 0:
                call.over.wait(pause)
                call.check()

    def send(self, request: Request, call: CallUnderWay) -> Answer:
        """The answer. Raises LLMError."""
        timeout = self.timeout(request)
        if request.provider != "local":
            return self._wire.ask(self._endpoints[request.provider], request, timeout, call)
        assert self._local is not None
        # Waiting for its turn does not count: the clock starts when the request can begin.
        with self._local.slot(patient=call.patient) as place:
            call.check()
            return self._wire.ask(Endpoint("local", place.base_url, place.api_key), request, timeout, call)

    def close(self) -> None:
        """Give up what is on the wire."""
        self._wire.close()


def _slowest(request: Request) -> float:
    """Seconds the embedded model may need for this request on a slow machine."""
    return estimate_tokens(request.text()) / _LOCAL_INPUT_SPEED + request.max_tokens / _LOCAL_OUTPUT_SPEED
