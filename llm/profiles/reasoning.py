"""How much each agent's model reasons, as the owner says and the model can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from config import AgentSettings, LLMSettings, ReasoningLevel
from llm.lineup import ServedModel
from llm.profiles.profiles import known, reasons
from llm.request import Request

ROOM: dict[ReasoningLevel, int] = {"off": 0, "minimal": 1024, "low": 4096, "medium": 10_240, "high": 20_480}
"""Tokens a model may reason with before it answers. Where the provider takes a number it is the limit; elsewhere the
level decides how long a model reasons, and this much is set aside. With it the usual answers stay under 32,000 tokens,
the most that the older models of Anthropic write."""

_REASONERS = ("ceo", "product", "qa", "developer")
"""The agents whose work is thinking: with `auto` their models reason more than those of the others."""


class Reasoning:
    """The levels of one configuration."""

    def __init__(self, settings: LLMSettings, agents: Mapping[str, AgentSettings]) -> None:
        self._settings = settings
        self._agents = agents

    def level(self, agent: str, model: ServedModel) -> ReasoningLevel | None:
        """How much `model` shall reason for `agent`; None: it is not told, because it cannot, or with `auto` because it
        is unknown or small.

        A model that always reasons cannot be switched off, but reason as little as it can.
        """
        own = self._agents[agent].reasoning if agent in self._agents else None
        setting = own or self._settings.reasoning
        able = reasons(model)
        if able == "never":
            return None
        if setting != "auto":
            return "minimal" if setting == "off" and able == "always" else setting
        family = known(model)
        # More thought does not help small models enough for what it costs: their answers are sampled and tested.
        if family is None or not family.repairs:
            return None
        return "medium" if agent in _REASONERS else "low"

    def applied(self, request: Request, agent: str) -> Request:
        """The request with the level and the room for it that its model gets from `agent`."""
        model = ServedModel(request.provider, request.model)
        level = self.level(agent, model)
        if level is None:
            return replace(request, reasoning=None, reasoning_tokens=0)
        room = ROOM["low"] if reasons(model) == "always" and level == "minimal" else ROOM[level]
        return replace(request, reasoning=level, reasoning_tokens=room)
