"""Reasoning: who is told how much, the room for it, servers that refuse it, and thoughts that go back to the model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from config import AgentSettings, BudgetSettings, LLMSettings, ReasoningLevel
from llm import LLMClient, ProviderRefused, ProviderTimeout, Thought, Tool, ToolResult, Turn
from llm import Reply as LLMReply
from llm.lineup import ServedModel
from llm.profiles import Reasoning
from llm.request import Request as Asked
from memory import MemoryStore
from monitoring import register_secret
from tests.llm.conftest import MakeClient, context
from tests.support import Answer, Reply, Request, ScriptedModelServer
from tests.support.model_protocols import signature

READ = Tool("read_file", "Gives the text of a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
LOOKED = Reply.tool("read_file", {"path": "a.py"}, text="I look.")


class Verdict(BaseModel):
    approved: bool


def sent(server: ScriptedModelServer) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(request.body)) for request in server.requests]


@pytest.mark.parametrize(
    ("setting", "agent", "model", "level"),
    [
        ("auto", "developer", "openai:gpt-6.1-terra", "medium"),
        ("auto", "qa", "anthropic:claude-sonnet-5-5", "medium"),
        ("auto", "ceo", "openai_compatible:openai/gpt-oss-120b", "medium"),
        ("auto", "tech_lead", "anthropic:claude-sonnet-5-5", "low"),
        ("auto", "developer", "openai:gpt-4o", None),
        ("auto", "developer", "anthropic:claude-3-haiku-20240307", None),
        ("auto", "developer", "openai_compatible:qwen2.5-coder:7b", None),
        ("auto", "developer", "openai_compatible:qwen3:8b", None),  # small
        ("auto", "developer", "openai_compatible:nobody-knows", None),
        ("auto", "developer", "local:any", None),
        ("high", "developer", "local:any", None),
        ("high", "developer", "openai:gpt-4o", None),
        ("high", "tech_lead", "openai_compatible:qwen3:8b", "high"),
        ("high", "developer", "openai_compatible:nobody-knows", "high"),
        ("off", "developer", "openai:gpt-6.1-terra", "off"),
        ("off", "developer", "openai:o3", "minimal"),  # as little as it can
        ("off", "developer", "anthropic:claude-opus-5-5", "minimal"),
    ],
)
def test_the_level_follows_setting_agent_and_model(setting: str, agent: str, model: str, level: str | None) -> None:
    provider, _, name = model.partition(":")
    settings = LLMSettings.model_validate({"reasoning": setting})
    assert Reasoning(settings, {}).level(agent, ServedModel(provider, name)) == level


def test_an_agents_own_level_goes_before_the_general_one(make_client: MakeClient) -> None:
    agents = {"qa": AgentSettings(reasoning="high"), "ceo": AgentSettings(reasoning="auto")}
    with ScriptedModelServer([]) as server:
        client = make_client(server, model="gpt-6.1-terra", reasoning="minimal", agents=agents)
        assert [client.reasoning(agent) for agent in ("qa", "developer", "ceo")] == ["high", "minimal", "medium"]
        assert client.reasoning("qa", "gpt-4o") is None


@pytest.mark.parametrize(
    ("provider", "model", "level", "told", "limit"),
    [
        ("openai", "gpt-6.1-terra", "medium", {"reasoning_effort": "medium"}, 300 + 10_240),
        ("openai", "gpt-6.1-terra", "off", {"reasoning_effort": "none", "temperature": 0.2}, 300),
        ("openai", "o3", "off", {"reasoning_effort": "low"}, 300 + 4096),
        ("openai", "gpt-5.2-pro", "low", {"reasoning_effort": "medium"}, 300 + 4096),  # the least that it takes
        ("openai", "gpt-4o", "high", {"temperature": 0.2}, 300),
        ("anthropic", "claude-haiku-4-5", "low", {"thinking": {"type": "enabled", "budget_tokens": 4096}}, 300 + 4096),
        ("anthropic", "claude-haiku-4-5", "off", {"temperature": 0.2}, 300),
        (
            "anthropic", "claude-sonnet-5-5", "medium",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, 300 + 10_240,
        ),
        ("anthropic", "claude-sonnet-5-5", "off", {"thinking": {"type": "between_tools"}}, 300),
        ("anthropic", "claude-3-haiku-20240307", "high", {"temperature": 0.2}, 300),
        ("openai_compatible", "qwen3:32b", "high", {"reasoning_effort": "high", "temperature": 0.2}, 300 + 20_480),
        ("openai_compatible", "qwen3:32b", "off", {"reasoning_effort": "none", "temperature": 0.2}, 300),
        ("openai_compatible", "qwen3:32b", "minimal", {"reasoning_effort": "low", "temperature": 0.2}, 300 + 1024),
        ("openai_compatible", "qwen2.5-coder:7b", "high", {"temperature": 0.2}, 300),
    ],
)  # fmt: skip
def test_each_provider_is_told_in_its_own_way_and_thought_has_room_on_top(
    provider: str, model: str, level: str, told: dict[str, object], limit: int, make_client: MakeClient
) -> None:
    with ScriptedModelServer(["fine"]) as server:
        client = make_client(server, provider, model=model, reasoning=level, max_tokens=300)
        assert client.generate("a", temperature=0.2, context=context()) == "fine"
        [body] = sent(server)
    names = ("reasoning_effort", "thinking", "output_config", "temperature")
    assert {name: body[name] for name in names if name in body} == told
    assert server.requests[0].max_tokens == limit


def test_the_room_is_in_the_worst_case_of_the_budget(store: MemoryStore) -> None:
    budget = BudgetSettings(day_usd=10, day_tokens=50_000)
    reserved: list[float] = []

    def rule(_: Request) -> Answer:
        reserved.extend(state.reserved for state in store.budgets.limit_states(budget)[:2])
        return Reply.text("fine").thinking("hm " * 400)

    with ScriptedModelServer(rule) as server:
        settings = LLMSettings.model_validate(
            {"provider": "openai", "api_key": "k", "base_url": server.url, "model": "gpt-5", "max_tokens": 300}
        )
        client = LLMClient(settings, {}, store, budget=budget)
        client.generate("a" * 300, context=context())
        client.close()
    money, tokens = reserved
    # gpt-5: 1.25 USD for a million tokens in, 10 USD out
    assert tokens == 300 + 10_240 + 183
    assert money == pytest.approx((300 + 10_240) * 10e-6 + 183 * 1.25e-6)
    [row] = store.ledger.usage("task")
    assert row.output_tokens > 300  # what it thought is paid for


def test_a_call_that_reasons_may_take_longer(make_client: MakeClient) -> None:
    with ScriptedModelServer(lambda _: Reply.text("fine").after(1.0)) as server:
        slow = {"timeout": 0.3, "max_retries": 0, "model": "gpt-6.1-terra"}
        assert make_client(server, reasoning="low", **slow).generate("a", context=context("1")) == "fine"
        with pytest.raises(ProviderTimeout):
            make_client(server, reasoning="off", **slow).generate("a", context=context("2"))


def test_a_server_that_refuses_the_level_is_asked_without_it_from_then_on(make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        if "reasoning_effort" in request.body:
            return Reply.status(400, "unknown parameter: reasoning_effort")
        return {"approved": True} if request.schema else "fine"

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "openai_compatible", model="qwen3:32b", reasoning="high", max_tokens=300)
        assert client.generate("a", context=context("1")) == "fine"
        assert client.generate_structured("a", Verdict, context=context("2")).approved
        told = [("reasoning_effort" in body, body["max_tokens"]) for body in sent(server)]
    assert told == [(True, 300 + 20_480), (False, 300), (False, 300)]


def test_a_refusal_that_is_not_about_the_level_is_not_remembered(make_client: MakeClient) -> None:
    script: list[Answer] = [Reply.status(400, "no"), Reply.status(400, "no"), "fine"]
    with ScriptedModelServer(script) as server:
        client = make_client(server, "openai_compatible", model="qwen3:32b", reasoning="low")
        with pytest.raises(ProviderRefused):
            client.generate("a", context=context("1"))
        client.generate("a", context=context("2"))
        assert ["reasoning_effort" in body for body in sent(server)] == [True, False, True]


def test_a_context_without_room_for_thought_is_asked_without_it_once(make_client: MakeClient) -> None:
    full = "This model's maximum context length is 8192 tokens. However, you requested 10540 tokens"

    def rule(request: Request) -> Answer:
        return Reply.status(400, full) if (request.max_tokens or 0) > 8192 else "fine"

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "openai_compatible", model="qwen3:32b", reasoning="medium", max_tokens=300)
        assert client.generate("a", context=context("1")) == "fine"
        assert [body["max_tokens"] for body in sent(server)] == [300 + 10_240, 300]


@pytest.mark.parametrize(
    ("provider", "model"),
    [("anthropic", "claude-sonnet-5-5"), ("anthropic", "claude-haiku-4-5"), ("openai_compatible", "gpt-oss:120b")],
)
def test_thoughts_go_back_in_their_place_also_after_a_restart(
    provider: str, model: str, make_client: MakeClient, store: MemoryStore
) -> None:
    steps: TypeAdapter[LLMReply] = TypeAdapter(LLMReply)
    with ScriptedModelServer([LOOKED.thinking("First the file."), "Done."]) as server:
        for _ in range(2):  # the second one from the ledger
            reply = make_client(server, provider, model=model).converse(
                [Turn("user", "Go.")], [READ], context=context()
            )
        reply = steps.validate_json(steps.dump_json(reply))  # as the engine stores the step
        results = (ToolResult(reply.calls[0].id, "x = 1"),)
        turns = [Turn("user", "Go."), reply.turn(), Turn("user", results=results)]
        done = make_client(server, provider, model=model).converse(turns, [READ], context=context("2"))
        assert done.text == "Done."
        _, again = sent(server)
        called = again["messages"][-2]
    if provider == "anthropic":
        thought = {"type": "thinking", "thinking": "First the file.", "signature": signature("First the file.")}
        assert called["content"][0] == thought
        assert [block["type"] for block in called["content"]] == ["thinking", "text", "tool_use"]
        assert again["thinking"]["type"] == ("adaptive" if "5-5" in model else "enabled")
    else:
        assert called["reasoning_content"] == "First the file."
        assert called["content"] == "I look."


def test_openais_reasoning_goes_back_encrypted_and_nothing_is_stored_there(make_client: MakeClient) -> None:
    script: list[Answer] = [
        LOOKED.thinking("First the file."), Reply.tool("read_file", {}).thinking("Then this one."), "Done.",
    ]  # fmt: skip
    with ScriptedModelServer(script) as server:
        turns = [Turn("user", "Go.")]
        for step in range(3):
            client = make_client(server, model="gpt-6.1-terra", max_tokens=300)  # each after a restart
            reply = client.converse(turns, [READ], system="You mend.", context=context(str(step)))
            results = tuple(ToolResult(call.id, "x = 1") for call in reply.calls)
            turns += [reply.turn(), Turn("user", results=results)]
        assert reply.text == "Done."
        first, _, last = sent(server)
    assert {request.system for request in server.requests} == {"You mend."}
    assert server.requests[-1].results == (("call_2_1", "x = 1"),)
    assert [request.api for request in server.requests] == ["responses"] * 3
    assert (first["store"], first["include"], first["max_output_tokens"]) == (
        False, ["reasoning.encrypted_content"], 4 * 300 + 10_240,
    )  # fmt: skip
    assert first["reasoning"]["effort"] == "medium"
    items = [
        (item.get("type") or item["role"], item.get("id"), item.get("encrypted_content"))
        for item in last["input"]
        if item.get("role") != "system"
    ]
    # Each item keeps its id: a reasoning item is taken only before the item that it was for.
    assert items == [
        ("user", None, None),
        ("reasoning", "rs_1", signature("First the file.")),
        ("message", "msg_1", None),
        ("function_call", None, None),
        ("function_call_output", None, None),
        ("reasoning", "rs_2", signature("Then this one.")),
        ("function_call", "fc_2_1", None),
        ("function_call_output", None, None),
    ]


@pytest.mark.parametrize("status", [400, 404])
def test_a_server_without_the_responses_api_is_asked_by_the_other(status: int, make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        return Reply.status(status, "no such path") if request.api == "responses" else LOOKED

    with ScriptedModelServer(rule) as server:
        client = make_client(server, model="gpt-5")
        for step in ("1", "2"):
            assert client.converse([Turn("user", "Go.")], [READ], context=context(step)).text == "I look."
        assert [request.api for request in server.requests] == ["responses", "openai", "openai"]
        assert sent(server)[-1]["reasoning_effort"] == "medium"


def test_a_model_that_does_not_reason_is_asked_by_the_chat_api(make_client: MakeClient) -> None:
    with ScriptedModelServer(lambda _: LOOKED) as server:
        for model, level in (("gpt-4o", "high"), ("gpt-6.1-terra", "off")):
            client = make_client(server, model=model, reasoning=level)
            client.converse([Turn("user", "Go.")], [READ], context=context(model))
        assert {request.api for request in server.requests} == {"openai"}


def test_people_are_not_shown_thoughts_but_their_tokens_count(make_client: MakeClient, store: MemoryStore) -> None:
    register_secret("the thought with a secret")
    thoughts = ["the plan " * 40, "the thought with a secret"]
    with ScriptedModelServer([LOOKED.thinking(thought) for thought in thoughts]) as server:
        client = make_client(server, "anthropic", model="claude-sonnet-5-5")
        kept, secret = (client.converse([Turn("user", "Go.")], [READ], context=context(str(n))) for n in range(2))
    assert secret.thoughts == ()
    [thought] = kept.thoughts
    plain = Asked("anthropic", "claude-sonnet-5-5", "", (Turn("user", "Go."),), 0.0, 100)
    answered = Asked("anthropic", "claude-sonnet-5-5", "", (*plain.turns, kept.turn()), 0.0, 100)
    assert "plan" not in answered.text()
    assert "plan" not in kept.turn().text
    assert answered.thoughts() == (thought,)
    assert 0 < thought.tokens <= len(thought.data) // 2


def test_another_model_does_not_get_them(make_client: MakeClient) -> None:
    with ScriptedModelServer([LOOKED.thinking("Hm."), "Done."]) as server:
        first = make_client(server, "anthropic", model="claude-sonnet-5-5")
        reply = first.converse([Turn("user", "Go.")], [READ], context=context())
        turns = [Turn("user", "Go."), reply.turn(), Turn("user", results=(ToolResult(reply.calls[0].id, "x"),))]
        make_client(server, "anthropic", model="claude-haiku-4-5").converse(turns, [READ], context=context("2"))
        _, body = sent(server)
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "tool_use"]
    # An older model that thinks refuses calls without a thought of its own before them.
    assert "thinking" not in body


@pytest.mark.filterwarnings("error:.*replayed thinking block")
def test_a_thought_that_no_longer_fits_the_shortened_conversation_is_dropped(make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        if "drop_block" in str(request.body.get("thinking")):
            return "Done."
        if request.results:
            return Reply.status(400, "messages.1: The block is bound to a different conversation")
        return LOOKED.thinking("Hm.")

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "anthropic", model="claude-sonnet-5-5")
        reply = client.converse([Turn("user", "Go.")], [READ], context=context())
        turns = [Turn("user", "Go on."), reply.turn(), Turn("user", results=(ToolResult(reply.calls[0].id, "x"),))]
        assert client.converse(turns, [READ], context=context("2")).text == "Done."
        client.converse([Turn("user", "Go.")], [READ], context=context("3"))
        assert sent(server)[-1]["thinking"] == {"type": "adaptive"}  # still asked to reason


def test_a_refusal_because_of_earlier_thoughts_is_not_taken_for_one_of_the_level(make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        if request.results and "thinking" in request.body:
            return Reply.status(400, "messages.1: thinking blocks cannot be modified")
        return LOOKED.thinking("Hm.")

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "anthropic", model="claude-haiku-4-5")
        reply = client.converse([Turn("user", "Go.")], [READ], context=context())
        turns = [Turn("user", "Go."), reply.turn(), Turn("user", results=(ToolResult(reply.calls[0].id, "x"),))]
        client.converse(turns, [READ], context=context("2"))
        client.converse([Turn("user", "Go.")], [READ], context=context("3"))
        assert ["thinking" in body for body in sent(server)] == [True, True, False, True]


def test_messages_stored_by_earlier_versions_are_read() -> None:
    old = '{"text": "I look.", "calls": [{"id": "c", "name": "read_file", "arguments": "{}"}], "truncated": false}'
    reply: LLMReply = TypeAdapter(LLMReply).validate_json(old)
    assert (reply.thoughts, reply.turn().thoughts) == ((), ())
    assert TypeAdapter(Turn).validate_json('{"role": "user", "text": "a", "calls": [], "results": []}') == Turn(
        "user", "a"
    )


def test_what_is_not_set_changes_no_digest() -> None:
    turns = (Turn("user", "a"),)
    # as version 0.1.0 made it
    old = "e794d2c67da734b1df4b843cd2f4b6d3c3b1ae2edd16003c2bd6b80ca570ea31"
    assert Asked("local", "q", "", turns, 0.0, 64).digest() == old
    level: ReasoningLevel = "low"
    thought = Thought("local", "q", "{}", 0, 1)
    others = [
        Asked("local", "q", "", turns, 0.0, 64, reasoning=level),
        Asked("local", "q", "", turns, 0.0, 64, reasoning=level, reasoning_tokens=9),
        Asked("local", "q", "", (Turn("user", "a", thoughts=(thought,)),), 0.0, 64),
    ]
    assert len({old, *(request.digest() for request in others)}) == 4


def test_a_fallback_reasons_as_its_own_model_does(make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        return "fine" if request.model == "qwen3:32b" else Reply.status(503)

    with ScriptedModelServer(rule) as server:
        client = make_client(
            server, "openai_compatible", model="qwen2.5-coder:7b", max_retries=0, max_tokens=300,
            fallback=["qwen3:32b"],
        )  # fmt: skip
        assert client.generate("a", context=context()) == "fine"
        told = [(body.get("reasoning_effort"), body["max_tokens"]) for body in sent(server)]
    assert told == [(None, 300), ("medium", 300 + 10_240)]
