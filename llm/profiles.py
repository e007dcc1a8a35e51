"""What a model can do: known from `profiles.yaml`, found out by a probe, set by the owner, or guessed cautiously.

And how much each agent's model reasons, as the owner says and the model can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import yaml

from config import AgentSettings, Capabilities, LLMSettings, ReasoningLevel
from llm.embedded.local_models import LocalModel, served_model
from llm.lineup import ServedModel
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.registry import PROVIDERS
from llm.request import Request
from memory import ModelProbe

Source: TypeAlias = Literal["known", "probed", "guessed", "owner"]
"""Where an ability comes from."""

PROBED = ("tools", "structured", "edit_blocks", "repairs")
"""The abilities that a probe finds out."""
_SMALL_BILLIONS = 9.0
_DATA = Path(__file__).with_name("profiles.yaml")


Reasons: TypeAlias = Literal["never", "optional", "always"]
"""Whether a model reasons before it answers, and whether it can be told not to."""


class Family(Capabilities):
    """Models with the same abilities."""

    models: list[str]
    under: float | None = None
    reasons: Reasons = "never"


class _Table(Capabilities):
    """The whole of `profiles.yaml`."""

    served_context: int
    strong: Capabilities
    middle: Capabilities
    small: Capabilities
    local_small: Capabilities
    local_middle: Capabilities
    guessed: Capabilities
    families: list[Family]


@dataclass(frozen=True)
class ModelProfile:
    """A model as the agents see it."""

    provider: str
    model: str
    tools: bool
    """It calls tools reliably, many in a row, so it can work in a loop of them."""
    structured: bool
    """Its structured answers fit their schema."""
    edit_blocks: bool
    """It writes search/replace blocks that match."""
    whole_files: bool
    """It rewrites a whole file."""
    repairs: bool
    """Showing it how its answer fails helps."""
    judges: bool
    """Its opinion of work, its own too, is worth something."""
    continues: bool
    """Its server lets it continue the beginning of an answer."""
    context_tokens: int
    """Prompt and answer together; a cautious guess for servers whose models are not known."""
    source: Source
    """Where most of this comes from."""
    by_owner: tuple[str, ...] = ()
    """The abilities that the owner set instead."""


def known(model: ServedModel) -> Capabilities | None:
    """What the table says of `model`, or None."""
    if model.provider == EMBEDDED.name:
        local = served_model(model.name) or LocalModel(name=model.name, file=model.name)
        able = _table().local_middle if local.profile == "middle" else _table().local_small
        return able.model_copy(update={"context_tokens": local.context_tokens})
    name = model.name.lower().rpartition("/")[2].removeprefix("ft:")
    size = billions(name)
    for family in _table().families:
        fits_size = family.under is None or (size is not None and size < family.under)
        if fits_size and any(fnmatchcase(name, pattern) for pattern in family.models):
            return family
    return None


def reasons(model: ServedModel) -> Reasons | None:
    """Whether `model` reasons; None when that is not known."""
    found = known(model)
    if found is None:
        return None
    return found.reasons if isinstance(found, Family) else "never"


def tried(model: ServedModel, probe: ModelProbe) -> Capabilities:
    """The abilities that follow from the answers to a probe.

    A judge must have passed all questions and not be of a size whose opinion was never worth anything.
    """
    able = {name: bool(getattr(probe, name)) for name in PROBED}
    size = billions(model.name.lower())
    judges = all(able.values()) and not (size is not None and size < _SMALL_BILLIONS)
    return guessed().model_copy(update={**able, "judges": judges})


def guessed() -> Capabilities:
    """What is assumed of an unknown model."""
    return _table().guessed


def profile_of(
    model: ServedModel, found: Capabilities, source: Source, kind: str, stated: Capabilities
) -> ModelProfile:
    """The profile made of what was `found`, then of the owner's `llm.profile` (`kind`) and `llm.capabilities`."""
    values = _said(_table().guessed) | _said(found)
    if PROVIDERS[model.provider].own_server:
        values["context_tokens"] = min(values["context_tokens"], _table().served_context)
    by_owner: dict[str, bool | int] = {}
    if kind == "small":
        by_owner = {"tools": False, "edit_blocks": False, "repairs": False, "judges": False}
    elif kind == "strong":
        by_owner = {"edit_blocks": True, "repairs": True, "judges": True}
        if source == "guessed":
            by_owner["tools"] = True
    by_owner |= _said(stated)
    values |= by_owner
    return ModelProfile(
        provider=model.provider,
        model=model.name,
        tools=bool(values["tools"]),
        structured=bool(values["structured"]),
        edit_blocks=bool(values["edit_blocks"]),
        whole_files=bool(values["whole_files"]),
        repairs=bool(values["repairs"]),
        judges=bool(values["judges"]),
        continues=bool(values.get("continues", False)),
        context_tokens=values["context_tokens"],
        source=source,
        by_owner=tuple(by_owner),
    )


def abilities(profile: ModelProfile) -> dict[str, bool | int]:
    """The abilities by name, as the owner writes them."""
    return {name: value for name, value in asdict(profile).items() if name in Capabilities.model_fields}


def billions(name: str) -> float | None:
    """Billions of parameters as a model's name states them, as in `qwen2.5-coder:7b`; None when it does not."""
    sizes = [float(size) for size in re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z])", name)]
    return max(sizes, default=None)


def _said(capabilities: Capabilities) -> dict[str, int]:
    """What is set in it; a bool is an int."""
    said: dict[str, int] = capabilities.model_dump(include=set(Capabilities.model_fields), exclude_none=True)
    return said


@cache
def _table() -> _Table:
    return _Table.model_validate(yaml.safe_load(_DATA.read_text(encoding="utf-8")))


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
