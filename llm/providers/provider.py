"""Which provider answers, where it is, and with which model: settings and environment made definite."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from config import LLMSettings
from llm.errors import NotConfigured
from monitoring import register_secret

Provider: TypeAlias = Literal["openai", "anthropic", "openai_compatible", "local"]

LOCAL_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
LOCAL_CONTEXT = 8192
"""Tokens a request to the embedded model may hold, prompt and answer together."""
_KEY_VARIABLES: dict[Provider, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_DEFAULT_MODELS: dict[Provider, str] = {"openai": "gpt-6.1-terra", "anthropic": "claude-sonnet-5-5"}


@dataclass(frozen=True)
class Endpoint:
    """Where requests go. `base_url` None: the provider's own address. The key is never shown."""

    provider: Provider
    base_url: str | None
    api_key: str | None = field(repr=False)


def resolve_provider(settings: LLMSettings) -> Provider:
    """The provider that `settings` mean.

    `auto`: `llm.api_key` or the key in the environment decides (OpenAI before Anthropic); without a key a `base_url`
    means an OpenAI-compatible server; without either, the embedded model answers.
    """
    if settings.provider != "auto":
        return settings.provider
    if settings.api_key is not None:
        return "anthropic" if settings.api_key.get_secret_value().startswith("sk-ant-") else "openai"
    for provider, variable in _KEY_VARIABLES.items():
        if os.environ.get(variable):
            return provider
    return "openai_compatible" if settings.base_url else "local"


def resolve_endpoint(settings: LLMSettings, provider: Provider | None = None) -> Endpoint:
    """Address and key of a provider, by default the one that `settings` mean. Raises NotConfigured.

    `llm.api_key` and `llm.base_url` belong to the provider of the settings; another one has its own address and the
    key in the environment. Only an OpenAI-compatible server beside the embedded model is at `llm.base_url`, too.
    For `local` the address is not known before its server runs; it is left out.
    """
    main = resolve_provider(settings)
    provider = provider or main
    own = provider == main or (provider == "openai_compatible" and main == "local")
    key = settings.api_key.get_secret_value() if own and settings.api_key else None
    if variable := _KEY_VARIABLES.get(provider):
        key = key or os.environ.get(variable)
        if not key:
            instead = ", or set llm.provider to local for the embedded model" if provider == main else ""
            raise NotConfigured(
                f"a model of {provider!r} is wanted but there is no key: set {variable} in the environment or in .env"
                + instead
            )
    needed = {"llm.base_url": settings.base_url if own else None}
    if provider == main:
        needed["llm.model"] = settings.model
    if provider == "openai_compatible" and not all(needed.values()):
        missing = " and ".join(name for name, value in needed.items() if not value)
        raise NotConfigured(f"a model of 'openai_compatible' is wanted but {missing} is not set; set it in config.yaml")
    register_secret(key)
    return Endpoint(provider, settings.base_url if own and provider != "local" else None, key)


def default_model(provider: Provider, settings: LLMSettings) -> str:
    """Name of the model of agents that have none of their own."""
    if provider == "local":
        return settings.local_model_path.stem if settings.local_model_path else LOCAL_MODEL
    return settings.model or _DEFAULT_MODELS.get(provider, "")
