"""A request and its answer in pydantic-ai's terms, and back in ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

from llm.errors import ProviderRefused
from llm.request import Answer, Request, ToolCall
from llm.tokens import estimate_tokens

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
    from pydantic_ai.models import ModelRequestParameters

OutputMode: TypeAlias = Literal["native", "tool"]
"""How a structured answer is asked for: by the provider's own JSON mode, or as arguments of a tool."""
_OUTPUT_TOOL = "final_result"


def messages(request: Request, *, explain_schema: bool) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart

    system = request.system
    if request.schema is not None and explain_schema:
        # A server that constrains the answer by a grammar does not tell the model what the grammar is.
        schema = json.dumps(request.schema.schema, separators=(",", ":"), ensure_ascii=False)
        system = f"{system}\n\nAnswer with one JSON value that fits this JSON schema:\n{schema}".lstrip()
    names = {call.id: call.name for turn in request.turns for call in turn.calls}
    told: list[ModelMessage] = []
    for turn in request.turns:
        if turn.role == "user":
            returned = [ToolReturnPart(names[result.call_id], result.text, result.call_id) for result in turn.results]
            # Some providers take no empty text beside the results.
            said = [UserPromptPart(turn.text)] if turn.text or not returned else []
            told.append(ModelRequest(parts=[*returned, *said], instructions=system or None))
        else:
            called = [ToolCallPart(call.name, call.arguments, call.id) for call in turn.calls]
            text = [TextPart(turn.text)] if turn.text or not called else []
            told.append(ModelResponse(parts=[*text, *called]))
    return told


def parameters(request: Request, mode: OutputMode) -> ModelRequestParameters:
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
        wanted = OutputObjectDefinition(json_schema=dict(schema.schema), name=schema.name)
        return ModelRequestParameters(output_mode="native", output_object=wanted)
    tool = ToolDefinition(
        name=_OUTPUT_TOOL,
        parameters_json_schema=dict(schema.schema),
        description=f"Give the answer: {schema.name}.",
        kind="output",
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def answer(response: ModelResponse, request: Request) -> Answer:
    from pydantic_ai.messages import TextPart, ToolCallPart

    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [
        ToolCall(part.tool_call_id, part.tool_name, _arguments(part))
        for part in response.parts
        if isinstance(part, ToolCallPart)
    ]
    if calls and request.schema is not None:  # the structured answer came by a call of the output tool
        text, calls = calls[0].arguments, []
    if response.finish_reason == "content_filter":
        raise ProviderRefused(f"{request.provider} withheld the answer of {request.model!r} by its content filter")
    usage = response.usage
    return Answer(
        text=text,
        truncated=response.finish_reason == "length",
        # Some servers do not count; what is not counted cannot be budgeted, so it is estimated.
        input_tokens=usage.input_tokens or estimate_tokens(request.text()),
        output_tokens=usage.output_tokens or estimate_tokens(text + "".join(call.arguments for call in calls)),
        cached_tokens=usage.cache_read_tokens,
        written_tokens=usage.cache_write_tokens,
        calls=tuple(calls),
    )


def _arguments(part: ToolCallPart) -> str:
    if isinstance(part.args, str):
        return part.args or "{}"
    return json.dumps(part.args or {}, ensure_ascii=False)
