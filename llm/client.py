"""The one client of all model calls: replayed from the ledger, answered from the cache, or asked and paid for."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from config import AgentSettings, LLMSettings
from llm.errors import InvalidOutput, LLMError, NotConfigured, PromptTooLong, TruncatedOutput
from llm.ledger import Answered, CallContext, Ledger, ModelCall, StoredResponse
from llm.local_server import LocalModelServer
from llm.pricing import cost_usd
from llm.profiles import ModelProfile, profile_of
from llm.providers import Endpoint, default_model, resolve_endpoint
from llm.request import Answer, OutputSchema, Request, Turn
from llm.retrying import with_retries
from llm.tokens import estimate_tokens
from llm.under_way import CallsUnderWay
from llm.wire import Wire
from monitoring import get_logger, redact

log = get_logger(__name__)

M = TypeVar("M")

_MOST_OBJECTIONS = 2
"""How often an answer that does not fit its schema is asked again."""
_TOTAL_TIMEOUTS = 3
"""All tries of one call begin within this many times `llm.timeout`."""
_LOCAL_INPUT_SPEED = 10.0
_LOCAL_OUTPUT_SPEED = 2.0
"""Tokens per second of the embedded model on two busy cores at the worst seen; slower counts as hanging."""
_SHORTEST_ANSWER = 64
_TEMPLATE_TOKENS = 64
"""What the chat template adds around the messages, generously."""


class LLMClient:
    """Asks models for the agents. Thread-safe.

    `agents`: settings of the agents by name; what one does not set comes from `settings`.
    `local`: the embedded model's server; needed when the provider resolves to `local`, and started by the first call.
    Raises NotConfigured when a key, an address or a model name is missing.
    """

    def __init__(
        self,
        settings: LLMSettings,
        agents: Mapping[str, AgentSettings],
        ledger: Ledger,
        local: LocalModelServer | None = None,
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._ledger = ledger
        self._endpoint = resolve_endpoint(settings)
        if self._endpoint.provider == "local" and local is None:
            raise NotConfigured("llm.provider is the embedded model, but it was given no server to run in")
        self._local = local if self._endpoint.provider == "local" else None
        self._wire = Wire()
        self._under_way = CallsUnderWay()

    def generate(
        self,
        prompt: str,
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        opening: str = "",
        stop: Sequence[str] = (),
        context: CallContext,
    ) -> str:
        """The model's answer as text. Raises TruncatedOutput (with what came) when it met its length limit.

        `max_tokens` lowers the configured limit. `opening`: the answer's beginning, for the model to go on from, where
        its profile says that it `continues`; it is part of what comes back. `stop`: words at which the answer ends;
        they are not part of it.
        """
        request = self._request(prompt, system, temperature, max_tokens, seed, None, context)
        if opening:
            request = replace(request, turns=(*request.turns, Turn("assistant", redact(opening))))
        request = replace(request, stop=tuple(stop))
        answer = self._answered(request, context)
        if not answer.text.startswith(redact(opening)):  # some servers give back the opening, too
            answer = replace(answer, text=opening + answer.text)
        if answer.truncated:
            raise TruncatedOutput(
                f"the answer of {request.model!r} for {context.agent} was cut off at {request.max_tokens} tokens; "
                "raise max_tokens or ask for less",
                partial=answer.text,
            )
        return answer.text

    def generate_structured(
        self,
        prompt: str,
        schema: type[M],
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        context: CallContext,
    ) -> M:
        """The model's answer as a `schema`. One that does not fit is asked again with the error, at most twice.

        Raises InvalidOutput when none fitted.
        """
        adapter = TypeAdapter(schema)
        output = OutputSchema(getattr(schema, "__name__", "answer"), adapter.json_schema())
        request = self._request(prompt, system, temperature, max_tokens, None, output, context)
        for objections in range(_MOST_OBJECTIONS + 1):
            answer = self._answered(request, context)
            try:
                return adapter.validate_json(_without_fence(answer.text))
            except ValidationError as error:
                problem = _objection(error, answer, request.max_tokens)
                log.warning("answer does not fit its schema", agent=context.agent, objections=objections, why=problem)
                request = request.answered(answer.text, problem)
        raise InvalidOutput(
            f"{request.model!r} gave {context.agent} no valid {output.name} in {_MOST_OBJECTIONS + 1} answers; "
            f"the last one: {problem}",
            answer=answer.text,
        )

    def profile(self, agent: str) -> ModelProfile:
        """What the model of this agent can do."""
        return profile_of(self._endpoint.provider, self._model_of(agent), self._settings)

    def give_up(self, task_id: str) -> int:
        """Cut off the calls under way for a task that was ended; gives how many. They raise ProviderRefused."""
        return self._under_way.give_up(task_id)

    def close(self) -> None:
        """Give up calls under way and end the client's thread. The embedded model's server is the caller's."""
        self._wire.close()

    def _model_of(self, agent: str) -> str:
        chosen = self._agents[agent].model if agent in self._agents else None
        if self._endpoint.provider == "local":
            chosen = None  # there is one embedded model
        return chosen or default_model(self._endpoint.provider, self._settings)

    def _request(
        self,
        prompt: str,
        system: str,
        temperature: float | None,
        max_tokens: int | None,
        seed: int | None,
        schema: OutputSchema | None,
        context: CallContext,
    ) -> Request:
        agent = self._agents.get(context.agent, AgentSettings())
        chosen = (temperature, agent.temperature, self._settings.temperature)
        longest = agent.max_tokens or self._settings.max_tokens
        request = Request(
            provider=self._endpoint.provider,
            model=self._model_of(context.agent),
            # What is sent is what is stored: a secret in a file must reach neither the provider nor the database.
            system=redact(system),
            turns=(Turn("user", redact(prompt)),),
            temperature=next(value for value in chosen if value is not None),
            max_tokens=min(longest, max_tokens or longest),
            seed=seed,
            schema=schema,
        )
        return _fitted(request, self.profile(context.agent)) if request.provider == "local" else request

    def _answered(self, request: Request, context: CallContext) -> Answer:
        """From the ledger, from the cache, or from the provider; written down before it is handed out."""
        digest = request.digest()
        if found := self._ledger.find_call(context.workflow_id, context.step, digest):
            log.debug("model call replayed", agent=context.agent, step=context.step)
            return _replayed(found, request)
        repeatable = request.temperature == 0 and self._settings.cache_ttl > 0
        if repeatable and (found := self._ledger.cached_response(digest, self._settings.cache_ttl)):
            answer = _replayed(found, request)
            self._ledger.record_call(_entry(request, context, digest, answer, cost=0.0, cached=True, seconds=0.0))
            return answer
        begun = time.monotonic()
        try:
            answer = self._fetch(request, context.task_id)
        except LLMError as error:
            seconds = time.monotonic() - begun
            self._ledger.record_call(_failed(request, context, digest, error, seconds))
            raise
        seconds = time.monotonic() - begun
        cost = cost_usd(
            request.provider, request.model, answer.input_tokens, answer.output_tokens, answer.cached_tokens
        )
        entry = _entry(request, context, digest, answer, cost=cost, cached=False, seconds=seconds)
        self._ledger.record_call(entry)
        if repeatable:
            self._ledger.store_response(digest, StoredResponse.model_validate(entry))
        log.info("model call", agent=context.agent, step=context.step, model=request.model, seconds=round(seconds, 2),
                 input=answer.input_tokens, output=answer.output_tokens, cached=answer.cached_tokens)  # fmt: skip
        return answer

    def _fetch(self, request: Request, task_id: str | None) -> Answer:
        timeout = self._settings.timeout
        if request.provider == "local":
            timeout = max(timeout, _slowest(request))

        def once() -> Answer:
            call.check()
            if self._local is None:
                return self._wire.ask(self._endpoint, request, timeout, call)
            # Waiting for a free slot of the server does not count: the clock starts when it can begin.
            with self._local.slot() as place:
                call.check()
                return self._wire.ask(Endpoint("local", place.base_url, place.api_key), request, timeout, call)

        with self._under_way.call(task_id) as call:
            return with_retries(
                once,
                retries=self._settings.max_retries,
                seconds=timeout * _TOTAL_TIMEOUTS,
                given_up=call.given_up,
            )


def _fitted(request: Request, profile: ModelProfile) -> Request:
    """The request with its answer limited to what the context leaves."""
    used = sum(estimate_tokens(turn.text) for turn in request.turns) + estimate_tokens(request.system)
    left = profile.context_tokens - used - _TEMPLATE_TOKENS
    if left < min(_SHORTEST_ANSWER, request.max_tokens):
        raise PromptTooLong(
            f"the prompt has about {used} tokens, but the embedded model takes {profile.context_tokens} with its "
            "answer; show it less, or use a larger model"
        )
    if left < request.max_tokens:
        return replace(request, max_tokens=left)
    return request


def _slowest(request: Request) -> float:
    """Seconds the embedded model may need for this request on a slow machine."""
    return estimate_tokens(request.text()) / _LOCAL_INPUT_SPEED + request.max_tokens / _LOCAL_OUTPUT_SPEED


def _replayed(found: Answered, request: Request) -> Answer:
    return Answer(
        text=found.response,
        # The ledger keeps no flag for it: an answer that used up its limit was cut off by it.
        truncated=found.output_tokens >= request.max_tokens,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cached_tokens=found.cached_tokens,
    )


def _entry(
    request: Request,
    context: CallContext,
    digest: str,
    answer: Answer,
    *,
    cost: float | None,
    cached: bool,
    seconds: float,
    outcome: str = "ok",
) -> ModelCall:
    return ModelCall(
        workflow_id=context.workflow_id,
        step=context.step,
        request_hash=digest,
        task_id=context.task_id,
        agent=context.agent,
        provider=request.provider,
        model=request.model,
        prompt_hash=request.prompt_digest(),
        prompt=redact(request.text()),
        response=redact(answer.text),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cached_tokens=answer.cached_tokens,
        cost_usd=cost,
        cached=cached,
        seconds=seconds,
        outcome=outcome,
    )


def _failed(request: Request, context: CallContext, digest: str, error: LLMError, seconds: float) -> ModelCall:
    nothing = Answer(str(error), truncated=False, input_tokens=0, output_tokens=0, cached_tokens=0)
    outcome = type(error).__name__
    return _entry(request, context, digest, nothing, cost=0.0, cached=False, seconds=seconds, outcome=outcome)


def _without_fence(text: str) -> str:
    """JSON text without the Markdown fence that models like to put around it."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", text, re.DOTALL)
    return fenced[1] if fenced else text


def _objection(error: ValidationError, answer: Answer, max_tokens: int) -> str:
    """What is wrong with an answer, in words for the model that gave it."""
    if answer.truncated:
        return f"Your answer was cut off at {max_tokens} tokens. Answer again, shorter, with the whole JSON value."
    problems = "\n".join(
        f"- {'.'.join(str(part) for part in detail['loc']) or 'the answer'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_context=False, include_input=False)[:10]
    )
    return f"Your answer is not valid:\n{problems}\nAnswer again with the whole JSON value, corrected."
