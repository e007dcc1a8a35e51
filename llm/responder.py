"""How a request gets its answer: replayed from the ledger, taken from the cache, or asked for and paid."""

from __future__ import annotations

import time
from collections.abc import Mapping

from config import LLMSettings
from llm.errors import LLMError
from llm.ledger import CallContext, Ledger, StoredResponse
from llm.local_server import LocalModelServer
from llm.pricing import cost_usd
from llm.providers import Endpoint, Provider
from llm.request import Answer, Request
from llm.retrying import with_retries
from llm.stored import entry, failed, replayed
from llm.tokens import estimate_tokens
from llm.under_way import CallsUnderWay
from llm.wire import Wire
from monitoring import get_logger

log = get_logger(__name__)

_TOTAL_TIMEOUTS = 3
"""All tries of one call begin within this many times `llm.timeout`."""
_LOCAL_INPUT_SPEED = 10.0
_LOCAL_OUTPUT_SPEED = 2.0
"""Tokens per second of the embedded model on two busy cores at the worst seen; slower counts as hanging."""


class Responder:
    """Answers requests and keeps the ledger. Thread-safe.

    `endpoints`: where each provider is. `local`: the embedded model's server, started by its first request.
    """

    def __init__(
        self,
        settings: LLMSettings,
        ledger: Ledger,
        endpoints: Mapping[Provider, Endpoint],
        local: LocalModelServer | None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._endpoints = endpoints
        self._local = local
        self._wire = Wire()
        self._under_way = CallsUnderWay()

    def answer(self, request: Request, context: CallContext, *, trial: bool = False) -> Answer:
        """The answer, written down before it is handed out. Raises LLMError, written down as well.

        A `trial` is about this very server: it is not answered from the cache, and not asked again when it fails.
        """
        digest = request.digest()
        known = self._ledger.find_call(context.workflow_id, context.step, digest)
        if known and (answer := replayed(known, request)):
            log.debug("model call replayed", agent=context.agent, step=context.step)
            return answer
        repeatable = not trial and request.temperature == 0 and self._settings.cache_ttl > 0
        cached = self._ledger.cached_response(digest, self._settings.cache_ttl) if repeatable else None
        if cached and (answer := replayed(cached, request)):
            self._ledger.record_call(entry(request, context, answer, cost=0.0, cached=True, seconds=0.0))
            return answer
        begun = time.monotonic()
        try:
            answer = self._fetch(request, context.task_id, 0 if trial else self._settings.max_retries)
        except LLMError as error:
            self._ledger.record_call(failed(request, context, error, time.monotonic() - begun))
            raise
        seconds = time.monotonic() - begun
        call = entry(request, context, answer, cost=cost_usd(request, answer), cached=False, seconds=seconds)
        self._ledger.record_call(call)
        if repeatable:
            self._ledger.store_response(digest, StoredResponse.model_validate(call))
        log.info("model call", agent=context.agent, step=context.step, model=request.model, seconds=round(seconds, 2),
                 input=answer.input_tokens, output=answer.output_tokens, cached=answer.cached_tokens)  # fmt: skip
        return answer

    def give_up(self, task_id: str) -> int:
        """Cut off the calls under way for a task; gives how many. They raise ProviderRefused."""
        return self._under_way.give_up(task_id)

    def close(self) -> None:
        """Give up calls under way and end the thread that carries them."""
        self._wire.close()

    def _fetch(self, request: Request, task_id: str | None, retries: int) -> Answer:
        timeout = self._settings.timeout
        if request.provider == "local":
            timeout = max(timeout, _slowest(request))

        def once() -> Answer:
            call.check()
            if request.provider != "local":
                return self._wire.ask(self._endpoints[request.provider], request, timeout, call)
            assert self._local is not None
            # Waiting for a free slot of the server does not count: the clock starts when it can begin.
            with self._local.slot() as place:
                call.check()
                return self._wire.ask(Endpoint("local", place.base_url, place.api_key), request, timeout, call)

        with self._under_way.call(task_id) as call:
            return with_retries(
                once,
                retries=retries,
                seconds=timeout * _TOTAL_TIMEOUTS,
                given_up=call.given_up,
            )


def _slowest(request: Request) -> float:
    """Seconds the embedded model may need for this request on a slow machine."""
    return estimate_tokens(request.text()) / _LOCAL_INPUT_SPEED + request.max_tokens / _LOCAL_OUTPUT_SPEED
