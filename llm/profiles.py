"""What a model can do, as far as the work is arranged differently for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from config import LLMSettings

LOCAL_CONTEXT = 8192
"""Tokens a request to the embedded model may hold, prompt and answer together."""

_CONTEXT = {"local": LOCAL_CONTEXT, "openai": 128_000, "anthropic": 200_000, "openai_compatible": 32_768}
_SMALL_BILLIONS = 9.0


@dataclass(frozen=True)
class ModelProfile:
    """A model as the agents see it."""

    provider: str
    model: str
    small: bool
    """Its opinion of itself means nothing and repairing does not help it: sample, and let tests decide."""
    context_tokens: int
    """Prompt and answer together; a careful guess for servers whose models are not known."""
    continues: bool = False
    """Its server lets it go on from the beginning of an answer."""

    @property
    def approaches(self) -> int:
        """Approaches to a task when the owner does not say how many: samples of a small model are cheap."""
        return 8 if self.small else 2


def profile_of(provider: str, model: str, settings: LLMSettings) -> ModelProfile:
    """The profile of `model`; `llm.profile` decides about `small` where it is not `auto`."""
    small = provider == "local" or (provider == "openai_compatible" and _is_small(model))
    if settings.profile != "auto":
        small = settings.profile == "small"
    return ModelProfile(provider, model, small, _CONTEXT[provider], continues=provider == "local")


def _is_small(model: str) -> bool:
    """By the size in its name, as in `qwen2.5-coder:7b`. A name without one is taken for a strong model."""
    sizes = [float(size) for size in re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z])", model.lower())]
    return bool(sizes) and max(sizes) < _SMALL_BILLIONS
