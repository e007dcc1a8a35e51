"""Sends one request to its provider, at the rate that the account allows; no retries, no budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from config import LLMSettings
from llm.calls.budget import input_tokens
from llm.calls.in_flight import CallUnderWay
from llm.calls.wire import Wire
from llm.embedded.server import LocalModelServer
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.provider import Endpoint
from llm.request import Answer, Request, estimate_tokens

_LOCAL_INPUT_SPEED = 10.0
_LOCAL_OUTPUT_SPEED = 2.0
"""Tokens per second of the smallest embedded model on two busy cores, the slowest seen; what is slower counts as
hanging. Larger models take as many times longer as their `slowness` says."""
_REASONING_SPEED = 30.0
"""Tokens per second at which a model reasons at least; the large ones of the providers write 40 to 100."""
_BURST = 6.0
"""Seconds' worth of calls that may come at once after a quiet time."""


class Sender:
    """Sends requests to all providers. Thread-safe."""

    def __init__(
        self, settings: LLMSettings, endpoints: Mapping[str, Endpoint], local: LocalModelServer | None
    ) -> None:
        self._timeout = settings.timeout
        self._endpoints = endpoints
        self._local = local
        self._wire = Wire()
        self._rates = {
            provider: RateLimiter(settings.requests_per_minute, settings.tokens_per_minute) for provider in endpoints
        }

    def timeout(self, request: Request) -> float:
        """Seconds one try may take; the embedded model may be slow, and reasoning comes on top."""
        if request.provider == EMBEDDED.name:
            slowness = self._local.model.slowness if self._local else 1
            return max(self._timeout, _slowest(request) * slowness)
        return self._timeout + request.reasoning_tokens / _REASONING_SPEED

    def wait_for_rate(self, request: Request, call: CallUnderWay) -> None:
        """Wait until the provider may be asked. Raises as `CallUnderWay.check`."""
        call.check()
        if request.provider != EMBEDDED.name:
            pause = self._rates[request.provider].take(input_tokens(request) + request.output_limit)
            if pause > 0:
                call.over.wait(pause)
                call.check()

    def send(self, request: Request, call: CallUnderWay) -> Answer:
        """The answer. Raises LLMError."""
        timeout = self.timeout(request)
        if request.provider != EMBEDDED.name:
            return self._wire.ask(self._endpoints[request.provider], request, timeout, call)
        assert self._local is not None
        # Waiting for its turn does not count: the timeout begins when the request can be sent.
        with self._local.slot(patient=call.patient) as place:
            call.check()
            return self._wire.ask(Endpoint(EMBEDDED, place.base_url, place.api_key), request, timeout, call)

    def close(self) -> None:
        """Cancel what is on the wire."""
        self._wire.close()


class RateLimiter:
    """Spreads calls and their tokens over time, by the generic cell rate algorithm. Thread-safe."""

    def __init__(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self._requests, self._tokens = requests_per_minute, tokens_per_minute
        self._lock = threading.Lock()
        self._requests_until = self._tokens_until = 0.0

    def take(self, tokens: int) -> float:
        """Count a call of so many tokens, in and out; gives the seconds to wait before it is made."""
        with self._lock:
            now = time.monotonic()
            waits = [0.0]
            if self._requests:
                waits.append(self._requests_until - now - _BURST)
                self._requests_until = max(self._requests_until, now) + 60.0 / self._requests
            if self._tokens:
                waits.append(self._tokens_until - now - _BURST)
                self._tokens_until = max(self._tokens_until, now) + 60.0 * tokens / self._tokens
            return max(waits)


def _slowest(request: Request) -> float:
    """Seconds the smallest embedded model may need for this request on a slow machine."""
    return estimate_tokens(request.text()) / _LOCAL_INPUT_SPEED + request.max_tokens / _LOCAL_OUTPUT_SPEED
