"""Answers of servers as their SDKs can read them, whatever gateways and servers of the owner's really send.

An error that comes as a success, a web page, no choices: these become errors with the server's own words, and are
treated as such. What is missing or odd beside a usable answer is mended: ids of calls, reasons for the end, usage,
half characters.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from monitoring import whole_text

if TYPE_CHECKING:
    import httpx2
NO_ANSWER = "no_answer"
"""The type of an error that came as a success."""
WAS_CUT = "was_cut"
"""The mark of an answer that had begun when its connection was cut, or that was too long to be read."""
UNREADABLE_USAGE = 2**31 - 1
"""Tokens that stand for usage that was stated, but cannot be true: the worst case counts then."""
_MOST_TOKENS = 10**9
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
_LEAST_BODY, _BYTES_PER_TOKEN = 2**20, 32
"""Bytes that an answer may have in any case, and for each token that was asked for: about eight times what tokens have,
so that escapes, thoughts and what servers add fit in."""
_LONGEST_ERROR = 2**16
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_OF_TRANSPORT = ("content-encoding", "content-length", "transfer-encoding")
_BAD_GATEWAY = 502
_SHOWN = 300
_ENDS = {
    "max_tokens": "length", "model_length": "length", "max_output_tokens": "length", "safety": "content_filter",
    "blocked": "content_filter", "recitation": "content_filter", "function_call": "tool_calls",
    "tool_use": "tool_calls",
}  # fmt: skip
"""Reasons for the end in the words of other servers."""
_KNOWN_ENDS = ("stop", "length", "tool_calls", "content_filter")
_THOUGHTS = ("thinking", "redacted_thinking")
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]{0,1000}>", re.DOTALL | re.IGNORECASE)
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""A character above U+FFFF, or half of one, as JSON writes it."""


def http_client() -> httpx2.AsyncClient:
    """The client of pydantic-ai's providers, whose answers are mended."""
    import httpx2
    from pydantic_ai.models import create_async_httpx2_client

    client = create_async_httpx2_client()
    send = client.send

    async def mending(request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = await send(request, **options | {"stream": True})
        if options.get("stream"):
            return response
        try:
            body = await _read(response, _longest_body(request.content) if response.is_success else _LONGEST_ERROR)
        except BaseException as error:
            await response.aclose()
            is_cut = isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.TimeoutException)
            if isinstance(error, _TooLong):
                changed: tuple[int, dict[str, Any]] | None = _not_read(f"the answer is too long: {error}")
            elif is_cut and response.is_success:
                changed = _not_read(f"the connection was cut in the middle of the answer: {error}")
            else:
                raise
        else:
            if not response.is_success:
                return _as_read(response, body)
            changed = mended(body, response.headers.get("content-type", ""))
        if changed is None:
            return _as_read(response, body)
        status, told = changed
        headers = {"content-type": "application/json"}
        return httpx2.Response(status, headers=headers, content=json.dumps(told).encode(), request=request)

    client.send = mending  # type: ignore[method-assign]  # the SDKs call it by this name; a transport loses the proxies
    return client


class _TooLong(Exception):
    """A body has more bytes than an answer of the length that was asked for can have."""


async def _read(response: httpx2.Response, limit: int) -> bytes:
    """The body, decoded. Of an error it is the beginning, at most `limit` bytes; raises _TooLong for a longer answer,
    which is read no further."""
    parts, left = [], limit
    async for part in response.aiter_bytes(_LONGEST_ERROR):
        parts.append(part[:left])
        left -= len(part)
        if left < 0:
            if response.is_success:
                raise _TooLong(f"it has over {limit} bytes, more than the tokens that were asked for can be")
            break
    await response.aclose()
    return b"".join(parts)


def _as_read(response: httpx2.Response, body: bytes) -> httpx2.Response:
    import httpx2

    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _OF_TRANSPORT]
    return httpx2.Response(
        response.status_code, headers=headers, content=body, request=response.request, extensions=response.extensions
    )


def _longest_body(request: bytes) -> int:
    """Bytes that the answer to a request may have, by the tokens that it asks for."""
    try:
        asked = json.loads(request)
    except (ValueError, RecursionError):
        return _LEAST_BODY
    stated = [asked.get(name) for name in _LENGTHS] if isinstance(asked, dict) else []
    tokens = max((count for count in stated if isinstance(count, int)), default=0)
    return max(_LEAST_BODY, tokens * _BYTES_PER_TOKEN)


def mended(body: bytes, content_type: str = "") -> tuple[int, dict[str, Any]] | None:
    """The status and the body of an answer that came as a success, where they have to be others; None if it is good."""
    encoding = (re.search(r"charset=([\w-]+)", content_type) or ["", "utf-8"])[1]
    try:
        text = body.decode(encoding, "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    try:
        read = json.loads(text, parse_constant=lambda _: None)
        found = _whole(read) if _MAYBE_HALF.search(text) else read
    except (ValueError, RecursionError):
        return _error(f"the server's answer is no JSON: {_excerpt(text)}" if text.strip() else "the answer is empty")
    if not isinstance(found, dict):
        return _error(f"the server's answer is no JSON object: {_excerpt(text)}")
    if not any(isinstance(found.get(name), list) and found[name] for name in ("choices", "content", "output")):
        if error := found.get("error"):
            return _error(_words(error), _code(error))
        empty_turn = isinstance(found.get("content"), list) and bool(found.get("stop_reason"))
        return (
            None if empty_turn else _with_usage(_error(f"the server's answer holds nothing: {_excerpt(text)}"), found)
        )
    before = json.dumps(read)
    if isinstance(found.get("choices"), list):
        problem = _mend_choices(found)
        if problem:
            return _with_usage(_error(problem), found)
        found["id"] = found["id"] if isinstance(found.get("id"), str) else "unnamed"
        found["model"] = found["model"] if isinstance(found.get("model"), str) else "unnamed"
        found["object"] = "chat.completion"
        found["created"] = found["created"] if isinstance(found.get("created"), int) else 0
        _mend_usage(found, ("prompt_tokens", "completion_tokens", "total_tokens"), required=False)
    elif isinstance(found.get("content"), list):
        found["content"] = [block for block in found["content"] if _is_block(block)]
        _mend_usage(found, ("input_tokens", "output_tokens"), required=True)
    else:
        _mend_usage(found, ("input_tokens", "output_tokens", "total_tokens"), required=False)
    return None if json.dumps(found) == before and "NaN" not in text else (200, found)


def _is_block(block: object) -> bool:
    """Whether a part of an Anthropic answer is one that can be read: a text has one, a call has its name and arguments.
    Kinds that came after this program was written stand beside the answer, and are left out."""
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    if kind == "text":
        return isinstance(block.get("text"), str)
    if kind == "tool_use":
        return all(isinstance(block.get(name), str) for name in ("id", "name")) and isinstance(block.get("input"), dict)
    return kind in _THOUGHTS


def _mend_choices(found: dict[str, Any]) -> str:
    """Mend the choices of a chat completion; why they are no answer, if they are none."""
    for number, choice in enumerate(found["choices"]):
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            return f"the server's answer has a choice without a message: {_excerpt(json.dumps(choice))}"
        choice["index"] = number
        end = choice.get("finish_reason")
        if end == "error":
            return f"the server ended the answer with an error: {_words(choice.get('error') or message.get('content'))}"
        calls = [_mended_call(call) for call in message.get("tool_calls") or () if isinstance(call, dict)]
        known = {id(call): call["id"] for call in calls if call}
        kept = [call for call in calls if call]
        seen: set[str] = set()
        for call in kept:  # an answer to a call is found by its id
            if known[id(call)] in seen:
                call["id"] = _new_id()
            seen.add(call["id"])
        if kept or message.get("tool_calls") is not None:
            message["tool_calls"] = kept or None
        if isinstance(content := message.get("content"), list):
            message["content"] = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        elif content is not None and not isinstance(content, str):
            message["content"] = json.dumps(content)
        message["role"] = "assistant"
        if end not in _KNOWN_ENDS:
            choice["finish_reason"] = _ENDS.get(str(end).lower(), "tool_calls" if kept else "stop")
    return ""


def _mended_call(call: dict[str, Any]) -> dict[str, Any] | None:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        return None  # nobody can tell what was meant
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments if isinstance(arguments, (dict, list)) else {})
    name = call["id"] if isinstance(call.get("id"), str) and call["id"] else _new_id()
    if _MAYBE_HALF.search(arguments):
        with suppress(ValueError, RecursionError):  # such arguments are refused where they are used
            arguments = json.dumps(_whole(json.loads(arguments)), ensure_ascii=False)
    told = {"name": function["name"], "arguments": arguments}
    return {**call, "id": name, "type": "function", "function": told}


def _mend_usage(found: dict[str, Any], names: tuple[str, ...], *, required: bool) -> None:
    usage = found.get("usage")
    if usage is None and not required:
        return  # some servers do not count
    stated = usage if isinstance(usage, dict) else {}
    values = [stated.get(name) for name in names[:2]]
    if all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS for value in values):
        for name in names[2:]:
            if not isinstance(stated.get(name), int) or not 0 <= stated[name] <= 2 * _MOST_TOKENS:
                stated[name] = sum(stated[each] for each in names[:2])
        for name, value in [*stated.items()]:  # details of tokens: cached, reasoning
            if isinstance(value, dict) and not all(_is_count(count) for count in value.values()):
                stated[name] = {key: count for key, count in value.items() if _is_count(count)}
            elif name.endswith("_tokens") and not _is_count(value):
                stated[name] = 0
        return
    if values == [None, None] and not required and isinstance(usage, dict):
        found["usage"] = None
        return
    found["usage"] = dict.fromkeys(names, UNREADABLE_USAGE)


def _whole(value: Any) -> Any:
    """`value` with half characters, which no file and no database takes, replaced in all of its texts."""
    match value:
        case str():
            return whole_text(value)
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {_whole(name): _whole(each) for name, each in value.items()}
        case _:
            return value


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:16]}"


def _error(words: str, status: int = _BAD_GATEWAY) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": words, "type": NO_ANSWER}}


def _not_read(why: str) -> tuple[int, dict[str, Any]]:
    """What stands for an answer that was not read to its end: the model has written it, and its provider counts it."""
    status, told = _error(why)
    told["error"][WAS_CUT] = True
    return status, told


def _with_usage(error: tuple[int, dict[str, Any]], found: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The error with what the server counts for it."""
    stated = found.get("usage")
    usage: dict[str, Any] = stated if isinstance(stated, dict) else {}
    counted = [usage.get(name, usage.get(other)) for name, other in _COUNTS]
    if all(isinstance(count, int) and 0 <= count <= _MOST_TOKENS for count in counted):
        error[1]["error"]["counted"] = counted
    return error


def _code(error: object) -> int:
    code = error.get("code") or error.get("status") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else _BAD_GATEWAY  # HTTP's errors


def _words(error: object) -> str:
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return _excerpt(error if isinstance(error, str) else json.dumps(error))


def _excerpt(text: str) -> str:
    """What a person may read of it: the text of a page, on one line."""
    told = " ".join(_TAGS.sub(" ", text[:20_000]).split())
    return told if len(told) <= _SHOWN else told[: _SHOWN - 1] + "…"
