"""OpenAI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.calls.response_bodies import http_client
from llm.providers.provider import Endpoint, Provider

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def _connect(endpoint: Endpoint, model: str) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(api_key=endpoint.api_key, base_url=endpoint.base_url, http_client=http_client())
    return OpenAIChatModel(model, provider=provider)


def _connect_responses(endpoint: Endpoint, model: str) -> Model:
    """The Responses API. Nothing is stored there: the encrypted reasoning goes to and fro with the messages."""
    from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIResponsesModel(
        model,
        provider=OpenAIProvider(api_key=endpoint.api_key, base_url=endpoint.base_url, http_client=http_client()),
        settings=OpenAIResponsesModelSettings(openai_store=False),
    )


OPENAI = Provider(
    name="openai",
    connect=_connect,
    connect_responses=_connect_responses,
    default_model="gpt-6.1-terra",
    key_variable="OPENAI_API_KEY",
    colon_prefixes=("ft",),  # fine-tuned models: ft:gpt-4o-mini-2024-07-18:organisation::id
    strict_schemas=True,
    price_id="openai",
)
