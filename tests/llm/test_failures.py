"""A provider that misbehaves: what is tried again, how long, and the error in the end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from llm import (
    LLMError,
    NotConfigured,
    PromptTooLong,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from memory import MemoryStore
from tests.llm.conftest import MODELS, MakeClient, context
from tests.support import Answer, Reply, Request, ScriptedModelServer

PROVIDERS: list[str] = list(MODELS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_retry_after_is_honoured(provider: str, make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.status(429, retry_after=1), "fine"]) as server:
        assert make_client(server, provider).generate("a", context=context()) == "fine"
        first, second = server.requests
    assert second.received_at - first.received_at >= 1.0


@pytest.mark.parametrize(
    "trouble",
    [Reply.status(500), Reply.status(503), Reply.cut(), Reply.cut("half an answer" * 50), Reply.garbage()],
    ids=["500", "503", "cut at once", "cut in the middle", "not JSON"],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_passing_troubles_are_tried_again(provider: str, trouble: Reply, make_client: MakeClient) -> None:
    with ScriptedModelServer([trouble, "fine"]) as server:
        assert make_client(server, provider).generate("a", context=context()) == "fine"


def test_only_the_answer_that_counted_is_in_the_ledger(make_client: MakeClient, store: MemoryStore) -> None:
    with ScriptedModelServer([Reply.status(500), Reply.status(500), "fine"]) as server:
        make_client(server).generate("a", context=context())
    assert store.ledger.usage("task")[0].calls == 1


def test_a_silent_server_is_a_typed_timeout(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.hang()]) as server:
        with pytest.raises(ProviderTimeout, match=r"within 0.5 s \(llm.timeout\)"):
            make_client(server, timeout=0.5, max_retries=0).generate("a", context=context())
        assert len(server.requests) == 1


def test_a_server_that_was_silent_once_is_asked_again(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.hang(), "fine"]) as server:
        assert make_client(server, timeout=1).generate("a", context=context()) == "fine"


def test_it_gives_up_after_max_retries(make_client: MakeClient, store: MemoryStore) -> None:
    with ScriptedModelServer(lambda request: Reply.status(500)) as server:
        with pytest.raises(ProviderUnavailable, match="gave no usable answer"):
            make_client(server, max_retries=2).generate("a", context=context())
        assert len(server.requests) == 3
    [row] = store.ledger.usage("task")
    assert (row.calls, row.output_tokens) == (1, 0)  # the failure is told, once


def test_a_failed_call_is_asked_anew_when_the_step_runs_again(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.status(500), "fine"]) as server:
        client = make_client(server, max_retries=0)
        with pytest.raises(ProviderUnavailable):
            client.generate("a", context=context())
        assert client.generate("a", context=context()) == "fine"


def test_it_does_not_wait_longer_than_the_whole_call_may_take(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.status(429, retry_after=3600)]) as server:
        with pytest.raises(ProviderUnavailable) as caught:
            make_client(server).generate("a", context=context())
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply.status(401, "bad key"), "does not accept the key"),
        (Reply.status(404, "no such model"), "check llm.model"),
        (Reply.status(400, "nonsense"), "turned the request down"),
    ],
    ids=["401", "404", "400"],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_cannot_succeed_is_not_tried_again(
    provider: str, answer: Answer, told: str, make_client: MakeClient
) -> None:
    # models that do not reason: a refusal could be of the reasoning level
    model = "claude-3-haiku-20240307" if provider == "anthropic" else MODELS[provider]
    with ScriptedModelServer([answer]) as server:
        with pytest.raises(ProviderRefused, match=told) as caught:
            make_client(server, provider, model=model).generate("a", context=context())
        assert len(server.requests) == 1
    assert not caught.value.retryable


def test_no_server_at_all(make_client: MakeClient) -> None:
    server = ScriptedModelServer([])
    server.stop()
    with pytest.raises(ProviderUnavailable, match="nothing listens at 127") as caught:
        make_client(server, max_retries=1).generate("a", context=context())
    assert isinstance(caught.value, LLMError)


def test_a_server_that_comes_back_is_found(make_client: MakeClient) -> None:
    away = ScriptedModelServer(["one"])
    client = make_client(away)
    assert client.generate("a", context=context("1")) == "one"
    away.stop()
    with pytest.raises(ProviderUnavailable):
        make_client(away, max_retries=0).generate("a", context=context("2"))
    with ScriptedModelServer(["two"], port=away.port):
        assert client.generate("a", context=context("2")) == "two"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"provider": "openai", "api_key": None}, "OPENAI_API_KEY"),
        ({"provider": "anthropic", "api_key": None}, "ANTHROPIC_API_KEY"),
        ({"provider": "openai_compatible", "base_url": None, "model": None}, "llm.base_url and llm.model"),
        ({"provider": "local"}, "no server to run in"),
    ],
)
def test_what_is_missing_is_said_at_the_start(settings: dict[str, object], told: str, make_client: MakeClient) -> None:
    with ScriptedModelServer([]) as server, pytest.raises(NotConfigured, match=told):
        make_client(server, **settings)


@pytest.mark.parametrize("reply", [Reply.hang(60), Reply.status(429, retry_after=60)], ids=["hanging", "waiting"])
def test_the_calls_of_an_ended_task_are_given_up_and_no_others(make_client: MakeClient, reply: Reply) -> None:
    def rule(request: Request) -> Reply:
        return reply if "first" in request.prompt else Reply.text("done")

    with ScriptedModelServer(rule) as server, ThreadPoolExecutor(1) as pool:
        client = make_client(server, timeout=90)
        ended = pool.submit(client.generate, "first", context=replace(context(), task_id="t1"))
        server.wait_for(1)
        assert client.give_up("t2") == 0
        while not ended.done():  # a call that is never given up meets the test's time limit
            client.give_up("t1")
            time.sleep(0.05)
        with pytest.raises(ProviderRefused, match="t1 was ended"):
            ended.result()
        assert client.generate("second", context=replace(context(), task_id="t1")) == "done"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"),
        (400, "the request exceeds the available context size, try increasing it"),
        (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
        (400, "input length and `max_tokens` exceed context limit: 180000 + 32000 > 200000"),
        (400, "prompt is too long: 209000 tokens > 200000 maximum"),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 + 512"),
        (400, "The number of tokens to keep from the initial prompt is greater than the context length"),
        (400, "This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
        (413, "Request too large for model: Limit 6000, Requested 9000, please reduce your message size"),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        (400, "Your input exceeds the context window of this model. Please adjust your input and try again."),
        (500, "context length exceeded"),
    ],
)
def test_a_prompt_that_does_not_fit_is_told_from_other_refusals(
    status: int, words: str, make_client: MakeClient
) -> None:
    with ScriptedModelServer([Reply.status(status, words)]) as server:
        with pytest.raises(PromptTooLong):
            make_client(server, "openai_compatible").generate("a", context=context())
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "words", ["max_tokens is too large: 32000. This model supports at most 16384", "unknown parameter: 'input'"]
)
def test_other_refusals_are_not_taken_for_it(words: str, make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.status(400, words)]) as server, pytest.raises(ProviderRefused):
        make_client(server, "openai_compatible").generate("a", context=context())
