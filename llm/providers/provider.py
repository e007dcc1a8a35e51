"""What the rest of the product has to know about a provider. Each provider is a file beside this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm.request import Request

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


def unified_reasoning(settings: ModelSettings, request: Request, model: Model) -> None:
    """Set how much the model reasons by pydantic-ai's own setting, which knows what each model takes."""
    assert request.reasoning is not None
    settings["thinking"] = False if request.reasoning == "off" else request.reasoning


@dataclass(frozen=True)
class Provider:
    """A service that answers requests, or a kind of server that the owner runs."""

    name: str
    """Its name in `config.yaml`, also before a model's: `name:model`."""
    connect: Callable[[Endpoint, str], Model]
    """Makes pydantic-ai's client for the model of this name. It imports pydantic-ai itself, which takes a second."""
    connect_responses: Callable[[Endpoint, str], Model] | None = None
    """The same for an API that keeps a model's reasoning between the calls of a conversation, if the one of `connect`
    loses it. A server that lacks this API is asked by the other."""
    address: str = ""
    """Where it is, if its client does not know: for a service that speaks OpenAI's protocol, which
    `openai_compatible.connect` connects."""
    default_model: str = ""
    """The model of agents for which no other is set."""
    key_variable: str | None = None
    """The environment variable that holds its key, which it needs. `llm.provider: auto` takes the first provider of the
    registry whose variable is set."""
    key_prefix: str = ""
    """How its keys begin, if only its keys do: with `auto` it shows whose key `llm.api_key` is."""
    own_server: bool = False
    """The owner runs the server: `llm.base_url` and `llm.model` must be set, and no key is needed."""
    colon_prefixes: tuple[str, ...] | None = None
    """What comes before a colon in the names of its own models; None: anything. Any other word there is an unknown
    provider (`llm/lineup.py`)."""
    highest_temperature: float = 2.0
    """It refuses higher ones, so they are lowered to this."""
    takes_seed: bool = True
    set_reasoning: Callable[[ModelSettings, Request, Model], None] = unified_reasoning
    """Says in the settings how much the model reasons. Called for requests with a level of `reasoning`."""
    strict_schemas: bool = False
    """It can hold structured answers to their schema strictly: every property is then in the answer. Our schemas name
    all properties, as this needs."""
    explain_schema: bool = False
    """The prompt describes the wanted JSON, too: a server that constrains the answer by a grammar does not show the
    grammar to the model."""
    adds_version: bool = False
    """Its client adds the version of the API to an address itself."""
    price_id: str | None = None
    """Its id in genai-prices; None: no prices are published, and calls count in tokens only."""


@dataclass(frozen=True)
class Endpoint:
    """Where requests go. `base_url` None: the provider's own address. The key is never shown."""

    provider: Provider
    base_url: str | None
    api_key: str | None = field(repr=False)

    @property
    def address(self) -> str:
        """The URL that requests go to; empty: one that only the provider's client knows."""
        return self.base_url or self.provider.address
