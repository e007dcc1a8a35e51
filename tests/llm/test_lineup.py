"""Which model answers for whom, also across providers, and what the owner says about them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config import AgentSettings, LLMSettings
from llm import LLMClient, LocalModelServer, NotConfigured, Tool, Turn, uses_embedded_model
from memory import MemoryStore
from orchestrator.small_models.method import SmallModels
from tests.llm.conftest import SMALLEST, MakeClient, context
from tests.support import ScriptedModelServer

ESCALATING = {"developer": AgentSettings(escalate_to=["gpt-5", "anthropic:claude-sonnet-5-5"])}


def test_an_agent_asks_other_models_of_several_providers(
    make_client: MakeClient, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModelServer(lambda request: '"yes"') as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-anthropic")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url.removesuffix("/v1"))
        client = make_client(server, agents=ESCALATING)
        models = [None, *client.escalations("developer")]
        for model in models:
            client.generate("a", context=context("1"), model=model)
            client.generate_structured("a", str, context=context("2"), model=model)
            client.converse([Turn("user", "a")], [Tool("t", "", {"type": "object"})], context=context("3"), model=model)
        sent = [(request.api, request.model) for request in server.requests]
        keyed = [any("key-of-anthropic" in value for value in request.headers.values()) for request in server.requests]
    assert sent == [
        *[("openai", "gpt-4o")] * 3,
        *[("openai", "gpt-5")] * 2,
        ("responses", "gpt-5"),
        *[("anthropic", "claude-sonnet-5-5")] * 3,
    ]
    assert keyed == [False] * 6 + [True] * 3
    assert {row.key for row in store.ledger.usage("model")} == {
        "openai/gpt-4o", "openai/gpt-5", "anthropic/claude-sonnet-5-5",
    }  # fmt: skip
    assert client.profile("developer", models[2]).provider == "anthropic"
    assert client.escalations("qa") == []


def test_an_agent_may_live_at_another_provider(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedModelServer(lambda request: "ok") as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-anthropic")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url.removesuffix("/v1"))
        client = make_client(server, agents={"qa": AgentSettings(model="anthropic:claude-haiku-4-5")})
        for agent in ("qa", "developer"):
            client.generate("a", context=context(agent=agent))
        assert [request.api for request in server.requests] == ["anthropic", "openai"]


@pytest.mark.parametrize(
    ("settings", "model", "said"),
    [
        ({"provider": "openai", "api_key": "k"}, "anthropic:claude-sonnet-5-5", "ANTHROPIC_API_KEY"),
        ({"provider": "anthropic", "api_key": "k"}, "openai:gpt-5", "OPENAI_API_KEY"),
        ({"provider": "local", "local_model": SMALLEST.name}, "gpt-5", "openai:gpt-5"),
        (
            {"provider": "local", "local_model": SMALLEST.name},
            "openai_compatible:qwen3-coder:30b",
            "llm.base_url is not set",
        ),
        (
            {"provider": "openai", "api_key": "k", "base_url": "http://127.0.0.1:1/v1"},
            "openai_compatible:m",
            "base_url",
        ),
        ({"provider": "openai", "api_key": "k"}, "openai:", "is not a model"),
        ({"provider": "openai", "api_key": "k"}, "local:tiny", "is not a model"),
    ],
)
def test_a_model_that_cannot_be_asked_stops_the_start(
    settings: dict[str, object], model: str, said: str, store: MemoryStore
) -> None:
    agents = {"developer": AgentSettings(escalate_to=[model])}
    with pytest.raises(NotConfigured, match=said) as caught:
        LLMClient(LLMSettings.model_validate(settings), agents, store, LocalModelServer(SMALLEST))
    assert "agents.developer.escalate_to" in str(caught.value)


def test_a_colon_in_a_name_is_no_provider(make_client: MakeClient) -> None:
    agents = {"developer": AgentSettings(escalate_to=["qwen3-coder:30b", "openai_compatible:qwen3-coder:480b"])}
    with ScriptedModelServer(lambda request: "ok") as server:
        client = make_client(server, "openai_compatible", agents=agents)
        for model in client.escalations("developer"):
            client.generate("a", context=context(), model=model)
        assert [request.model for request in server.requests] == ["qwen3-coder:30b", "qwen3-coder:480b"]


def test_the_embedded_model_may_have_a_server_beside_it(make_client: MakeClient, store: MemoryStore) -> None:
    agents = {"developer": AgentSettings(escalate_to=["openai_compatible:qwen3-coder:30b"])}
    with ScriptedModelServer(lambda request: "ok") as server:
        settings = LLMSettings(provider="local", base_url=server.url, local_model=SMALLEST.name)
        client = LLMClient(settings, agents, store, LocalModelServer(SMALLEST))
        assert client.generate("a", context=context(), model=client.escalations("developer")[0]) == "ok"
        client.close()
    assert client.profile("developer").continues
    assert not SmallModels().suits(client.profile("developer", "openai_compatible:qwen3-coder:30b"))


def test_the_embedded_model_is_needed_where_it_is_named(store: MemoryStore) -> None:
    openai = LLMSettings.model_validate({"provider": "openai", "api_key": "k", "local_model": SMALLEST.name})
    agents = {"developer": AgentSettings(escalate_to=["local"])}
    assert uses_embedded_model(openai, agents)
    assert not uses_embedded_model(openai, {"qa": AgentSettings(model="gpt-5")})
    assert LLMClient(openai, agents, store, LocalModelServer(SMALLEST)).profile("developer", "local").continues
    with pytest.raises(NotConfigured, match="no server to run in"):
        LLMClient(openai, agents, store)


def test_the_owner_knows_better_about_the_agents_models_but_not_about_those_they_escalate_to(
    make_client: MakeClient,
) -> None:
    told = {"tools": True, "context_tokens": 5000}
    agents = {"developer": AgentSettings(escalate_to=["deepseek-chat"])}
    with ScriptedModelServer([]) as server:
        client = make_client(server, "openai_compatible", agents=agents, capabilities=told, profile="small")
        own, other = client.profile("developer"), client.profile("developer", "deepseek-chat")
    assert (own.tools, own.context_tokens, own.repairs, own.source) == (True, 5000, False, "known")
    assert set(own.by_owner) == {"tools", "context_tokens", "edit_blocks", "repairs", "judges"}
    assert (other.repairs, other.judges, other.by_owner) == (True, True, ())


def test_a_wrong_ability_is_refused() -> None:
    with pytest.raises(ValidationError, match="tool"):
        LLMSettings.model_validate({"capabilities": {"tool": True}})
    with pytest.raises(ValidationError, match="context_tokens"):
        LLMSettings.model_validate({"capabilities": {"context_tokens": 100}})
