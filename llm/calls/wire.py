"""Requests sent through pydantic-ai: only this module and the providers' files know it and the SDKs below it.

One event loop, in a thread of its own, carries the requests of all threads, so that they share connections. The
libraries are imported with the first request: they take a second, and a start without work must not wait for them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import warnings
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import TypeAdapter

from llm.calls.in_flight import CallUnderWay
from llm.errors import ModelUnknown, PromptTooLong, ProviderError, ProviderRefused, ProviderTimeout, ProviderUnavailable
from llm.lineup import ServedModel
from llm.profiles.profiles import reasons
from llm.providers.provider import Endpoint
from llm.request import Answer, Request, Thought, ToolCall, estimate_tokens
from monitoring import get_logger, mask_known, redact

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, ThinkingPart, ToolCallPart
    from pydantic_ai.models import Model, ModelRequestParameters

log = get_logger(__name__)

OutputMode: TypeAlias = Literal["native", "tool"]
"""How a structured answer is asked for: by the provider's own JSON mode, or as arguments of a tool."""
_OUTPUT_TOOL = "final_result"
_LONGEST_DETAIL = 500


class Wire:
    """Carries one request to one endpoint and brings its answer, once: no retries here. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._model = lru_cache(maxsize=32)(_connected)
        self._without_native: set[tuple[str, str, str]] = set()
        self._without_reasoning: set[tuple[str, str, str]] = set()

    def ask(self, endpoint: Endpoint, request: Request, timeout: float, call: CallUnderWay) -> Answer:
        """The answer to `request`. `timeout`: seconds for the whole call. Raises ProviderError or PromptTooLong.

        Giving up `call` cancels the request.
        """
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
        self, endpoint: Endpoint, request: Request, spot: tuple[str, str, str], timeout: float, call: CallUnderWay
    ) -> Answer:
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
        model = self._model(endpoint, request.model)
        if request.reasoning is not None:
            provider.set_reasoning(settings, request, model)
        asked = model_request(
            model,
            _messages(request, explain_schema=provider.explain_schema),
            model_settings=settings,
            model_request_parameters=_parameters(request, mode, strict=provider.strict_schemas),
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
        return _answer(response, request)

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


def _connected(endpoint: Endpoint, model: str) -> Model:
    # Some models take no temperature. pydantic-ai leaves it out and warns each time, which helps nobody.
    warnings.filterwarnings("ignore", message="Sampling parameters .* not supported", category=UserWarning)
    return endpoint.provider.connect(endpoint, model)


def _preferred_mode(model: Model) -> OutputMode:
    return "native" if model.profile.get("supports_json_schema_output", False) else "tool"


def _translated(
    error: Exception, endpoint: Endpoint, request: Request, timeout: float
) -> ProviderError | PromptTooLong:
    """pydantic-ai's error as one of ours, with a message that says what to do."""
    from pydantic_ai import exceptions as theirs

    who = f"{endpoint.provider.name} model {request.model!r}" + (f" at {endpoint.address}" if endpoint.address else "")
    detail = redact(str(error))[:_LONGEST_DETAIL]
    wait = error.retry_after if isinstance(error, theirs.ModelAPIError) else None
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


def _messages(request: Request, *, explain_schema: bool) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart

    system = request.system
    if request.schema is not None and explain_schema:
        schema = json.dumps(request.schema.schema, separators=(",", ":"), ensure_ascii=False)
        system = f"{system}\n\nAnswer with one JSON value that fits this JSON schema:\n{schema}".lstrip()
    names = {call.id: call.name for turn in request.turns for call in turn.calls}
    theirs = request.thoughts()
    history: list[ModelMessage] = []
    for turn in request.turns:
        if turn.role == "user":
            returned = [ToolReturnPart(names[result.call_id], result.text, result.call_id) for result in turn.results]
            # Some providers take no empty text beside the results.
            said = [UserPromptPart(turn.text)] if turn.text or not returned else []
            history.append(ModelRequest(parts=[*returned, *said], instructions=system or None))
        else:
            called = [ToolCallPart(call.name, call.arguments, call.id) for call in turn.calls]
            text = [TextPart(turn.text)] if turn.text or not called else []
            parts: list[ModelResponsePart] = [*text, *called]
            for thought in reversed(turn.thoughts):
                if thought in theirs:
                    parts.insert(thought.place, _thinking_json().validate_json(base64.b32decode(thought.data)))
            history.append(ModelResponse(parts=parts))
    return history


def _parameters(request: Request, mode: OutputMode, *, strict: bool) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    if request.tools:
        offered = [
            ToolDefinition(name=tool.name, parameters_json_schema=dict(tool.parameters), description=tool.description)
            for tool in request.tools
        ]
        return ModelRequestParameters(function_tools=offered)
    if (schema := request.schema) is None:
        return ModelRequestParameters()
    if mode == "native":
        wanted = OutputObjectDefinition(json_schema=dict(schema.schema), name=schema.name, strict=strict or None)
        return ModelRequestParameters(output_mode="native", output_object=wanted)
    tool = ToolDefinition(
        name=_OUTPUT_TOOL,
        parameters_json_schema=dict(schema.schema),
        description=f"Give the answer: {schema.name}.",
        kind="output",
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def _answer(response: ModelResponse, request: Request) -> Answer:
    from pydantic_ai.messages import TextPart, ToolCallPart

    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [
        ToolCall(part.tool_call_id, part.tool_name, _arguments(part))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    ]
    if calls and request.schema is not None:  # the structured answer came as a call of the output tool
        text, calls = calls[0].arguments, []
    if response.finish_reason == "content_filter":
        raise ProviderRefused(f"{request.provider} withheld the answer of {request.model!r} by its content filter")
    usage = response.usage
    text = _storable(text)
    return Answer(
        text=text,
        truncated=response.finish_reason == "length",
        # Some servers do not count tokens; the budget needs a number, so it is estimated.
        input_tokens=usage.input_tokens or estimate_tokens(request.text()),
        output_tokens=usage.output_tokens or estimate_tokens(text + "".join(call.arguments for call in calls)),
        cached_tokens=usage.cache_read_tokens,
        written_tokens=usage.cache_write_tokens,
        calls=tuple(calls),
        thoughts=_thoughts(response, request) if request.tools else (),
    )


def _thoughts(response: ModelResponse, request: Request) -> tuple[Thought, ...]:
    """What the model has to get back of its reasoning to go on: what is signed, encrypted or in a field of its own."""
    from pydantic_ai.messages import TextPart, ThinkingPart

    found, place = [], 0
    for part in response.parts:
        if not isinstance(part, ThinkingPart):
            # All text stands in one part of our message, before the calls.
            place += not isinstance(part, TextPart) or (place == 0 and bool(part.content))
        elif part.signature or part.id:
            written = _thinking_json().dump_json(part, exclude_none=True)
            shown = written.decode()
            if mask_known(shown) != shown:  # no secret is kept, and without it the signature would be wrong
                continue
            tokens = min(estimate_tokens(shown), response.usage.output_tokens or estimate_tokens(shown))
            # Whatever stores text takes out what looks like a key. Base32 looks like none.
            data = base64.b32encode(written).decode()
            found.append(Thought(request.provider, request.model, data, place, tokens))
    return tuple(found)


@cache
def _thinking_json() -> TypeAdapter[ThinkingPart]:
    from pydantic_ai.messages import ThinkingPart

    return TypeAdapter(ThinkingPart)


def _of_parameters(refusal: ProviderRefused) -> bool:
    return refusal.status in (400, 422) and not refusal.outage


def _untold(request: Request) -> Request:
    """The request that leaves it to the server how much the model reasons."""
    always = reasons(ServedModel(request.provider, request.model)) == "always"
    return replace(request, reasoning=None, reasoning_tokens=request.reasoning_tokens if always else 0)


def _storable(text: str) -> str:
    """`text` with pairs of surrogates joined, and single ones, which no file and no database takes, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _arguments(part: ToolCallPart) -> str:
    if isinstance(part.args, str):
        return _storable(part.args) or "{}"
    return json.dumps(part.args or {}, ensure_ascii=False)
