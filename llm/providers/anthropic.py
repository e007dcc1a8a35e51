"""Anthropic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.providers.provider import Endpoint, Provider

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def _connect(endpoint: Endpoint, model: str) -> Model:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    # The SDK adds /v1 itself; people write the address with it or without.
    base_url = endpoint.base_url.rstrip("/").removesuffix("/v1") if endpoint.base_url else None
    return AnthropicModel(model, provider=AnthropicProvider(api_key=endpoint.api_key, base_url=base_url))


ANTHROPIC = Provider(
    name="anthropic",
    connect=_connect,
    default_model="claude-sonnet-5-5",
    key_variable="ANTHROPIC_API_KEY",
    key_prefix="sk-ant-",
    colon_prefixes=(),
    highest_temperature=1.0,
    takes_seed=False,
    price_id="anthropic",
)
