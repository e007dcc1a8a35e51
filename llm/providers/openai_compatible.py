"""Servers that speak OpenAI's chat completions: Ollama, vLLM, llama.cpp, OpenRouter and many more, and the one with
which the daemon serves the embedded model itself (`llm/embedded/`).

A service with an address and a key of its own that speaks them, too, needs no code: a `Provider` with `connect`,
`set_reasoning` and `address`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm.calls.response_bodies import http_client
from llm.providers.provider import Endpoint, Provider
from llm.request import Request

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


def connect(endpoint: Endpoint, model: str) -> Model:
    """The client for a model of such a server or service."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    return OpenAIChatModel(
        model,
        provider=OpenAICompatibleProvider(
            endpoint.provider.name, base_url=endpoint.address, api_key=endpoint.api_key, http_client=http_client()
        ),
        profile=OpenAIModelProfile(supports_json_schema_output=True, openai_chat_supports_max_completion_tokens=False),
    )


def set_reasoning(settings: ModelSettings, request: Request, model: Model) -> None:
    """Most of these servers know `none`, `low`, `medium` and `high`. pydantic-ai cannot know what their models take."""
    from pydantic_ai.models.openai import OpenAIChatModelSettings

    match request.reasoning:
        case "off":
            settings.update(OpenAIChatModelSettings(openai_reasoning_effort="none"))
        case "minimal":
            settings.update(OpenAIChatModelSettings(openai_reasoning_effort="low"))
        case level:
            settings.update(OpenAIChatModelSettings(openai_reasoning_effort=level))


OPENAI_COMPATIBLE = Provider(
    name="openai_compatible",
    connect=connect,
    own_server=True,
    explain_schema=True,
    set_reasoning=set_reasoning,
)


EMBEDDED = Provider(name="local", connect=connect, explain_schema=True)
