"""What may be asked in place of a model whose provider is out, and what fits into the embedded one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llm.errors import PromptTooLong
from llm.lineup import ServedModel
from llm.providers.provider import LOCAL_CONTEXT
from llm.request import Request
from llm.tokens import estimate_tokens

_SHORTEST_ANSWER = 64
_TEMPLATE_TOKENS = 64
"""What the chat template adds around the messages, generously."""


def candidates(request: Request, fallbacks: Iterable[ServedModel]) -> list[Request]:
    """The request, and after it the same one for each fallback that can answer it.

    An answer begun for the model to go on from is for few models only, and the embedded one calls no tools.
    """
    found = [request]
    if request.turns[-1].role == "assistant":
        return found
    for model in fallbacks:
        other = replace(request, provider=model.provider, model=model.name)
        if other in found or (model.provider == "local" and request.tools):
            continue
        try:
            found.append(fitted(other))
        except PromptTooLong:
            continue
    return found


def fitted(request: Request) -> Request:
    """The request, for the embedded model with its answer limited to what the context leaves.

    Raises PromptTooLong when that is next to nothing.
    """
    if request.provider != "local":
        return request
    used = estimate_tokens(request.text())
    left = LOCAL_CONTEXT - used - _TEMPLATE_TOKENS
    if left < min(_SHORTEST_ANSWER, request.max_tokens):
        raise PromptTooLong(
            f"the prompt has about {used} tokens, but the embedded model takes {LOCAL_CONTEXT} with its "
            "answer; show it less, or use a larger model"
        )
    return replace(request, max_tokens=min(left, request.max_tokens))
