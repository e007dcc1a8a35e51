"""The registry of providers: what it takes to add one, and the names in the configuration that it decides on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from agents.registry import check_names
from cli.options import Choice
from cli.project import load
from config import AgentSettings, ConfigError, LLMSettings, Settings
from llm import PROVIDERS, Lineup, LLMClient, NotConfigured, Provider, provider_names, resolve_provider
from llm.providers import openai_compatible
from memory import MemoryStore
from tests.llm.conftest import context
from tests.support import Answer, Reply, Request, ScriptedModelServer

ACME = Provider(
    "acme",
    openai_compatible.connect,
    address="http://127.0.0.1:1/v1",
    default_model="anvil-1",
    key_variable="ACME_API_KEY",
    highest_temperature=0.5,
    takes_seed=False,
)
CONFIG = """
llm: {provider: acme}
agents: {qa: {model: "acme:anvil-2:free"}}
"""


class Colour(BaseModel):
    name: str


def test_a_provider_is_one_object_and_one_line(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    monkeypatch.setenv("ACME_API_KEY", "key-of-acme")
    with ScriptedModelServer(lambda request: "done") as server:
        config.write_text(CONFIG, encoding="utf-8")
        with pytest.raises(typer.Exit):
            load(Choice(config))
        assert "llm.provider = 'acme': unknown name; allowed: 'auto', 'openai'" in " ".join(
            capsys.readouterr().err.split()
        )

        monkeypatch.setitem(PROVIDERS, ACME.name, replace(ACME, address=server.url))

        settings = load(Choice(config)).settings
        client = LLMClient(settings.llm, settings.agents, store)
        for agent in ("developer", "qa"):
            assert client.generate("Hi.", seed=7, context=context(agent=agent)) == "done"
        client.close()
        sent = [(request.model, request.temperature, request.seed) for request in server.requests]
        keys = {request.headers["authorization"] for request in server.requests}
    assert sent == [("anvil-1", 0.5, None), ("anvil-2:free", 0.5, None)]
    assert keys == {"Bearer key-of-acme"}
    assert {row.key for row in store.ledger.usage("model")} == {"acme/anvil-1", "acme/anvil-2:free"}
    assert {row.cost_usd for row in store.ledger.usage("model")} == {None}


def test_what_one_service_does_not_take_is_still_tried_with_another_that_has_a_model_of_the_same_name(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_tools(request: Request) -> Answer:
        return Reply.status(400, "no response_format") if "response_format" in request.body else {"name": "red"}

    with ScriptedModelServer(only_tools) as first, ScriptedModelServer(lambda request: {"name": "blue"}) as second:
        for name, server in (("acme", first), ("umbrella", second)):
            monkeypatch.setitem(PROVIDERS, name, replace(ACME, name=name, address=server.url))
        monkeypatch.setenv("ACME_API_KEY", "k")
        agents = {"qa": AgentSettings(model="umbrella:anvil-1")}
        client = LLMClient(LLMSettings.model_validate({"provider": "acme"}), agents, store)
        for agent, colour in (("developer", "red"), ("qa", "blue")):
            question = f"Which colour does {agent} like?"
            assert client.generate_structured(question, Colour, context=context(agent=agent)).name == colour
        client.close()
        asked = [["response_format" in request.body for request in server.requests] for server in (first, second)]
    assert asked == [[True, False], [True]]


def test_auto_takes_the_first_provider_of_the_registry_whose_key_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, ACME.name, ACME)
    chosen = [resolve_provider(LLMSettings())]
    for variable in ("ACME_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, "k")
        chosen.append(resolve_provider(LLMSettings()))
    assert chosen == ["local", "acme", "anthropic", "openai"]
    keys = {"api_key": "sk-ant-1"}, {"api_key": "sk-1"}
    assert [resolve_provider(LLMSettings.model_validate(key)) for key in keys] == ["anthropic", "openai"]


@pytest.mark.parametrize(
    ("name", "hint"), [("openia", "; did you mean 'openai'?"), ("Anthropic", "; did you mean 'anthropic'?"), ("x", "")]
)
def test_an_unknown_provider_is_refused_with_those_there_are(name: str, hint: str) -> None:
    settings = Settings.model_validate({"llm": {"provider": name}})
    known = ", ".join(map(repr, provider_names()))
    with pytest.raises(ConfigError) as refused:
        check_names(settings, "config.yaml")
    assert str(refused.value).endswith(f"llm.provider = {name!r}: unknown name; allowed: {known}{hint}")
    with pytest.raises(NotConfigured, match=r"llm\.provider = "):  # also where nobody checked
        resolve_provider(settings.llm)


OPENAI = {"provider": "openai", "api_key": "k"}
GATEWAY = {**OPENAI, "base_url": "http://127.0.0.1:1/v1"}
SERVER = {"provider": "openai_compatible", "base_url": "http://127.0.0.1:1/v1", "model": "m"}


@pytest.mark.parametrize(
    ("llm", "written", "guess"),
    [
        (OPENAI, "openia:gpt-5", "openai:gpt-5"),
        (OPENAI, "OpenAI:gpt-5", "openai:gpt-5"),
        (OPENAI, "antropic:claude-sonnet-5-5", "anthropic:claude-sonnet-5-5"),
        (OPENAI, "google:gemini-3", ""),
        (OPENAI, "qwen2.5-coder:7b", ""),
        (GATEWAY, "openia:gpt-5", "openai:gpt-5"),
        (SERVER, "openai-compatible:qwen3-coder:30b", "openai_compatible:qwen3-coder:30b"),
        (SERVER, "openia:gpt-5", "openai:gpt-5"),
        ({"provider": "local"}, "openia:gpt-5", "openai:gpt-5"),
    ],
)
@pytest.mark.parametrize("place", ["llm.model", "llm.fallback", "agents.qa.model", "agents.qa.escalate_to"])
def test_a_misspelt_provider_is_not_taken_for_a_models_name(
    llm: dict[str, object], written: str, guess: str, place: str
) -> None:
    section, *_, key = place.split(".")
    value = [written] if key in ("fallback", "escalate_to") else written
    given: dict[str, object] = {"llm": llm, "agents": {"qa": {key: value}}}
    if section == "llm":
        given = {"llm": {**llm, key: value}}
    settings = Settings.model_validate(given)

    with pytest.raises(ConfigError) as refused:
        check_names(settings, "config.yaml")
    told = str(refused.value)
    prefix = written.partition(":")[0]
    assert f"{place} = {written!r}: {prefix!r} is not a provider" in told
    assert f"known: {', '.join(PROVIDERS)}" in told
    assert ("did you mean" in told) == bool(guess)
    assert f"did you mean {guess}?" in told or not guess
    if (llm["provider"], place) != ("local", "llm.model"):  # the embedded model has a name of its own
        with pytest.raises(NotConfigured, match=f"^{place}: '{prefix}' is not a provider"):  # also if nobody checked
            Lineup(settings.llm, settings.agents)


@pytest.mark.parametrize(
    ("llm", "written", "provider", "name"),
    [
        (SERVER, "qwen2.5-coder:7b", "openai_compatible", "qwen2.5-coder:7b"),
        (SERVER, "openchat:7b", "openai_compatible", "openchat:7b"),
        (SERVER, "vendor/model:free", "openai_compatible", "vendor/model:free"),
        (SERVER, "openai/o1:free", "openai_compatible", "openai/o1:free"),
        (SERVER, "hf.co/bartowski/Llama-3.2-3B:Q4_K_M", "openai_compatible", "hf.co/bartowski/Llama-3.2-3B:Q4_K_M"),
        (SERVER, "openai_compatible:openia:7b", "openai_compatible", "openia:7b"),
        (GATEWAY, "vendor/model:free", "openai", "vendor/model:free"),
        (GATEWAY, "mistral:7b", "openai", "mistral:7b"),
        (OPENAI, "ft:gpt-4o-mini-2024-07-18:acme::id", "openai", "ft:gpt-4o-mini-2024-07-18:acme::id"),
        (OPENAI, "openai:google:gemini-3", "openai", "google:gemini-3"),
    ],
)
def test_a_colon_in_a_name_is_kept(llm: dict[str, object], written: str, provider: str, name: str) -> None:
    given = {**llm, "model": written, "fallback": [written]}
    settings = Settings.model_validate({"llm": given, "agents": {"qa": {"model": written}}})
    check_names(settings, "config.yaml")
    lineup = Lineup(settings.llm, settings.agents)
    for model in (lineup.of("qa"), lineup.of("ceo"), *lineup.fallbacks()):
        assert (model.provider, model.name) == (provider, name)


@pytest.mark.parametrize("family", ["qwen", "mistral", "llama", "gemma", "phi", "codellama", "starcoder", "granite"])
def test_no_providers_name_is_nearly_that_of_a_family_of_models(family: str) -> None:
    settings = Settings.model_validate({"llm": {**SERVER, "model": f"{family}:7b"}})
    assert Lineup(settings.llm, settings.agents).of("qa").name == f"{family}:7b"


def test_a_check_without_the_key_refuses_nothing_that_the_daemon_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"agents": {"qa": {"model": "ft:gpt-4o:acme::id", "escalate_to": ["gpt-5"]}}})
    check_names(settings, "config.yaml")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    check_names(settings, "config.yaml")
    assert str(Lineup(settings.llm, settings.agents).of("qa")) == "openai:ft:gpt-4o:acme::id"


def test_the_main_model_is_one_of_the_main_provider() -> None:
    settings = LLMSettings.model_validate({**OPENAI, "model": "anthropic:claude-sonnet-5-5"})
    with pytest.raises(NotConfigured, match=r"^llm\.model: .* set llm\.provider to anthropic"):
        Lineup(settings, {"qa": AgentSettings()})
    anything = LLMSettings.model_validate({**SERVER, "model": "local"})  # llama.cpp's server takes any name
    assert str(Lineup(anything, {}).of("qa")) == "openai_compatible:local"
