"""Which model each agent asks, and which ones after it; several providers may serve at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from config import AgentSettings, LLMSettings
from llm.errors import NotConfigured
from llm.providers.provider import Endpoint, Provider, default_model, resolve_endpoint, resolve_provider


@dataclass(frozen=True)
class ServedModel:
    """A model and who serves it."""

    provider: Provider
    name: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


class Lineup:
    """The models of the team.

    A model is written as its name alone, when it is one of the provider of `settings`; else as `provider:name`, or
    `local` for the embedded one. Names may hold colons of their own. Raises NotConfigured, with the setting that names
    the model, when it cannot be asked: a key, an address or a name is missing.
    """

    def __init__(self, settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> None:
        self._settings = settings
        self._agents = agents
        self._main = resolve_provider(settings)
        self.endpoints: dict[Provider, Endpoint] = {self._main: resolve_endpoint(settings)}
        """Where each provider is that serves one of the models."""
        for model in settings.fallback:
            self._connect("llm.fallback", "", model)
        for name, agent in agents.items():
            self._connect(f"agents.{name}.model", name)
            for model in agent.escalate_to:
                self._connect(f"agents.{name}.escalate_to", name, model)

    def of(self, agent: str, model: str | None = None) -> ServedModel:
        """The agent's own model, or the one written as `model`."""
        if model is not None:
            return self._read(model)
        own = self._agents[agent].model if agent in self._agents else None
        if own is None or (self._main == "local" and not _names_provider(own)):  # there is one embedded model
            return ServedModel(self._main, default_model(self._main, self._settings))
        return self._read(own)

    def escalations(self, agent: str) -> list[str]:
        """What may be tried after the agent's own model, in order."""
        return list(self._agents[agent].escalate_to) if agent in self._agents else []

    def fallbacks(self) -> list[ServedModel]:
        """What may be asked while a provider is out, in order."""
        return [self._read(model) for model in self._settings.fallback]

    def _read(self, text: str) -> ServedModel:
        if text == "local":
            return ServedModel("local", default_model("local", self._settings))
        if not _names_provider(text):
            if self._main == "local":
                raise NotConfigured(
                    f"llm.provider is the embedded model, which serves no {text!r}: write the provider before the "
                    f"name, as in openai:{text}"
                )
            return ServedModel(self._main, text)
        prefix, _, name = text.partition(":")
        for provider in get_args(Provider):
            if provider == prefix and provider != "local" and name:
                return ServedModel(provider, name)
        raise NotConfigured(f"{text!r} is no model: write provider:name, or local for the embedded one")

    def _connect(self, setting: str, agent: str, model: str | None = None) -> None:
        try:
            provider = self.of(agent, model).provider
            if provider not in self.endpoints:
                self.endpoints[provider] = resolve_endpoint(self._settings, provider)
        except NotConfigured as problem:
            raise NotConfigured(f"{setting}: {problem}") from None


def uses_embedded_model(settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> bool:
    """Does the embedded model answer for anybody, or may it be escalated to or fall back on?"""
    written = [model for agent in agents.values() for model in (agent.model, *agent.escalate_to)]
    return resolve_provider(settings) == "local" or "local" in (*written, *settings.fallback)


def _names_provider(text: str) -> bool:
    prefix, colon, _ = text.partition(":")
    return text == "local" or (bool(colon) and prefix in get_args(Provider))
