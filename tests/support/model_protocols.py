"""The wire formats of the scripted model server: parses requests and builds answers."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from pydantic import JsonValue

Api: TypeAlias = Literal["openai", "responses", "anthropic"]
Json: TypeAlias = dict[str, JsonValue]
Call: TypeAlias = tuple[str, JsonValue]
"""Name and arguments of a tool call; as text they are sent as they are, where the API sends text."""


@dataclass(frozen=True)
class Parsed:
    """The parts of a request that all APIs have."""

    model: str
    system: str
    messages: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str], ...]
    schema: Json | None
    schema_name: str
    tools: tuple[str, ...]
    temperature: float | None
    max_tokens: int | None
    seed: int | None


@dataclass(frozen=True)
class Usage:
    """Token counts, estimated as four characters per token."""

    input: int
    output: int
    cached: int

    @classmethod
    def estimate(cls, asked: str, answered: str, cached: int) -> Self:
        return cls(input=max(1, len(asked) // 4), output=max(1, len(answered) // 4), cached=cached)


def api_of(path: str) -> Api | None:
    """The API that a request path belongs to, if any; `/v1` and a query are optional."""
    plain = path.split("?", 1)[0]
    if plain.endswith("/chat/completions"):
        return "openai"
    if plain.endswith("/responses"):
        return "responses"
    return "anthropic" if plain.endswith("/messages") else None


def parse(api: Api, body: Json) -> Parsed:
    """Read a request of any of the APIs."""
    if api == "responses":
        return _parse_responses(body)
    return _parse_openai(body) if api == "openai" else _parse_anthropic(body)


def _parse_responses(body: Json) -> Parsed:
    """Of structured answers it knows nothing: they are asked for by the chat API."""
    items = _objects(body.get("input"))
    messages = [(_role(item), _text(item.get("content"))) for item in items if _role(item) in ("user", "assistant")]
    outputs = [item for item in items if item.get("type") == "function_call_output"]
    newest = [*itertools.takewhile(lambda item: item.get("type") != "function_call", reversed(items))]
    return Parsed(
        model=_str(body.get("model")),
        system="\n\n".join(_text(item.get("content")) for item in items if _role(item) in ("system", "developer")),
        messages=tuple(messages),
        results=tuple((_str(item.get("call_id")), _str(item.get("output"))) for item in outputs if item in newest),
        schema=None,
        schema_name="",
        tools=tuple(_str(tool.get("name")) for tool in _objects(body.get("tools"))),
        temperature=_float(body.get("temperature")),
        max_tokens=_int(body.get("max_output_tokens")),
        seed=None,
    )


def _parse_openai(body: Json) -> Parsed:
    messages = _objects(body.get("messages"))
    system = [_text(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    rest = [m for m in messages if m.get("role") not in ("system", "developer")]
    functions = {_str(f.get("name")): _object(f.get("parameters")) for f in _functions(body)}
    wanted = _object(body.get("response_format"))
    schema, name = _output_tool(functions, _str(_object(_object(body.get("tool_choice")).get("function")).get("name")))
    if wanted.get("type") == "json_schema":
        described = _object(wanted.get("json_schema"))
        schema, name = _object(described.get("schema")), _str(described.get("name"))
        name = "" if name in functions else name
    elif wanted.get("type") == "json_object":
        schema, name = {"type": "object"}, ""
    return Parsed(
        model=_str(body.get("model")),
        system="\n\n".join(system),
        messages=tuple((_role(m), _openai_text(m)) for m in rest),
        results=_openai_results(rest),
        schema=schema,
        schema_name=name,
        tools=tuple(functions),
        temperature=_float(body.get("temperature")),
        max_tokens=_int(body.get("max_completion_tokens", body.get("max_tokens"))),
        seed=_int(body.get("seed")),
    )


def _parse_anthropic(body: Json) -> Parsed:
    tools = {_str(t.get("name")): _object(t.get("input_schema")) for t in _objects(body.get("tools"))}
    schema, name = _output_tool(tools, _str(_object(body.get("tool_choice")).get("name")))
    wanted = _object(_object(body.get("output_config")).get("format"))
    if wanted.get("type") == "json_schema":
        schema, name = _object(wanted.get("schema")), ""
    return Parsed(
        model=_str(body.get("model")),
        system=_text(body.get("system")),
        messages=tuple((_role(m), _text(m.get("content"))) for m in _objects(body.get("messages"))),
        results=_anthropic_results(_objects(body.get("messages"))),
        schema=schema,
        schema_name=name,
        tools=tuple(tools),
        temperature=_float(body.get("temperature")),
        max_tokens=_int(body.get("max_tokens")),
        seed=None,
    )


def _output_tool(tools: dict[str, Json], forced: str) -> tuple[Json | None, str]:
    """The tool that requests structured output: the forced one, or the only one."""
    name = forced if forced in tools else next(iter(tools), "") if len(tools) == 1 else ""
    return (tools[name], name) if name else (None, "")


def success_body(
    api: Api, model: str, content: str, calls: Sequence[Call], *, truncated: bool, usage: Usage, number: int,
    thought: str = "",
) -> Json:  # fmt: skip
    """The body of an answer in the format of `api`: text, tool calls, or both, after the model's `thought`."""
    if api == "openai":
        return _openai_body(model, content, calls, truncated, usage, number, thought)
    if api == "responses":
        return _responses_body(model, content, calls, truncated, usage, number, thought)
    return _anthropic_body(model, content, calls, truncated, usage, number, thought)


def _openai_body(
    model: str, content: str, calls: Sequence[Call], truncated: bool, usage: Usage, number: int, thought: str
) -> Json:
    message: Json = {"role": "assistant", "content": content}
    if thought:
        message["reasoning_content"] = thought
    reason = "stop"
    if calls:
        message["content"] = content or None
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{position}",
                "type": "function",
                "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
            }
            for position, (name, given) in enumerate(calls, 1)
        ]
        reason = "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if truncated else reason}],
        "usage": {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
        },
    }


def _responses_body(
    model: str, content: str, calls: Sequence[Call], truncated: bool, usage: Usage, number: int, thought: str
) -> Json:
    output: list[JsonValue] = []
    if thought:
        encrypted = signature(thought)
        output.append({"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": encrypted})
    if content:
        text: Json = {"type": "output_text", "text": content, "annotations": []}
        output.append(
            {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": [text]}
        )
    for position, (name, given) in enumerate(calls, 1):
        output.append(
            {
                "type": "function_call",
                "id": f"fc_{number}_{position}",
                "call_id": f"call_{number}_{position}",
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(given),
                "status": "completed",
            }
        )
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": int(time.time()),
        "model": model,
        "status": "incomplete" if truncated else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if truncated else None,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": len(thought) // 4},
            "total_tokens": usage.input + usage.output,
        },
    }


def _anthropic_body(
    model: str, content: str, calls: Sequence[Call], truncated: bool, usage: Usage, number: int, thought: str
) -> Json:
    blocks: list[JsonValue] = []
    if thought:
        blocks.append({"type": "thinking", "thinking": thought, "signature": signature(thought)})
    if content or not (calls or thought):
        blocks.append({"type": "text", "text": content})
    for position, (name, given) in enumerate(calls, 1):
        blocks.append({"type": "tool_use", "id": f"toolu_{number}_{position}", "name": name, "input": given})
    reason = "tool_use" if calls else "end_turn"
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": "max_tokens" if truncated else reason,
        "stop_sequence": None,
        # Anthropic reports cached input separately
        "usage": {
            "input_tokens": max(0, usage.input - usage.cached),
            "output_tokens": usage.output,
            "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": 0,
        },
    }


def signature(thought: str) -> str:
    """The signature of a thought; it looks like a key, as real ones may."""
    return "sk-" + hashlib.sha256(thought.encode()).hexdigest()


def error_body(api: Api, code: int, message: str) -> Json:
    """The body of an error in the format of `api`."""
    if api == "anthropic":
        kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
        kinds |= {404: "not_found_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": kinds.get(code, "api_error"), "message": message}}
    kind = "rate_limit_exceeded" if code == 429 else "server_error" if code >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "code": None, "param": None}}


def _functions(body: Json) -> list[Json]:
    return [_object(tool.get("function")) for tool in _objects(body.get("tools"))]


def _openai_text(message: Json) -> str:
    calls = message.get("tool_calls")
    text = _text(message.get("content"))
    return f"{text}{json.dumps(calls)}" if calls else text


def _openai_results(messages: list[Json]) -> tuple[tuple[str, str], ...]:
    newest = [*itertools.takewhile(lambda message: _role(message) != "assistant", reversed(messages))]
    tools = [message for message in reversed(newest) if _role(message) == "tool"]
    return tuple((_str(message.get("tool_call_id")), _text(message.get("content"))) for message in tools)


def _anthropic_results(messages: list[Json]) -> tuple[tuple[str, str], ...]:
    blocks = _objects(messages[-1].get("content")) if messages else []
    returned = [block for block in blocks if block.get("type") == "tool_result"]
    return tuple((_str(block.get("tool_use_id")), _text(block.get("content"))) for block in returned)


def _text(content: JsonValue) -> str:
    """The text of a message: a string, or blocks, of which text is joined and the others are shown as JSON."""
    if isinstance(content, str):
        return content
    return "\n".join(
        _str(block["text"]) if "text" in block else _text(block.get("content")) or json.dumps(block)
        for block in _objects(content)
    )


def _role(message: Json) -> str:
    return _str(message.get("role"))


def _object(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: JsonValue) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _str(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _float(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _int(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int | float) else None
