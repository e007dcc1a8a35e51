"""The providers there are. A new one is a file beside this one and a line in `PROVIDERS`.

Here settings and environment become definite, too: which provider `llm.provider: auto` means, where it is, and the key.
"""

from __future__ import annotations

import os

from config import LLMSettings, plain_key
from llm.errors import NotConfigured
from llm.providers.anthropic import ANTHROPIC
from llm.providers.openai import OPENAI
from llm.providers.openai_compatible import EMBEDDED, OPENAI_COMPATIBLE
from llm.providers.provider import Endpoint, Provider
from monitoring import register_secret

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        OPENAI,
        ANTHROPIC,
        OPENAI_COMPATIBLE,
        EMBEDDED,
    )
}
"""By name, in the order in which `llm.provider: auto` looks for their keys."""


def provider_names() -> list[str]:
    """What `llm.provider` may be."""
    return ["auto", *PROVIDERS]


def key_variables() -> list[str]:
    """The environment variables of the providers' keys, in the order in which `auto` looks for them."""
    return [provider.key_variable for provider in PROVIDERS.values() if provider.key_variable]


def resolve_provider(settings: LLMSettings) -> str:
    """Name of the provider that `settings` mean. Raises NotConfigured when there is none of that name.

    `auto`: `llm.api_key` or the first key in the environment decides, in the order of `PROVIDERS`; without a key a
    `base_url` means an OpenAI-compatible server; without either, the embedded model answers.
    """
    if settings.provider != "auto":
        if settings.provider not in PROVIDERS:
            raise NotConfigured(f"llm.provider = {settings.provider!r} is not known; set {', '.join(provider_names())}")
        return settings.provider
    if settings.api_key is not None:
        key = settings.api_key.get_secret_value()
        owners = (name for name, each in PROVIDERS.items() if each.key_prefix and key.startswith(each.key_prefix))
        return next(owners, OPENAI.name)
    for name, provider in PROVIDERS.items():
        if provider.key_variable and (os.environ.get(provider.key_variable) or "").strip():
            return name
    return OPENAI_COMPATIBLE.name if settings.base_url else EMBEDDED.name


def _key_of(variable: str) -> str:
    """The key in a variable. Raises NotConfigured for what is no key."""
    try:
        return plain_key(os.environ.get(variable) or "")
    except ValueError as problem:
        raise NotConfigured(f"{variable} {problem}") from None


def resolve_endpoint(settings: LLMSettings, name: str | None = None) -> Endpoint:
    """Address and key of a provider, by default of the one that `settings` mean. Raises NotConfigured.

    `llm.api_key` and `llm.base_url` belong to the provider of the settings; another one has its own address and the
    key in the environment. Only a server of the owner's beside the embedded model is at `llm.base_url`, too. The
    embedded model's address is left out: it is not known before its server runs.
    """
    main = resolve_provider(settings)
    provider = PROVIDERS[name or main]
    is_main = provider.name == main
    own = is_main or (provider.own_server and main == EMBEDDED.name)
    key = settings.api_key.get_secret_value() if own and settings.api_key else None
    if provider.key_variable:
        key = key or _key_of(provider.key_variable)
        if not key:
            instead = ", or set llm.provider to local for the embedded model" if is_main else ""
            raise NotConfigured(
                f"a model of {provider.name!r} is to answer, but there is no key: set {provider.key_variable} in the "
                f"environment or in .env{instead}"
            )
    if provider.own_server:
        needed = {"llm.base_url": settings.base_url if own else None}
        if is_main:
            needed["llm.model"] = settings.model
        if missing := " and ".join(setting for setting, value in needed.items() if not value):
            raise NotConfigured(
                f"a model of {provider.name!r} is to answer, but {missing} is not set; set it in config.yaml"
            )
    register_secret(key)
    return Endpoint(provider, settings.base_url if own and provider is not EMBEDDED else None, key)
