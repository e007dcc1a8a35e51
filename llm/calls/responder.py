"""How a request gets its answer: replayed from the ledger, taken from the cache, or asked for and paid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import monotonic

from config import BudgetSettings, LLMSettings
from llm.calls.asking import Asking, Granted
from llm.calls.budget import Budget, input_tokens
from llm.calls.circuit_breakers import Circuits
from llm.calls.in_flight import CallsUnderWay, Patience
from llm.calls.ledger_rows import entry, failed, replayed
from llm.calls.prices import Prices
from llm.calls.sending import Sender
from llm.embedded.local_models import LocalModel
from llm.embedded.server import LocalModelServer
from llm.errors import LLMError, PromptTooLong, ProviderUnavailable
from llm.lineup import ServedModel
from llm.profiles import Reasoning
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.provider import Endpoint
from llm.request import Answer, CallContext, Request, limited
from memory import MemoryStore, StoredResponse
from monitoring import get_logger

log = get_logger(__name__)

_SHORTEST_ANSWER = 64


@dataclass(frozen=True)
class Terms:
    """On what terms providers are asked."""

    budget: BudgetSettings
    patient: bool
    """Wait for a budget's next period or the end of an outage, instead of failing."""
    clock: Callable[[], datetime]
    fallbacks: Sequence[ServedModel]
    reasoning: Reasoning


class Responder:
    """Answers requests and keeps the ledger. Thread-safe.

    `endpoints`: where each provider is. `local`: the embedded model's server, started by its first request.
    """

    def __init__(
        self,
        settings: LLMSettings,
        store: MemoryStore,
        endpoints: Mapping[str, Endpoint],
        local: LocalModelServer | None,
        terms: Terms,
    ) -> None:
        self._settings = settings
        self._store = store
        self._terms = terms
        self._under_way = CallsUnderWay()
        self._local = local.model if local else None
        self._sender = Sender(settings, endpoints, local)
        self._budget = Budget(terms.budget, Prices(settings.prices), store, terms.clock)
        self._circuits = Circuits(settings.outage_retry, self._under_way.stir)

    def answer(
        self,
        request: Request,
        context: CallContext,
        *,
        trial: bool = False,
        is_usable: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        """The answer, recorded before it is returned. Raises LLMError, recorded as well.

        An answer in the cache that is not usable is asked for anew: the model or its server may have been mended.

        A `trial` tests this very server: neither the cache nor a fallback answers it, and it is not repeated when it
        fails, nor waited for.
        """
        reasoning = partial(self._terms.reasoning.applied, agent=context.agent)
        asked = [request] if trial else candidates(request, self._terms.fallbacks, reasoning, self._local)
        for each in asked:  # a replayed step must find its answer, whichever model gave it
            known = self._store.ledger.find_call(context.workflow_id, context.step, each.digest())
            if known and (answer := replayed(known, each)):
                log.debug("model call replayed", agent=context.agent, step=context.step)
                return answer
        repeatable = not trial and request.temperature == 0 and self._settings.cache_ttl > 0
        cached = self._store.ledger.cached_response(request.digest(), self._settings.cache_ttl) if repeatable else None
        if cached and (answer := replayed(cached, request)) and is_usable(answer):
            self._store.ledger.record_call(entry(request, context, answer, cost=0.0, cached=True, seconds=0.0))
            return answer
        begun = monotonic()
        try:
            granted = self._granted(asked, context, trial=trial)
        except LLMError as error:
            if not error.recorded:
                self._store.ledger.record_call(failed(request, context, error, monotonic() - begun, 0.0))
            raise
        try:
            self._keep(granted, context, repeatable=repeatable)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:  # such as an answer no database takes
            unusable = ProviderUnavailable(f"the answer of {request.model!r} cannot be stored: {error}")
            unusable.billed = granted.answer
            self._budget.release(granted.reservation, granted.request, context, unusable, seconds=granted.seconds)
            raise unusable from error
        self._under_way.stir()  # what was reserved for this call is free again
        return granted.answer

    def give_up(self, task_id: str) -> int:
        """Cancel the calls under way for a task; gives how many. They raise ProviderRefused."""
        return self._under_way.give_up(task_id)

    def waiting(self) -> set[str]:
        """Agents with a call that waits now."""
        return self._under_way.waiting()

    def waited(self) -> set[str]:
        """Agents and tasks with a call that waits, or did since the last time this was asked."""
        return self._under_way.waited()

    def stop_waiting(self) -> None:
        """Waiting calls raise Interrupted at once, requests on the wire go on."""
        self._under_way.stop()

    def close(self) -> None:
        """Cancel the calls under way and end the thread that carries them."""
        self._sender.close()

    def _granted(self, asked: Sequence[Request], context: CallContext, *, trial: bool) -> Granted:
        with self._under_way.call(context.task_id, context.agent, patient=context.patient) as call:
            patience = Patience(call, context, self._store, self._terms.clock)
            asking = Asking(
                call, context, patience, self._sender, self._budget, self._circuits,
                retries=0 if trial else self._settings.max_retries, patient=self._terms.patient and not trial,
                clock=self._terms.clock,
            )  # fmt: skip
            try:
                return asking.trial(asked[0]) if trial else asking.first_of(asked)
            finally:
                patience.over()

    def _keep(self, granted: Granted, context: CallContext, *, repeatable: bool) -> None:
        request, answer, seconds = granted.request, granted.answer, granted.seconds
        call = entry(
            request, context, answer, cost=self._budget.prices.usd(request, answer), cached=False, seconds=seconds
        )
        self._budget.record(call, granted.reservation, request, answer)
        if repeatable:
            self._store.ledger.store_response(
                request.digest(), StoredResponse.model_validate(call, from_attributes=True)
            )
        log.info("model call", agent=context.agent, step=context.step, model=request.model, seconds=round(seconds, 2),
                 input=answer.input_tokens, output=answer.output_tokens, cached=answer.cached_tokens)  # fmt: skip


def candidates(
    request: Request,
    fallbacks: Iterable[ServedModel],
    reasoning: Callable[[Request], Request],
    local: LocalModel | None,
) -> list[Request]:
    """The request, and after it the same one for each fallback that can answer it, which reasons by `reasoning`.
    `local`: the embedded model.

    Few models can continue the beginning of an answer, and a small embedded one calls no tools.
    """
    calls_tools = local is not None and local.profile != "small"
    found = [request]
    if request.turns[-1].role == "assistant":
        return found
    for model in fallbacks:
        other = reasoning(replace(request, provider=model.provider, model=model.name))
        if other in found or (model.provider == EMBEDDED.name and request.tools and not calls_tools):
            continue
        try:
            found.append(fitted(other, local))
        except PromptTooLong:
            continue
    return found


def fitted(request: Request, local: LocalModel | None) -> Request:
    """The request; for the embedded model, which is `local`, its answer is limited to what the context has room for.

    Raises PromptTooLong when that is next to nothing.
    """
    if request.provider != EMBEDDED.name or local is None:
        return request
    used = input_tokens(request)
    return with_room(request, local.context_tokens - used, used)


def with_room(request: Request, left: int, used: int) -> Request:
    """The request for an answer of at most `left` tokens after a prompt of about `used`.

    Raises PromptTooLong when that is next to nothing.
    """
    if left < min(_SHORTEST_ANSWER, request.max_tokens):
        raise PromptTooLong(
            f"the prompt has about {used} tokens, but {request.model!r} takes {used + left} with its answer; show it "
            "less, set llm.capabilities.context_tokens if it takes more, or use a larger model"
        )
    return limited(request, left)
