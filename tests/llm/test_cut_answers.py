"""Answers that reached their length limit: continued, asked for again with more room, or given up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from llm import ProviderRefused, Tool, TruncatedOutput, Turn
from tests.llm.conftest import MakeClient, context
from tests.support import Answer, Reply, Request, ScriptedModelServer

CODE = """\
```python
def total(prices):
    return sum(prices)


def mean(prices):
    return total(prices) / len(prices)
```"""
CUT = CODE.index("return total")
READ = Tool("read_file", "Gives the text of a file.", {"type": "object", "properties": {"path": {"type": "string"}}})


class Verdict(BaseModel):
    approved: bool


def cut(text: str) -> Reply:
    return Reply.text(text, truncated=True)


@pytest.mark.parametrize(
    "more",
    [
        CODE[CUT:],
        "```python\n" + CODE[CUT:],  # opens the fence again
        CODE[CUT - len("def mean(prices):\n    ") :],  # repeats the last lines
        CODE,  # begins anew
    ],
)
def test_a_cut_text_is_continued(more: str, make_client: MakeClient) -> None:
    with ScriptedModelServer([cut(CODE[:CUT]), more]) as server:
        for _ in range(2):  # the second time from the ledger
            assert make_client(server).generate("Write.", max_tokens=None, context=context()) == CODE
        first, second = server.requests
    assert [(message.role, message.text) for message in second.messages][:2] == [
        ("user", "Write."), ("assistant", CODE[:CUT]),
    ]  # fmt: skip
    assert "cut off" in second.prompt
    assert (first.max_tokens, second.max_tokens) == (2000, 8000)


def test_a_server_that_continues_gets_the_beginning_as_it_is(make_client: MakeClient) -> None:
    with ScriptedModelServer([cut(CODE[:CUT]), CODE[CUT:]]) as server:
        client = make_client(server, capabilities={"continues": True})
        assert client.generate("Write.", context=context()) == CODE
        assert server.requests[1].messages[-1].role == "assistant"


def test_two_further_tries_are_enough(make_client: MakeClient) -> None:
    with ScriptedModelServer([cut("one "), cut("two "), cut("three")]) as server:
        with pytest.raises(TruncatedOutput) as caught:
            make_client(server).generate("Write.", context=context())
        assert len(server.requests) == 3
    assert caught.value.partial == "one two three"


def test_a_limit_of_the_caller_and_small_models_are_not_stretched(make_client: MakeClient) -> None:
    with ScriptedModelServer(lambda _: cut("endless " * 10)) as server:
        for client, limit in ((make_client(server), 20), (make_client(server, "openai_compatible"), None)):
            with pytest.raises(TruncatedOutput):
                client.generate("Write.", max_tokens=limit, context=context())
        assert len(server.requests) == 2


def test_a_refusal_of_more_room_leaves_what_came(make_client: MakeClient) -> None:
    with ScriptedModelServer([cut("one "), Reply.status(400, "max_tokens is too large")]) as server:
        with pytest.raises(TruncatedOutput) as caught:
            make_client(server).generate("Write.", context=context())
        assert len(server.requests) == 2
    assert caught.value.partial == "one "


def test_a_task_that_is_ended_meanwhile_gets_no_half_answer(make_client: MakeClient) -> None:
    with ScriptedModelServer([cut("one "), Reply.hang()]) as server, ThreadPoolExecutor(1) as pool:
        client = make_client(server)
        asking = pool.submit(client.generate, "Write.", context=context())
        server.wait_for(2)
        client.give_up("task-1")
        with pytest.raises(ProviderRefused, match="given up"):
            asking.result(30)


def test_a_second_block_that_begins_like_the_first_is_no_new_beginning(make_client: MakeClient) -> None:
    first, second = "```python\n# shop/a.py\nx = 1\n```\n", "```python\n# shop/b.py\ny = 2\n```"
    with ScriptedModelServer([cut(first), second]) as server:
        assert make_client(server).generate("Write.", context=context()) == first + second


def test_thought_that_left_no_room_for_an_answer_gets_more(make_client: MakeClient) -> None:
    with ScriptedModelServer([cut("").thinking("hm " * 900), "Done."]) as server:
        client = make_client(server, model="gpt-5", reasoning="low", max_tokens=300)
        assert client.generate("Write.", context=context()) == "Done."
        first, second = server.requests
    assert first.messages == second.messages
    assert (first.max_tokens, second.max_tokens) == (300 + 4096, 1200 + 8192)


def test_a_cut_call_is_asked_for_again_and_a_cut_message_is_continued(make_client: MakeClient) -> None:
    whole = Reply.tool("read_file", {"path": "a.py"})
    with ScriptedModelServer([Reply.tools(("read_file", '{"path": "a'), truncated=True), whole]) as server:
        reply = make_client(server).converse([Turn("user", "Go.")], [READ], context=context())
        assert (reply.truncated, reply.calls[0].arguments) == (False, '{"path": "a.py"}')
        assert server.requests[0].messages == server.requests[1].messages
    said = Reply.tool("read_file", {"path": "a.py"}, text="at a.py.")
    with ScriptedModelServer([cut("I look "), said]) as server:
        reply = make_client(server).converse([Turn("user", "Go.")], [READ], context=context("2"))
    assert (reply.text, len(reply.calls), reply.truncated) == ("I look at a.py.", 1, False)


@pytest.mark.parametrize(("profile", "limits", "objects"), [("auto", [2000, 8000], False), ("small", [2000] * 2, True)])
def test_a_cut_structured_answer_gets_more_room_and_of_a_small_model_is_to_be_shorter(
    profile: str, limits: list[int], objects: bool, make_client: MakeClient
) -> None:
    def rule(request: Request) -> Answer:
        return cut('{"approved": tr') if request.number == 1 else {"approved": True}

    with ScriptedModelServer(rule) as server:
        client = make_client(server, profile=profile)
        assert client.generate_structured("ok?", Verdict, context=context()).approved
        assert [request.max_tokens for request in server.requests] == limits
        assert ("cut off" in server.requests[1].prompt) == objects
