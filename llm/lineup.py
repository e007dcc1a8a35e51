"""Which model each agent asks, and which ones after it; several providers may serve at once.

How a model is written in `config.yaml` (`agents.*.model`, `agents.*.escalate_to`, `llm.fallback`):

- `provider:name` for a model of a registered provider. The name is everything after the first colon.
- `local` for the embedded model.
- A name alone for a model of `llm.provider`. It may hold colons of its own: `qwen2.5-coder:7b` (Ollama),
  `vendor/model:free` (OpenRouter), `ft:gpt-4o:organisation::id` (OpenAI).

So an unregistered word before the first colon is either part of the model's name or a misspelt provider. It counts as a
misspelt provider, and is refused, in two cases: it is almost the name of a registered one, or `llm.provider` is a
service whose own models have no such names (`Provider.colon_prefixes`; any name is possible with `llm.base_url`). If it
really is part of the name, the provider has to be written before it: `openai_compatible:openia:7b`. Words with a slash
are vendors of models, never providers.

`llm.model` is always a model of `llm.provider`, written with or without it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from config import AgentSettings, ConfigProblem, LLMSettings
from llm.embedded.local_models import local_model
from llm.errors import NotConfigured
from llm.providers.openai_compatible import EMBEDDED, OPENAI_COMPATIBLE
from llm.providers.provider import Endpoint
from llm.providers.registry import PROVIDERS, key_variables, provider_names, resolve_endpoint, resolve_provider

_NEARLY = 0.8
"""Similarity from which a word counts as a misspelt provider: `openia` and `openai` have 0.83, Ollama's `openchat` and
`openai` 0.71."""


@dataclass(frozen=True)
class ServedModel:
    """A model and the name of the provider that serves it."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


class Lineup:
    """The models of the team.

    Raises NotConfigured, with the setting that names the model, when one cannot be asked: its provider is not known, or
    a key, an address or a name is missing.
    """

    def __init__(self, settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> None:
        self._settings = settings
        self._agents = agents
        self._main = resolve_provider(settings)
        self.endpoints: dict[str, Endpoint] = {self._main: resolve_endpoint(settings)}
        """Where each provider is that serves one of the models, by its name."""
        try:
            self._main_model = ServedModel(self._main, _main_model(settings, self._main))
        except NotConfigured as problem:
            raise NotConfigured(f"llm.model: {problem}") from None
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
        if own is None:
            return self._main_model
        if self._main == EMBEDDED.name and _split(own, self._settings)[0] is None:  # there is one embedded model
            return self._main_model
        return self._read(own)

    def escalations(self, agent: str) -> list[str]:
        """The models to try after the agent's own, in order."""
        return list(self._agents[agent].escalate_to) if agent in self._agents else []

    def all(self) -> list[ServedModel]:
        """Every model that may be asked."""
        own = [self.of(name) for name in self._agents]
        return [self._main_model, *own, *(self._read(m) for a in self._agents for m in self.escalations(a)),
                *self.fallbacks()]  # fmt: skip

    def fallbacks(self) -> list[ServedModel]:
        """The models to ask while a provider is out, in order."""
        return [self._read(model) for model in self._settings.fallback]

    def _read(self, text: str) -> ServedModel:
        provider, name = _split(text, self._settings)
        if provider == EMBEDDED.name:
            return ServedModel(provider, _embedded_model(self._settings))
        if provider is None and self._main == EMBEDDED.name:
            raise NotConfigured(
                f"llm.provider is the embedded model, which serves no {text!r}: write the provider before the name, "
                f"as in openai:{text}"
            )
        return ServedModel(provider or self._main, name)

    def _connect(self, setting: str, agent: str, model: str | None = None) -> None:
        try:
            provider = self.of(agent, model).provider
            if provider not in self.endpoints:
                self.endpoints[provider] = resolve_endpoint(self._settings, provider)
        except NotConfigured as problem:
            raise NotConfigured(f"{setting}: {problem}") from None


def uses_embedded_model(settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> bool:
    """Does the embedded model answer for any agent, or may calls escalate or fall back to it?"""
    written = [model for agent in agents.values() for model in (agent.model, *agent.escalate_to)]
    return resolve_provider(settings) == EMBEDDED.name or EMBEDDED.name in (*written, *settings.fallback)


def model_name_problems(settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> list[ConfigProblem]:
    """The models whose names are written wrongly, whether or not the others can be asked from here."""
    if settings.provider not in provider_names():
        return []  # a problem of its own; what the names mean depends on it
    written = [("llm.model", settings.model), *(("llm.fallback", model) for model in settings.fallback)]
    for name, agent in agents.items():
        written.append((f"agents.{name}.model", agent.model))
        written += [(f"agents.{name}.escalate_to", model) for model in agent.escalate_to]
    problems = []
    for setting, model in written:
        try:
            _split(model or "", settings)
        except NotConfigured as problem:
            problems.append(ConfigProblem(setting, repr(model), str(problem)))
    return problems


def _main_model(settings: LLMSettings, main: str) -> str:
    """The model of agents that have none of their own."""
    text = settings.model
    if main == EMBEDDED.name and settings.provider == "auto" and text and text != EMBEDDED.name:
        raise NotConfigured(
            f"{text!r} is to answer, but there is no key for it in the environment or in .env: set one "
            f"({', '.join(key_variables())}), or set llm.provider to local for the embedded model"
        )
    if main == EMBEDDED.name:
        return _embedded_model(settings)
    if text is None:
        return PROVIDERS[main].default_model
    if text == EMBEDDED.name:  # servers that have one model answer to any name
        return text
    provider, name = _split(text, settings)
    if provider not in (None, main):
        raise NotConfigured(
            f"{text!r} names another provider than llm.provider, which is {main!r}; set llm.provider to {provider}, or "
            f"write a model of {main} there"
        )
    return name


def _embedded_model(settings: LLMSettings) -> str:
    return local_model(settings).served_name


def _split(text: str, settings: LLMSettings) -> tuple[str | None, str]:
    """The provider that `text` names, None for that of `llm.provider`, and the model's name there.

    Raises NotConfigured when what it names is no provider; the rule is that of this module.
    """
    if text == EMBEDDED.name:
        return text, ""
    prefix, colon, name = text.partition(":")
    if not colon:
        return None, text
    if prefix in PROVIDERS:
        if prefix == EMBEDDED.name or not name:
            raise NotConfigured(f"{text!r} is not a model: write provider:name, or local for the embedded model")
        return prefix, name
    main = PROVIDERS[resolve_provider(settings)]
    close = [] if "/" in prefix else difflib.get_close_matches(prefix.lower(), PROVIDERS, n=1, cutoff=_NEARLY)
    if not close and (settings.base_url or main.colon_prefixes is None or prefix in main.colon_prefixes):
        return None, text
    guess = f"; did you mean {close[0]}:{name}?" if close else "."
    server = OPENAI_COMPATIBLE if main is EMBEDDED else main
    raise NotConfigured(
        f"{prefix!r} is not a provider; known: {', '.join(PROVIDERS)}{guess} If the model really has a colon in its "
        f"name, write its provider before it: {server.name}:{text}"
    )
