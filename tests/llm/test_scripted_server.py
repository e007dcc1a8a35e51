"""The scripted model server itself: other tests rest on it."""

from __future__ import annotations

import json
import threading
import urllib.request

import pytest

from llm import ProviderRefused
from tests.llm.conftest import MakeClient, context
from tests.support import Request, ScriptedModelServer, ScriptError


def test_a_rule_that_raises_fails_the_test_and_not_only_the_request(make_client: MakeClient) -> None:
    def rule(request: Request) -> str:
        raise KeyError("no rule for this prompt")

    with (
        pytest.raises(ScriptError, match="no rule for this prompt"),
        ScriptedModelServer(rule) as server,
        pytest.raises(ProviderRefused, match="the script failed"),
    ):
        make_client(server).generate("a", context=context())


def test_an_error_of_the_test_is_not_hidden_by_the_script() -> None:
    with pytest.raises(ZeroDivisionError), ScriptedModelServer(["unused"]):
        raise ZeroDivisionError


def test_requests_can_be_awaited_while_they_are_held_back(make_client: MakeClient) -> None:
    go = threading.Event()

    def rule(request: Request) -> str:
        go.wait(120)
        return "done"

    with ScriptedModelServer(rule) as server:
        client = make_client(server)
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(client.generate("a", context=context())))
        asking.start()
        [request] = server.wait_for(1)
        assert request.prompt == "a"
        assert not answers
        go.set()
        asking.join(20)
        assert answers == ["done"]


def test_waiting_for_what_never_comes_ends() -> None:
    with ScriptedModelServer([]) as server, pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for(1, timeout=0.1)


def test_it_answers_who_only_looks_whether_it_is_there() -> None:
    with ScriptedModelServer([]) as server:
        with urllib.request.urlopen(f"{server.url}/models", timeout=60) as response:
            assert json.load(response)["data"]
        assert server.requests == ()
