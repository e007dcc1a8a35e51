"""Requests in pydantic-ai's messages, and answers out of them.

Like `wire.py` it imports pydantic-ai with the first request.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import TypeAdapter

from llm.calls.budget import input_tokens
from llm.calls.response_bodies import UNREADABLE_USAGE
from llm.errors import ProviderRefused
from llm.request import Answer, Request, Thought, ToolCall, estimate_tokens
from monitoring import get_logger, mask_known, whole_text

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, ThinkingPart, ToolCallPart
    from pydantic_ai.models import ModelRequestParameters

    _Kept: TypeAlias = tuple[ThinkingPart, str | None, dict[str, Any] | None]
    """A thought, and the id and details of the part after it: OpenAI takes the one only before the other."""

log = get_logger(__name__)

Mode: TypeAlias = Literal["native", "responses", "plain"]
"""How an answer is asked for: `native`, a structured one by the provider's own JSON mode; `responses`, a message of a
conversation by the provider's API that keeps reasoning between calls; `plain`, by the usual API, a structured one as
arguments of a tool."""
_OUTPUT_TOOL = "final_result"


def messages_of(request: Request, *, explain_schema: bool, thoughts: bool) -> list[ModelMessage]:
    """The conversation. `explain_schema`: the wanted schema stands in the instructions; `thoughts`: the model gets its
    earlier reasoning back.
    """
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart

    system = request.system
    if request.schema is not None and explain_schema:
        schema = json.dumps(request.schema.schema, separators=(",", ":"), ensure_ascii=False)
        system = f"{system}\n\nAnswer with one JSON value that fits this JSON schema:\n{schema}".lstrip()
    names = {call.id: call.name for turn in request.turns for call in turn.calls}
    theirs = request.thoughts() if thoughts else ()
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
            kept = [thought for thought in turn.thoughts if thought in theirs]
            history.append(ModelResponse(parts=_with_thoughts([*text, *called], kept)))
    return history


def parameters_of(request: Request, mode: Mode, *, strict: bool) -> ModelRequestParameters:
    """The tools and the schema of the answer. `strict`: the provider holds the answer to it."""
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


def answer_of(response: ModelResponse, request: Request) -> Answer:
    """The answer. Raises ProviderRefused when a filter withheld it."""
    from pydantic_ai.messages import TextPart, ToolCallPart

    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [
        ToolCall(part.tool_call_id, part.tool_name, _arguments(part))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    ]
    if calls and request.schema is not None:  # the structured answer came as a call of the output tool
        text, calls = calls[0].arguments, []
    usage = response.usage
    is_readable = max(usage.input_tokens, usage.output_tokens) < UNREADABLE_USAGE
    if not is_readable:
        log.warning("the usage that the server states cannot be true; the worst case counts", model=request.model)
    text = whole_text(text)
    answer = Answer(
        text=text,
        truncated=response.finish_reason == "length",
        # Some servers do not count tokens; the budget needs a number, so it is estimated.
        input_tokens=(usage.input_tokens or estimate_tokens(request.text())) if is_readable else input_tokens(request),
        output_tokens=usage.output_tokens or estimate_tokens(text + "".join(call.arguments for call in calls))
        if is_readable
        else request.output_limit,
        cached_tokens=min(usage.cache_read_tokens, usage.input_tokens) if is_readable else 0,
        written_tokens=min(usage.cache_write_tokens, usage.input_tokens) if is_readable else 0,
        calls=tuple(calls),
        thoughts=_thoughts(response, request) if request.tools else (),
    )
    if response.finish_reason == "content_filter":
        withheld = ProviderRefused(f"{request.provider} withheld the answer of {request.model!r} by its content filter")
        withheld.billed = answer
        raise withheld
    return answer


def _thoughts(response: ModelResponse, request: Request) -> tuple[Thought, ...]:
    """What the model has to get back of its reasoning to go on: what is signed, encrypted or in a field of its own."""
    from pydantic_ai.messages import TextPart, ThinkingPart, ToolCallPart

    found, place = [], 0
    for part, following in zip_longest(response.parts, response.parts[1:]):
        if not isinstance(part, ThinkingPart):
            # All text stands in one part of our message, before the calls.
            place += not isinstance(part, TextPart) or (place == 0 and bool(part.content))
        elif part.signature or part.id:
            kept: _Kept = (part, None, None)
            if isinstance(following, TextPart | ToolCallPart):
                kept = (part, following.id, following.provider_details)
            written = _kept_json().dump_json(kept, exclude_none=True)
            if mask_known(written.decode()) != written.decode():  # no secret is kept, and a signature fits the whole
                continue
            # Whatever stores text takes out what looks like a key. Base32 looks like none.
            data = base64.b32encode(written).decode()
            estimate = estimate_tokens(written.decode())
            tokens = min(estimate, response.usage.output_tokens or estimate)
            found.append(Thought(request.provider, request.model, data, place, tokens))
    return tuple(found)


def _with_thoughts(parts: list[ModelResponsePart], thoughts: Sequence[Thought]) -> list[ModelResponsePart]:
    from pydantic_ai.messages import TextPart, ToolCallPart

    for thought in reversed(thoughts):
        part, next_id, next_details = _kept_json().validate_json(base64.b32decode(thought.data))
        following = parts[thought.place] if thought.place < len(parts) else None
        if next_id and isinstance(following, TextPart | ToolCallPart):
            parts[thought.place] = replace(
                following, id=next_id, provider_name=part.provider_name, provider_details=next_details
            )
        parts.insert(thought.place, part)
    return parts


@cache
def _kept_json() -> TypeAdapter[_Kept]:
    from pydantic_ai.messages import ThinkingPart

    kept: TypeAdapter[_Kept] = TypeAdapter(tuple[ThinkingPart, str | None, dict[str, Any] | None])
    return kept


def _arguments(part: ToolCallPart) -> str:
    if isinstance(part.args, str):
        return whole_text(part.args) or "{}"
    return json.dumps(part.args or {}, ensure_ascii=False)
