"""Requests sent through pydantic-ai: only this module, `messages.py` and the providers' files know it and its SDKs.

One event loop, in a thread of its own, carries the requests of all threads, so that they share connections. The
libraries are imported with the first request: they take a second, and a start without work must not wait for them.
"""

from __future__ import annotations

import asyncio
import re
import threading
import warnings
from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from llm.calls.budget import input_tokens
from llm.calls.connecting import no_connection
from llm.calls.in_flight import CallUnderWay
from llm.calls.messages import Mode, answer_of, messages_of, parameters_of
from llm.calls.response_bodies import NO_ANSWER, WAS_CUT
from llm.errors import (
    LLMError,
    ModelUnknown,
    NoAnswer,
    Overloaded,
    PromptTooLong,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from llm.lineup import ServedModel
from llm.profiles import reasons
from llm.providers.provider import Endpoint
from llm.request import Answer, Request
from monitoring import get_logger, redact

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

log = get_logger(__name__)

_Spot: TypeAlias = tuple[str, str, str]
"""Provider, address and model."""
_NOT_ABLE = (400, 422, 501)
_GONE, _TOO_LARGE = 410, 413
_OVERLOADED = (502, 503, 504, 529)
_PARAMETER = re.compile(r"\b(?:max_completion_tokens|max_tokens|temperature|seed|stop|parallel_tool_calls)\b")
"""Parameters that can be left out, or said in another way."""
_NOT_TAKEN = re.compile(
    r"unsupported|not (?:be )?support|unknown|unrecogni[sz]ed|unexpected|extra (?:inputs|fields)|not permitted|"
    r"not allowed|deprecated|only the default|invalid (?:parameter|argument|field)|cannot be (?:set|used|specified)",
    re.IGNORECASE,
)
_LONGEST_DETAIL = 500
_MAY_BE_TOO_LONG = (400, 413, 422, 500)
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size|limit)|exceed_context|maximum (?:context|prompt|input|sequence) length|"
    r"(?:prompt|input|request|conversation)\b[^.\n]{0,40}\btoo (?:long|large)|too many (?:input )?tokens|"
    r"reduce (?:the length|your (?:prompt|message))|(?:input )?token count\b[^.\n]{0,40}\bexceeds|"
    r"number of tokens allowed|longer than the model|`?inputs`? (?:tokens )?\+ `?max_new_tokens|"
    r"tokens to keep from the initial prompt|exceeds the (?:available|maximum) (?:context|number of tokens)",
    re.IGNORECASE,
)
"""How the servers say that a prompt does not fit, as of 2026: vLLM, SGLang, llama.cpp, LM Studio, TGI, Mistral, xAI,
Groq, Together, Gemini and Anthropic (with `max_tokens`); pydantic-ai knows only some of them."""
_OF_VALUES = re.compile(r"must be|at (?:most|least)|(?:less|greater|more) than|too (?:large|high|long)|out of range")
"""How servers say that a value does not fit, and not the parameter."""
_LENGTHS = frozenset({"max_tokens", "max_completion_tokens"})
_SETTINGS = {"max_completion_tokens": "max_tokens", "stop": "stop_sequences"}
"""What pydantic-ai's settings call parameters."""
_IMPORTING = threading.Lock()
"""Held by the one thread that imports pydantic-ai, or a provider's part of it."""


class Wire:
    """Carries one request to one endpoint and brings its answer, once: no retries here. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._model = lru_cache(maxsize=32)(_connected)
        self._without: set[tuple[_Spot, Mode]] = set()
        self._without_reasoning: set[_Spot] = set()
        self._not_taken: dict[_Spot, frozenset[str]] = {}
        self._addresses: dict[Endpoint, Endpoint] = {}

    def ask(self, endpoint: Endpoint, request: Request, timeout: float, call: CallUnderWay) -> Answer:
        """The answer to `request`. `timeout`: seconds for the whole call. Raises ProviderError or PromptTooLong.

        Giving up `call` cancels the request. An address without the /v1 at which the server's API is, is found.
        """
        _load_pydantic_ai()
        known = self._addresses.get(endpoint)
        try:
            return self._ask_as_it_takes(known or endpoint, request, timeout, call)
        except (ModelUnknown, NoAnswer):
            other = None if known else _with_version(endpoint)
            if other is None:
                raise
            try:
                answer = self._ask_as_it_takes(other, request, timeout, call)
            except ProviderError:
                answer = None
            if answer is None:
                raise
            self._addresses[endpoint] = other
            log.warning("the server's API is at another address: set llm.base_url to it", address=other.address)
            return answer

    def _ask_as_it_takes(self, endpoint: Endpoint, request: Request, timeout: float, call: CallUnderWay) -> Answer:
        """The answer, asked for without the parameters that the model's server does not take, each learned once."""
        spot = (endpoint.provider.name, endpoint.address, request.model)
        while True:
            try:
                return self._ask_reasoning(endpoint, request, timeout, call)
            except ProviderRefused as refusal:
                known = self._not_taken.get(spot, frozenset())
                if not refusal.parameter or refusal.parameter in known:
                    raise
                self._not_taken[spot] = known | {refusal.parameter}
                log.warning(
                    "the model takes a parameter in another way, or not at all; so it is from now on",
                    parameter=refusal.parameter, model=request.model,
                )  # fmt: skip

    def _ask_reasoning(self, endpoint: Endpoint, request: Request, timeout: float, call: CallUnderWay) -> Answer:
        spot = (endpoint.provider.name, endpoint.address, request.model)
        if request.reasoning is not None and spot in self._without_reasoning:
            request = _untold(request)
        try:
            return self._ask_in_a_mode(endpoint, request, spot, timeout, call)
        except (ProviderRefused, PromptTooLong) as refusal:
            # Not every server takes the parameter, and the room for reasoning may be too much for its context.
            if request.reasoning is None or not (isinstance(refusal, PromptTooLong) or _of_parameters(refusal)):
                raise
            given = self._ask_in_a_mode(endpoint, _untold(request), spot, timeout, call)
            if isinstance(refusal, ProviderRefused) and not request.thoughts():
                self._without_reasoning.add(spot)
                log.warning("the server takes no reasoning level; it is left out from now on", model=request.model)
            return given

    def _ask_in_a_mode(
        self, endpoint: Endpoint, request: Request, spot: _Spot, timeout: float, call: CallUnderWay
    ) -> Answer:
        mode = self._best_mode(endpoint, request)
        if (spot, mode) in self._without:
            mode = "plain"
        try:
            return self._ask(endpoint, request, mode, timeout, call)
        except ProviderRefused as refusal:
            # Not every OpenAI-compatible server takes a JSON schema or has more than one API; nearly all take tools.
            if mode == "plain" or refusal.status not in (_NOT_ABLE if mode == "native" else (*_NOT_ABLE, 404, 405)):
                raise
            given = self._ask(endpoint, request, "plain", timeout, call)
            self._without.add((spot, mode))
            return given

    def _best_mode(self, endpoint: Endpoint, request: Request) -> Mode:
        if request.schema is not None:
            profile = self._model(endpoint, request.model, "plain").profile
            return "native" if profile.get("supports_json_schema_output", False) else "plain"
        reasons_on = bool(request.tools) and request.reasoning not in (None, "off")
        return "responses" if reasons_on and endpoint.provider.connect_responses is not None else "plain"

    def close(self) -> None:
        """Stop the event loop's thread; requests under way are given up."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_end_all_tasks(), loop)

    def _ask(self, endpoint: Endpoint, request: Request, mode: Mode, timeout: float, call: CallUnderWay) -> Answer:
        from pydantic_ai.direct import model_request
        from pydantic_ai.exceptions import AgentRunError
        from pydantic_ai.settings import ModelSettings

        provider = endpoint.provider
        settings = ModelSettings(
            temperature=min(request.temperature, provider.highest_temperature),
            max_tokens=request.output_limit,
            # `timeout` limits each silence of the connection, `request_timeout` the whole, `max_retries` the SDK's own
            timeout=timeout,
            request_timeout=timeout,
            max_retries=0,
        )
        # A conversation grows at its end, so all of it is cached. Single questions share only their instructions, and
        # caching the rest would cost more than it saves. Providers that cache by themselves ignore this.
        settings["cache"] = True if request.tools else {"messages": False}
        if request.stop:
            settings["stop_sequences"] = list(request.stop)
        if request.seed is not None and provider.takes_seed:
            settings["seed"] = request.seed
        _leave_out(settings, self._not_taken.get((provider.name, endpoint.address, request.model), frozenset()))
        model = self._model(endpoint, request.model, mode)
        if request.reasoning is not None:
            provider.set_reasoning(settings, request, model)
        asked = model_request(
            model,
            messages_of(
                request,
                explain_schema=provider.explain_schema,
                thoughts=mode == "responses" or provider.connect_responses is None,
            ),
            model_settings=settings,
            model_request_parameters=parameters_of(request, mode, strict=provider.strict_schemas),
        )
        try:
            sent = asyncio.run_coroutine_threadsafe(asked, self._running_loop())
            call.sent(sent)
            response = sent.result()
        except CancelledError:
            call.check()
            raise ProviderRefused(f"the call of {request.model!r} was given up: the client was closed") from None
        except AgentRunError as error:
            raise _translated(error, endpoint, request, timeout) from error
        except Exception as error:  # whatever a library makes of what a server sent: it is no answer
            raise _unusable(error, endpoint, request) from error
        try:
            return answer_of(response, request)
        except LLMError:
            raise
        except Exception as error:
            raise _unusable(error, endpoint, request) from error

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="llm-wire", daemon=True).start()
            return self._loop


async def _end_all_tasks() -> None:
    """Cancel all tasks, let them end, then stop the loop that runs this."""
    under_way = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    asyncio.get_running_loop().stop()


def _with_version(endpoint: Endpoint) -> Endpoint | None:
    """The endpoint with the /v1 that an address of the owner's may lack."""
    address = (endpoint.base_url or "").rstrip("/")
    is_theirs = not endpoint.provider.adds_version
    return (
        None if not address or address.endswith("/v1") or not is_theirs else replace(endpoint, base_url=f"{address}/v1")
    )


def _leave_out(settings: ModelSettings, names: frozenset[str]) -> None:
    """Take parameters out of the settings; the limit of the answer has two names."""
    limit = settings.get("max_tokens")
    if names >= _LENGTHS:  # an answer without a bound cannot be paid for
        names -= _LENGTHS
    for name in names:
        settings.pop(_SETTINGS.get(name, name), None)  # type: ignore[misc]  # a key that is not known when it is checked
    if len(_LENGTHS & names) == 1 and limit:
        (other,) = _LENGTHS - names
        settings["extra_body"] = {other: limit}


def _connected(endpoint: Endpoint, model: str, mode: Mode) -> Model:
    # Some models take no temperature. pydantic-ai leaves it out and warns each time, which helps nobody.
    warnings.filterwarnings("ignore", message="Sampling parameters .* not supported", category=UserWarning)
    # A conversation that was shortened loses the thoughts that were bound to what is gone. pydantic-ai asks again.
    warnings.filterwarnings("ignore", message=".* rejected a replayed thinking block")
    responses = endpoint.provider.connect_responses
    with _IMPORTING:  # the providers import what they need
        if mode == "responses" and responses is not None:
            return responses(endpoint, model)
        return endpoint.provider.connect(endpoint, model)


def _load_pydantic_ai() -> None:
    """Import it as a whole, by one thread at a time: threads that import its modules in different orders get half of
    one, since Python lets them go on where they would wait for each other."""
    with _IMPORTING:
        import pydantic_ai.direct
        import pydantic_ai.models  # noqa: F401


def _unusable(error: Exception, endpoint: Endpoint, request: Request) -> ProviderError:
    detail = redact(f"{type(error).__name__}: {error}")[:_LONGEST_DETAIL]
    return ProviderUnavailable(f"{_who(endpoint, request)} gave no usable answer: {detail}")


def _who(endpoint: Endpoint, request: Request) -> str:
    return f"{endpoint.provider.name} model {request.model!r}" + (f" at {endpoint.address}" if endpoint.address else "")


def _translated(
    error: Exception, endpoint: Endpoint, request: Request, timeout: float
) -> ProviderError | PromptTooLong:
    """pydantic-ai's error as one of ours, with a message that says what to do."""
    from pydantic_ai import exceptions as theirs

    who = _who(endpoint, request)
    detail = redact(_words_of(error))[:_LONGEST_DETAIL]
    wait = error.retry_after if isinstance(error, theirs.ModelAPIError) else None
    if _status(error) == _TOO_LARGE or (_status(error) in _MAY_BE_TOO_LONG and _TOO_LONG.search(str(error))):
        return PromptTooLong(f"the prompt does not fit into the context of {who}: {detail}")
    match error:
        case theirs.ModelRequestTimeout() | theirs.ModelTimeoutError():
            return ProviderTimeout(f"{who} did not answer within {timeout:g} s (llm.timeout)")
        case theirs.ModelContextWindowExceededError():
            return PromptTooLong(f"the prompt does not fit into the context of {who}: {detail}")
        case theirs.ModelQuotaExceededError():
            message = f"the account's quota is used up, {who}: {detail}"
            return ProviderRefused(message, status=_status(error), outage=True)
        case theirs.ModelAuthenticationError():
            message = f"{who} does not accept the key; check it. {detail}"
            return ProviderRefused(message, status=_status(error), outage=True)
        case theirs.ModelNotFoundError():
            message = f"{who} does not exist there: check llm.model and llm.base_url. {detail}"
            return ModelUnknown(message, status=_status(error), outage=True)
        case theirs.ModelRequestRejectedError():
            told = f"{who} turned the request down: {detail}"
            return ProviderRefused(told, status=_status(error), parameter=_refused_parameter(error))
        case theirs.ModelRateLimitError():
            return RateLimited(f"{who} limits the rate of requests: {detail}", retry_after=wait)
        case theirs.ModelConnectionError():
            return ProviderUnavailable(f"{no_connection(error, endpoint.address)} ({who})", retry_after=wait)
        case _ if _status(error) == _GONE:
            return ModelUnknown(f"{who} is not there any more: {detail}", status=_status(error), outage=True)
        case _ if _body_of(error).get("type") == NO_ANSWER:
            none = NoAnswer(f"{who} gave no usable answer: {detail}", retry_after=wait)
            none.billed = _counted(_body_of(error).get("counted"))
            if _body_of(error).get(WAS_CUT):  # nobody knows how long it was
                none.billed = Answer("", False, input_tokens(request), request.output_limit, cached_tokens=0)
            return none
        case _ if _status(error) in _OVERLOADED:
            return Overloaded(f"{who} is overloaded: {detail}", retry_after=wait)
        case _:
            return ProviderUnavailable(f"{who} gave no usable answer: {detail}", retry_after=wait)


def _words_of(error: Exception) -> str:
    """What the server says, without the words that pydantic-ai puts around it."""
    said = _body_of(error).get("message")
    return f"{said} (status {_status(error)})" if isinstance(said, str) and said else str(error)


def _counted(counted: object) -> Answer | None:
    """What a server counts for an answer that is none."""
    match counted:
        case [int(read), int(written)] if read or written:
            return Answer("", truncated=False, input_tokens=read, output_tokens=written, cached_tokens=0)
    return None


def _body_of(error: Exception) -> Mapping[str, object]:
    """What the server tells of an error, as far as it does so in the usual way."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else body
    return inner if isinstance(inner, dict) else {"message": inner}


def _refused_parameter(error: Exception) -> str:
    """The parameter that a server says it does not take, empty if it says something else."""
    body, told = _body_of(error), str(error)
    if not _NOT_TAKEN.search(told) or _OF_VALUES.search(told):
        return ""
    named = str(body.get("param") or "").rpartition(".")[2]
    found = _PARAMETER.search(named) or _PARAMETER.search(str(body.get("message") or told))
    return found[0] if found else ""


def _status(error: Exception) -> int | None:
    from pydantic_ai.exceptions import ModelHTTPError

    return error.status_code if isinstance(error, ModelHTTPError) else None


def _of_parameters(refusal: ProviderRefused) -> bool:
    return refusal.status in (400, 422) and not refusal.outage


def _untold(request: Request) -> Request:
    """The request that leaves it to the server how much the model reasons."""
    always = reasons(ServedModel(request.provider, request.model)) == "always"
    return replace(request, reasoning=None, reasoning_tokens=request.reasoning_tokens if always else 0)
