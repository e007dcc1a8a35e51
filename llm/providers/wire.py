"""Requests sent through pydantic-ai: only this module and `wire_forms` know it and the SDKs below it.

One event loop, in a thread of its own, carries the requests of all threads, so that they share connections. The
libraries are imported with the first request: they take a second, and a start without work must not wait for them.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import CancelledError
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from llm.calls.in_flight import CallUnderWay
from llm.errors import ModelUnknown, PromptTooLong, ProviderError, ProviderRefused, ProviderTimeout, ProviderUnavailable
from llm.providers.provider import Endpoint
from llm.providers.wire_forms import OutputMode, answer, messages, parameters
from llm.request import Answer, Request
from monitoring import redact

if TYPE_CHECKING:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel

    AnyModel: TypeAlias = OpenAIChatModel | AnthropicModel

_WARMEST = {"anthropic": 1.0, "openai": 2.0, "openai_compatible": 2.0, "local": 2.0}
"""Anthropic turns a higher temperature down."""
_LONGEST_DETAIL = 500


class Wire:
    """Carries one request to one endpoint and brings its answer, once: no retries here. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._model = lru_cache(maxsize=32)(_build_model)
        self._without_native: set[tuple[str | None, str]] = set()

    def ask(self, endpoint: Endpoint, request: Request, timeout: float, call: CallUnderWay) -> Answer:
        """The answer to `request`, or a ProviderError or PromptTooLong. `timeout` in seconds, for all of it.

        Giving up `call` cuts the request off.
        """
        spot = (endpoint.base_url, request.model)
        mode: OutputMode = (
            "tool" if spot in self._without_native else _preferred_mode(self._model(endpoint, request.model))
        )
        try:
            return self._ask(endpoint, request, mode, timeout, call)
        except ProviderRefused as refusal:
            # Not every OpenAI-compatible server takes a JSON schema; nearly all take tools.
            if request.schema is None or mode == "tool" or refusal.status not in (400, 422, 501):
                raise
            given = self._ask(endpoint, request, "tool", timeout, call)
            self._without_native.add(spot)
            return given

    def close(self) -> None:
        """Stop the event loop's thread; requests under way are given up."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_end_all_tasks(), loop)

    def _ask(
        self, endpoint: Endpoint, request: Request, mode: OutputMode, timeout: float, call: CallUnderWay
    ) -> Answer:
        from pydantic_ai.direct import model_request
        from pydantic_ai.exceptions import AgentRunError
        from pydantic_ai.settings import ModelSettings

        settings = ModelSettings(
            temperature=min(request.temperature, _WARMEST[endpoint.provider]),
            max_tokens=request.max_tokens,
            # `timeout` bounds each silence of the connection, `request_timeout` the whole, `max_retries` the SDK's own
            timeout=timeout,
            request_timeout=timeout,
            max_retries=0,
        )
        if endpoint.provider == "openai":
            # Reasoning is paid from max_tokens and shuts temperature out: as little of it as the model allows.
            settings["thinking"] = False
        # A conversation grows by its end: all of it is kept. What is asked once shares no more than its instructions,
        # and keeping the rest would cost more than it saves. Providers that keep what they like are not asked.
        settings["cache"] = True if request.tools else {"messages": False}
        if request.stop:
            settings["stop_sequences"] = list(request.stop)
        if request.seed is not None and endpoint.provider != "anthropic":
            settings["seed"] = request.seed
        asked = model_request(
            self._model(endpoint, request.model),
            messages(request, explain_schema=endpoint.provider in ("local", "openai_compatible")),
            model_settings=settings,
            model_request_parameters=parameters(request, mode),
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
        return answer(response, request)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="llm-wire", daemon=True).start()
            return self._loop


async def _end_all_tasks() -> None:
    """Cancel what is under way, let it see that, then stop the loop that runs this."""
    under_way = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    asyncio.get_running_loop().stop()


def _build_model(endpoint: Endpoint, name: str) -> AnyModel:
    # Some models take no temperature; pydantic-ai leaves it out and says so each time, of which nobody has anything.
    warnings.filterwarnings("ignore", message="Sampling parameters .* not supported", category=UserWarning)
    if endpoint.provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        # The SDK adds /v1 by itself; people give the address either way.
        base_url = endpoint.base_url.rstrip("/").removesuffix("/v1") if endpoint.base_url else None
        return AnthropicModel(name, provider=AnthropicProvider(api_key=endpoint.api_key, base_url=base_url))
    from pydantic_ai.models.openai import OpenAIChatModel

    if endpoint.provider == "openai":
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(name, provider=OpenAIProvider(api_key=endpoint.api_key, base_url=endpoint.base_url))
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    assert endpoint.base_url is not None
    return OpenAIChatModel(
        name,
        provider=OpenAICompatibleProvider(endpoint.provider, base_url=endpoint.base_url, api_key=endpoint.api_key),
        profile=OpenAIModelProfile(supports_json_schema_output=True, openai_chat_supports_max_completion_tokens=False),
    )


def _preferred_mode(model: AnyModel) -> OutputMode:
    return "native" if model.profile.get("supports_json_schema_output", False) else "tool"


def _translated(
    error: Exception, endpoint: Endpoint, request: Request, timeout: float
) -> ProviderError | PromptTooLong:
    """pydantic-ai's error as one of ours, in words that say what to do."""
    from pydantic_ai import exceptions as theirs

    who = f"{endpoint.provider} model {request.model!r}" + (f" at {endpoint.base_url}" if endpoint.base_url else "")
    detail = redact(str(error))[:_LONGEST_DETAIL]
    wait = error.retry_after if isinstance(error, theirs.ModelAPIError) else None
    match error:
        case theirs.ModelRequestTimeout() | theirs.ModelTimeoutError():
            return ProviderTimeout(f"{who} did not answer within {timeout:g} s (llm.timeout)")
        case theirs.ModelContextWindowExceededError():
            return PromptTooLong(f"the prompt does not fit into the context of {who}: {detail}")
        case theirs.ModelQuotaExceededError():
            told = f"the account's quota is used up, {who}: {detail}"
            return ProviderRefused(told, status=_status(error), outage=True)
        case theirs.ModelAuthenticationError():
            told = f"{who} does not accept the key: check it. {detail}"
            return ProviderRefused(told, status=_status(error), outage=True)
        case theirs.ModelNotFoundError():
            told = f"{who} does not exist there: check llm.model and llm.base_url. {detail}"
            return ModelUnknown(told, status=_status(error), outage=True)
        case theirs.ModelRequestRejectedError():
            return ProviderRefused(f"{who} turned the request down: {detail}", status=_status(error))
        case theirs.ModelRateLimitError():
            return ProviderUnavailable(f"{who} limits the rate of requests: {detail}", retry_after=wait)
        case theirs.ModelConnectionError():
            return ProviderUnavailable(f"no connection to {who}, or it was cut: {detail}", retry_after=wait)
        case _:
            return ProviderUnavailable(f"{who} gave no usable answer: {detail}", retry_after=wait)


def _status(error: Exception) -> int | None:
    from pydantic_ai.exceptions import ModelHTTPError

    return error.status_code if isinstance(error, ModelHTTPError) else None
