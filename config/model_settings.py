"""The settings of models: which ones are asked, how, and what they may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.values import Address, HomePath, Key, ReasoningSetting, Section


class Capabilities(Section):
    """What a model can do; what is not set is known, probed or guessed (`llm/profiles.yaml`)."""

    tools: bool | None = Field(None, description="Calls tools reliably, many in a row.")
    structured: bool | None = Field(None, description="Its structured answers fit their schema.")
    edit_blocks: bool | None = Field(None, description="Writes search/replace blocks that match.")
    whole_files: bool | None = Field(None, description="Rewrites a whole file.")
    repairs: bool | None = Field(None, description="Repairs its own answer when shown how it fails.")
    judges: bool | None = Field(None, description="Its opinion of work, also of its own, is worth something.")
    continues: bool | None = Field(None, description="Its server lets it continue the beginning of an answer.")
    context_tokens: int | None = Field(None, ge=2048, description="Tokens that fit, prompt and answer together.")


class PriceSettings(Section):
    """What a model costs, in US dollars for a million tokens."""

    input: float = Field(ge=0, description="Dollars for a million tokens that the model reads.")
    output: float = Field(ge=0, description="Dollars for a million tokens that it writes; reasoning counts as output.")
    cached_input: float | None = Field(
        None, ge=0, description="The same for input that the provider has in its cache; unset: as input."
    )


class LLMSettings(Section):
    """Which model answers, and how it is asked."""

    provider: str = Field(
        "auto",
        min_length=1,
        description="Who is asked. auto: the key found in the environment decides, else the embedded model; "
        "openai_compatible: a server at base_url (Ollama, vLLM, llama.cpp …); local: the embedded model.",
    )
    api_key: Key | None = Field(
        None, description="Key of the provider; better set in the environment, where each provider has its variable."
    )
    model: str | None = Field(None, description="The provider's model by name; openai and anthropic have a default.")
    base_url: Address | None = Field(
        None, description="Address of the server, such as http://127.0.0.1:11434/v1; needed for openai_compatible."
    )
    temperature: float = Field(0.7, ge=0, le=2, description="How varied answers are; 0 is repeatable.")
    max_tokens: int = Field(2000, ge=16, le=200_000, description="Longest answer, in tokens; reasoning comes on top.")
    reasoning: ReasoningSetting = Field(
        "auto",
        description="How much a model that can reason does so before it answers; it comes on top of max_tokens and is "
        "billed. auto: by agent and model.",
    )
    timeout: float = Field(
        180.0, gt=0, le=3600, description="Seconds one model call may take; one that reasons gets more."
    )
    max_retries: int = Field(
        5, ge=0, le=50, description="How often a call is tried again on 429, 5xx and cut connections."
    )
    cache_ttl: int = Field(3600, ge=0, description="Seconds an answer at temperature 0 is reused; 0 switches off.")
    profile: Literal["auto", "small", "strong"] = Field(
        "auto",
        description="How the model is worked with. small: many samples, each tested; strong: repair from "
        "evidence, review by the model. auto: by the model; an unknown one is tried out once, in four small calls.",
    )
    capabilities: Capabilities = Field(
        Capabilities(), description="Abilities of the agents' models that you know better than `agents list` shows."
    )
    local_model: str = Field(
        "auto",
        min_length=1,
        description="The embedded model: auto (the largest for this machine), a name of `model list`, "
        "hf:owner/repository/file.gguf, or the path of a GGUF file.",
    )
    fallback: list[Annotated[str, Field(min_length=1)]] = Field(
        [],
        description="Models to ask, in this order, while the provider of an agent's model is out: a name, or "
        "provider:name.",
    )
    outage_retry: float = Field(
        300.0, gt=0, le=3600, description="Longest pause, in seconds, between two tries of a provider that is out."
    )
    prices: dict[str, PriceSettings] = Field(
        {},
        description="What models cost whose price is not published, by name or provider:name; 0 for a server of your "
        "own.",
    )
    requests_per_minute: int | None = Field(None, ge=1, description="Most calls to a provider in a minute.")
    tokens_per_minute: int | None = Field(None, ge=1000, description="Most tokens in and out in a minute.")

    @model_validator(mode="before")
    @classmethod
    def _take_former_name(cls, values: object) -> object:
        """`local_model_path`, as the setting was called when it took a path only, still works."""
        if not isinstance(values, dict) or "local_model_path" not in values:
            return values
        path = values["local_model_path"]
        if path and "local_model" in values:
            raise ValueError("local_model_path is the former name of local_model; remove it")
        # a bare file name must not be taken for the name of a model
        former = {"local_model": str(Path(path).expanduser().absolute())} if path else {}
        return {key: value for key, value in values.items() if key != "local_model_path"} | former


class AgentSettings(Section):
    """One agent: how its model is asked, where what is not set comes from `llm`, and what its role is."""

    temperature: float | None = Field(None, ge=0, le=2, description="As llm.temperature, for this agent.")
    max_tokens: int | None = Field(None, ge=16, le=200_000, description="As llm.max_tokens, for this agent.")
    reasoning: ReasoningSetting | None = Field(None, description="As llm.reasoning, for this agent.")
    model: str | None = Field(
        None, min_length=1, description="The model of this agent: one of llm.provider, or provider:name."
    )
    escalate_to: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="Models to try, in this order, when the agent's own fails, as the budget allows."
    )
    duty: str = Field(
        "",
        max_length=2000,
        description='What the role is for, told to it as "You …". A name that is not known yet is a new role with it.',
    )
    title: str = Field("", max_length=80, description="What the role is called in prompts, such as `tax adviser`.")
    prompt: HomePath | None = Field(None, description="A text file with further instructions for the role.")
    handles: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="Types of tasks that the role can be given: opinion, analysis."
    )
    field: list[Annotated[str, Field(min_length=2, max_length=60)]] = Field(
        [], description="Words by which a report that names nobody is known to be the role's: tax, customs."
    )
    reviews: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="Roles whose reports it reviews before they count."
    )
    vetoes: list[Annotated[str, Field(min_length=2, max_length=120)]] = Field(
        [], description="Grounds on which its objection to an idea can be overruled by nobody but you."
    )


class BudgetSettings(Section):
    """What may be spent: a call that might exceed one of these limits is not made. Periods are UTC.

    Unset: no limit, except `task_tokens`.
    """

    task_usd: float | None = Field(None, gt=0, description="US dollars one task may cost, all of its runs together.")
    agent_day_usd: float | None = Field(None, gt=0, description="US dollars one agent may cost in a day.")
    day_usd: float | None = Field(None, gt=0, description="US dollars a day.")
    month_usd: float | None = Field(None, gt=0, description="US dollars a month.")
    task_tokens: int | None = Field(5_000_000, ge=1, description="Tokens, in and out, one task may take.")
    agent_day_tokens: int | None = Field(None, ge=1, description="Tokens one agent may take in a day.")
    day_tokens: int | None = Field(None, ge=1, description="Tokens a day.")
    month_tokens: int | None = Field(None, ge=1, description="Tokens a month.")
    no_limit: bool = Field(
        False, description="true: you say that nothing limits what a day or a month costs; else a model that costs "
        "money is not asked without such a limit."
    )  # fmt: skip

    @property
    def limits_money(self) -> bool:
        """Is there any limit in money?"""
        return any((self.task_usd, self.agent_day_usd, self.day_usd, self.month_usd))
