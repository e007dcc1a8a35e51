"""Requests and answers as rows of the ledger, and back. What is stored has been redacted, piece by piece."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic import JsonValue, TypeAdapter, ValidationError

from llm.errors import LLMError
from llm.request import Answer, CallContext, Request, Thought, ToolCall, Turn
from memory import ModelCall, StoredResponse
from monitoring import redact, whole_text


@dataclass(frozen=True)
class _Said:
    """The answer to a request with tools, which is stored as JSON; other answers are stored as text."""

    text: str
    calls: tuple[ToolCall, ...]
    thoughts: tuple[Thought, ...] = ()


_SAID = TypeAdapter(_Said)


def entry(
    request: Request,
    context: CallContext,
    answer: Answer,
    *,
    cost: float | None,
    cached: bool,
    seconds: float,
    outcome: str = "ok",
) -> ModelCall:
    """The row of one call."""
    return ModelCall(
        workflow_id=context.workflow_id,
        step=context.step,
        request_hash=request.digest(),
        task_id=context.task_id,
        agent=context.agent,
        provider=request.provider,
        model=request.model,
        prompt_hash=request.prompt_digest(),
        prompt=redact(request.text()),
        response=_written(answer, with_calls=bool(request.tools) and outcome == "ok"),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cached_tokens=answer.cached_tokens,
        cost_usd=cost,
        cached=cached,
        seconds=seconds,
        outcome=outcome,
        truncated=answer.truncated,
    )


def failed(request: Request, context: CallContext, error: LLMError, seconds: float, cost: float | None) -> ModelCall:
    """The row of a call without an answer."""
    nothing = Answer(str(error), truncated=False, input_tokens=0, output_tokens=0, cached_tokens=0)
    told = replace(error.billed, text=str(error), calls=(), thoughts=()) if error.billed else nothing
    return entry(request, context, told, cost=cost, cached=False, seconds=seconds, outcome=type(error).__name__)


def replayed(found: StoredResponse, request: Request) -> Answer | None:
    """The answer that was stored for `request`; None when it can no longer be read."""
    try:
        said = _SAID.validate_json(found.response) if request.tools else _Said(found.response, ())
    except ValidationError:
        return None
    return Answer(
        text=said.text,
        # Of an earlier version's answer, one that used up its limit counts as cut off.
        truncated=found.output_tokens >= request.output_limit if found.truncated is None else found.truncated,
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cached_tokens=found.cached_tokens,
        calls=said.calls,
        thoughts=said.thoughts,
    )


def redacted(turn: Turn) -> Turn:
    """The message as it may be sent: a secret in a file must reach neither the provider nor the database, and the name
    of a file may be no UTF-8."""
    return replace(
        turn,
        text=redact(whole_text(turn.text)),
        calls=tuple(_redacted_call(call) for call in turn.calls),
        results=tuple(replace(result, text=redact(whole_text(result.text))) for result in turn.results),
    )


def _written(answer: Answer, *, with_calls: bool) -> str:
    if not with_calls:
        return redact(answer.text)
    calls = tuple(_redacted_call(call) for call in answer.calls)
    return _SAID.dump_json(_Said(redact(answer.text), calls, answer.thoughts), indent=1).decode()


def _redacted_call(call: ToolCall) -> ToolCall:
    """In JSON a secret may hide behind escapes, so its strings are decoded and redacted one by one."""
    try:
        return replace(call, arguments=json.dumps(_redacted_value(json.loads(call.arguments)), ensure_ascii=False))
    except (ValueError, RecursionError):
        return replace(call, arguments=redact(call.arguments))


def _redacted_value(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted_value(item) for item in value]
        case dict():
            return {name: _redacted_value(item) for name, item in value.items()}
        case _:
            return value
