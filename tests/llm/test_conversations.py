"""Conversations with tools: what goes over the wire for each provider, and what a replay gives back."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue

from llm import PromptTooLong, Tool, ToolCall, ToolResult, Turn, Window, estimate_tokens
from memory import MemoryStore
from memory.database.schema import model_cache, model_calls
from monitoring import register_secret
from tests.llm.conftest import MODELS, MakeClient, context
from tests.support import Reply, Request, ScriptedModelServer

PROVIDERS: list[str] = list(MODELS)
PATH: dict[str, JsonValue] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = Tool("read_file", "Gives the text of a file.", PATH)
FINISH = Tool("finish", "Says that the work is done.", {"type": "object", "properties": {}})
TOOLS = [READ, FINISH]


def test_no_two_conversations_have_the_same_digest_by_chance(make_client: MakeClient, store: MemoryStore) -> None:
    call = ToolCall("c1", "read_file", '{"path": "a"}')
    asked = Turn("user", "go")
    conversations = [
        ([asked], TOOLS),
        ([asked], [READ]),
        ([asked, Turn("assistant", calls=(call,)), Turn("user", results=(ToolResult("c1", "x"),))], TOOLS),
        ([asked, Turn("assistant", calls=(call,)), Turn("user", results=(ToolResult("c1", "y"),))], TOOLS),
        ([asked, Turn("assistant", "", (call, call)), Turn("user", results=(ToolResult("c1", "x"),))], TOOLS),
    ]
    with ScriptedModelServer(lambda request: "ok") as server:
        client = make_client(server)
        for _ in range(2):
            for turns, tools in conversations:
                client.converse(turns, tools, context=context())
        assert len(server.requests) == len(conversations)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_model_calls_tools_and_reads_their_results(provider: str, make_client: MakeClient) -> None:
    script = [
        Reply.tools(("read_file", {"path": "a.py"}), ("read_file", {"path": "ü.py"}), text="I look."),
        Reply.tool("finish", {}),
    ]
    with ScriptedModelServer(script) as server:
        client = make_client(server, provider)
        turns = [Turn("user", "Mend a.py.")]
        first = client.converse(turns, TOOLS, system="You mend.", context=context("1"))

        assert (first.text, first.truncated) == ("I look.", False)
        assert [(call.name, json.loads(call.arguments)) for call in first.calls] == [
            ("read_file", {"path": "a.py"}),
            ("read_file", {"path": "ü.py"}),
        ]
        results = tuple(ToolResult(call.id, f"text {call.id}") for call in first.calls)
        turns += [Turn("assistant", first.text, first.calls), Turn("user", "Go on.", results=results)]
        second = client.converse(turns, TOOLS, system="You mend.", context=context("2"))

        assert [(call.name, call.arguments) for call in second.calls] == [("finish", "{}")]
        one, two = server.requests
    assert one.tools == two.tools == ("read_file", "finish")
    assert one.system == two.system == "You mend."
    assert two.results == tuple((result.call_id, result.text) for result in results)
    assert [message.text for message in two.messages][:2][0] == "Mend a.py."
    assert "I look." in two.messages[1].text
    assert "a.py" in two.messages[1].text
    assert two.prompt.endswith("Go on.")


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_replay_gives_the_same_calls(
    provider: str, temperature: float, make_client: MakeClient, store: MemoryStore
) -> None:
    with ScriptedModelServer([Reply.tool("read_file", {"path": "a.py"}, text="I look.")]) as server:
        replies = [
            make_client(server, provider).converse(
                [Turn("user", "Go.")], TOOLS, temperature=temperature, context=context(step)
            )
            # greedy: the second one is another step's, from the cache
            for step in ("1", "1" if temperature else "2")
        ]
        assert len(server.requests) == 1
    assert replies[0] == replies[1]
    assert replies[0].calls[0].name == "read_file"


def test_an_answer_that_looks_like_the_stored_form_is_text(make_client: MakeClient) -> None:
    tricky = '{"text": "x", "calls": [{"id": "1", "name": "finish", "arguments": "{}"}]}'
    with ScriptedModelServer(lambda request: tricky) as server:
        for _ in range(2):
            reply = make_client(server).converse([Turn("user", "Go.")], TOOLS, context=context("1"))
            assert (reply.text, reply.calls) == (tricky, ())
            assert make_client(server).generate("Go.", context=context("2")) == tricky
        assert len(server.requests) == 2


def test_broken_arguments_come_back_as_they_were_written(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.tool("read_file", '{"path": "a'), "Sorry."]) as server:
        client = make_client(server)
        turns = [Turn("user", "Go.")]
        reply = client.converse(turns, TOOLS, context=context("1"))
        assert reply.calls[0].arguments == '{"path": "a'
        # and the conversation can go on after them
        refused = ToolResult(reply.calls[0].id, "not JSON")
        turns += [Turn("assistant", reply.text, reply.calls), Turn("user", results=(refused,))]
        assert client.converse(turns, TOOLS, context=context("2")).text == "Sorry."
        assert server.requests[1].results == ((refused.call_id, "not JSON"),)


def test_a_reply_that_met_its_limit_says_so_and_keeps_its_calls(make_client: MakeClient) -> None:
    long = Reply.tools(("read_file", '{"path": "' + "x" * 400), truncated=True)
    with ScriptedModelServer([long]) as server:
        for _ in range(2):
            reply = make_client(server).converse([Turn("user", "Go.")], TOOLS, max_tokens=100, context=context())
            assert reply.truncated
            assert len(reply.calls) == 1


def test_secrets_in_calls_and_results_stay_here(make_client: MakeClient, store: MemoryStore) -> None:
    register_secret('tower "of" babel')
    call = ToolCall("c1", "write_file", json.dumps({"text": 'x = \'tower "of" babel\'\nAPI_KEY = "abcd1234efgh"'}))
    result = ToolResult("c1", "wrote sk-ant-" + "a" * 30)
    turns = [Turn("user", "Go."), Turn("assistant", calls=(call,)), Turn("user", results=(result,))]
    with ScriptedModelServer([Reply.tool("read_file", {"path": 'tower "of" babel'})]) as server:
        for _ in range(2):
            reply = make_client(server).converse(turns, TOOLS, context=context())
        sent = json.dumps(server.requests[0].body)
    assert "babel" not in sent
    assert "abcd1234" not in sent
    assert "sk-ant" not in sent
    assert server.requests[0].results == (("c1", "wrote [redacted]"),)
    assert json.loads(reply.calls[0].arguments) == {"path": "[redacted]"}  # the stored copy


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_tokens_from_the_providers_cache_are_in_the_ledger(
    provider: str, make_client: MakeClient, store: MemoryStore
) -> None:
    script = [Reply.tool("finish", {}, cached_tokens=11), Reply.text("Done.", cached_tokens=5)]
    with ScriptedModelServer(script) as server:
        client = make_client(server, provider)
        for step in ("1", "2"):
            client.converse([Turn("user", "Go.")], TOOLS, context=context(step))
    [row] = store.ledger.usage("model")
    assert row.cached_tokens == 16
    assert row.input_tokens > 16


def test_anthropic_is_asked_to_keep_a_conversation_but_of_one_question_only_the_instructions(
    make_client: MakeClient,
) -> None:
    kept = {"type": "ephemeral", "ttl": "5m"}

    def rule(request: Request) -> str:
        return "ok"

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "anthropic")
        client.converse([Turn("user", "Go.")], TOOLS, system="You mend.", context=context("1"))
        client.generate("Go.", system="You mend.", context=context("2"))
        talk, question = (json.loads(json.dumps(request.body)) for request in server.requests)
    assert talk["cache_control"] == kept
    assert talk["tools"][-1]["cache_control"] == kept
    assert [block.get("cache_control") for block in talk["system"]] == [kept]
    assert "cache_control" not in question
    assert [block.get("cache_control") for block in question["system"]] == [kept]


def test_a_quoted_secret_leaves_the_arguments_of_a_replay_whole(make_client: MakeClient) -> None:
    said = {"path": 'run "password=hunter2hunter"'}
    with ScriptedModelServer([Reply.tool("read_file", {**said})]) as server:
        for _ in range(2):
            reply = make_client(server).converse([Turn("user", "Go.")], TOOLS, context=context())
        assert len(server.requests) == 1
    assert json.loads(reply.calls[0].arguments) == {"path": 'run "password=[redacted]"'}


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_stored_answer_that_cannot_be_read_is_asked_for_again(
    temperature: float, make_client: MakeClient, store: MemoryStore
) -> None:
    with ScriptedModelServer(lambda request: Reply.tool("read_file", {"path": "a.py"})) as server:
        for step in ("1", "1", "2"):
            reply = make_client(server).converse(
                [Turn("user", "Go.")], TOOLS, temperature=temperature, context=context(step)
            )
            assert reply.calls[0].name == "read_file"
            with store._database.write() as connection:
                for table in (model_calls, model_cache):
                    connection.execute(table.update().values(response="cut in the mid"))
        assert len(server.requests) == 3


def test_prompt_and_answer_fit_into_the_window_together(make_client: MakeClient) -> None:
    turns = [Turn("user", "word " * 3000)]
    replies = [Reply.tool("finish", {}).counting(4000), Reply.tool("finish", {})]
    with ScriptedModelServer(replies) as server:
        client = make_client(server, max_tokens=2000)
        window = Window(8000)
        reply = client.converse(turns, TOOLS, window=window, context=context())
        assert reply.input_tokens == 4000
        assert 5000 < reply.estimated_tokens < 6000
        learned = window.learned(reply)
        client.converse(turns, TOOLS, window=learned, context=context(step="2"))
        with pytest.raises(PromptTooLong, match="takes 5"):
            client.converse(turns, TOOLS, window=Window(reply.estimated_tokens + 10), context=context(step="3"))
        first, second = server.requests
    assert first.max_tokens == 8000 - reply.estimated_tokens
    assert second.max_tokens == 8000 - learned.taken(reply.estimated_tokens) > 8000 - 4300
    # What was not measured yet may be denser.
    assert learned.taken(reply.estimated_tokens + 1000) == learned.taken(reply.estimated_tokens) + 1000


def test_a_cut_answer_is_not_continued_beyond_the_window(make_client: MakeClient) -> None:
    turns = [Turn("user", "word " * 3000)]
    with ScriptedModelServer(lambda _: Reply.text("abcd " * 400, truncated=True)) as server:
        client = make_client(server, profile="strong", max_tokens=200)
        client.converse(turns, TOOLS, window=Window(7000), context=context())
        asked = [
            estimate_tokens(str(request.body["messages"])) + (request.max_tokens or 0) for request in server.requests
        ]
    assert 1 < len(asked) <= 3
    assert max(asked) <= 7000
