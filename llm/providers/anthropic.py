"""Anthropic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.calls.response_bodies import http_client
from llm.providers.provider import Endpoint, Provider, unified_reasoning
from llm.request import Request

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


def _connect(endpoint: Endpoint, model: str) -> Model:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    # The SDK adds /v1 itself; people write the address with it or without.
    base_url = endpoint.base_url.rstrip("/").removesuffix("/v1") if endpoint.base_url else None
    return AnthropicModel(
        model, provider=AnthropicProvider(api_key=endpoint.api_key, base_url=base_url, http_client=http_client())
    )


def _set_reasoning(settings: ModelSettings, request: Request, model: Model) -> None:
    """Newer models take a level and decide themselves how long they think; older ones take a number of tokens."""
    from pydantic_ai.models.anthropic import AnthropicModelSettings

    adaptive = model.profile.get("anthropic_supports_adaptive_thinking", False)
    if request.reasoning == "off" or adaptive:
        unified_reasoning(settings, request, model)
    elif not _thought_is_missing(request):
        thinking = AnthropicModelSettings(
            anthropic_thinking={"type": "enabled", "budget_tokens": request.reasoning_tokens}
        )
        settings.update(thinking)
        settings.pop("temperature", None)  # refused together with it


def _thought_is_missing(request: Request) -> bool:
    """Whether the conversation goes on with calls whose message has no thought of this model, as after a fallback. An
    older model that thinks refuses that.
    """
    last = next((turn for turn in reversed(request.turns) if turn.role == "assistant"), None)
    return last is not None and bool(last.calls) and not any(thought in request.thoughts() for thought in last.thoughts)


ANTHROPIC = Provider(
    name="anthropic",
    connect=_connect,
    default_model="claude-sonnet-5-5",
    key_variable="ANTHROPIC_API_KEY",
    key_prefix="sk-ant-",
    colon_prefixes=(),
    highest_temperature=1.0,
    takes_seed=False,
    set_reasoning=_set_reasoning,
    adds_version=True,
    price_id="anthropic",
)
