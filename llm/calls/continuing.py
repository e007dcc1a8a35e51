"""What is done with an answer that its length limit cut off: it is continued, or asked for again with more room."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from llm.calls.budget import input_tokens
from llm.errors import PromptTooLong, ProviderRefused
from llm.request import Answer, Request, Turn, limited
from monitoring import get_logger, redact

log = get_logger(__name__)

_MOST_TRIES = 2
_LONGER = 4
"""Each further try may write so many times as much as the one before, and reason twice as much."""
_SHORTEST = 64
"""Tokens of a continuation that is worth a call."""
_GO_ON = "Your answer was cut off at its length limit. Go on exactly where it stopped; repeat and explain nothing."
_SAME_BEGINNING = 60
"""Characters that show that an answer was begun anew; files begin alike, so fewer do not."""
_SHORTEST_REPEAT, _LONGEST_REPEAT = 16, 400
"""Characters that a continuation may repeat; fewer are the same by chance."""
_FENCE = re.compile(r"^```.*$", re.MULTILINE)


def continued(
    request: Request, answer: Answer, ask: Callable[[Request], Answer], *, prefix: bool, room: int | None = None
) -> Answer:
    """`answer` made whole by at most two further calls; still `truncated` if they do not suffice.

    Text is continued: after an instruction to do so, or with `prefix` as the beginning of the assistant's message. When
    reasoning left no room for text, or a call of a tool is cut, the request is put again with more room. A provider
    that refuses the longer request ends it. `room`: tokens that the model's context has for an answer to `request`.
    """
    longer = request
    for _ in range(_MOST_TRIES):
        if not answer.truncated:
            break
        longer = with_more_room(longer)
        goes_on = bool(answer.text) and not answer.calls
        asked = replace(longer, turns=(*request.turns, *_so_far(answer, prefix=prefix))) if goes_on else longer
        if room is not None:
            left = room - (input_tokens(asked) - input_tokens(request))
            if left < _SHORTEST or (not goes_on and left <= request.output_limit):
                break
            asked = limited(asked, left)
        log.info("an answer was cut off; asking on", model=request.model, limit=request.output_limit, goes_on=goes_on)
        try:
            more = ask(asked)
        except (ProviderRefused, PromptTooLong) as refusal:
            if isinstance(refusal, ProviderRefused) and refusal.status not in (400, 422):
                raise  # not because of the length; the task may have been ended
            log.warning("a cut answer could not be continued", model=request.model, problem=str(refusal))
            break
        answer = replace(more, text=_joined(answer.text, more.text)) if goes_on else more
    return answer


def with_more_room(request: Request) -> Request:
    """The request for an answer that may be longer."""
    return replace(request, max_tokens=request.max_tokens * _LONGER, reasoning_tokens=request.reasoning_tokens * 2)


def _so_far(answer: Answer, *, prefix: bool) -> list[Turn]:
    begun = Turn("assistant", redact(answer.text), thoughts=answer.thoughts)
    return [begun] if prefix else [begun, Turn("user", _GO_ON)]


def _joined(begun: str, more: str) -> str:
    """The whole text. Models open the code fence again, repeat the last line, or begin anew."""
    if len(begun) >= _SHORTEST_REPEAT and more.startswith(begun[:_SAME_BEGINNING]):
        return more
    fences = len(_FENCE.findall(begun))
    if fences % 2 and (opened := re.match(r"\s*```\w*\n", more)):
        more = more[opened.end() :]
    for length in range(min(len(begun), len(more), _LONGEST_REPEAT), _SHORTEST_REPEAT - 1, -1):
        if begun.endswith(more[:length]):
            return begun + more[length:]
    return begun + more
