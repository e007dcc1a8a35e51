"""The client over real HTTP: every provider, the ledger, the cache, and what is sent."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from config import AgentSettings, LLMSettings
from llm import PROVIDERS, LLMClient, LocalModelServer, ProviderRefused, TruncatedOutput, find_local_model
from memory import LimitState, MemoryStore
from monitoring import register_secret
from tests.llm.conftest import MODELS, MakeClient, context
from tests.support import Reply, Request, ScriptedModelServer


def echo(request: Request) -> str:
    return f"{request.number}: {request.prompt}"


@pytest.mark.parametrize("provider", MODELS)
def test_a_prompt_goes_out_with_its_settings_and_the_answer_is_in_the_ledger(
    provider: str, make_client: MakeClient, store: MemoryStore
) -> None:
    with ScriptedModelServer(lambda request: Reply.text("Hi.", cached_tokens=7)) as server:
        client = make_client(server, provider, reasoning="off")
        answer = client.generate(
            "Hello?", system="You are brief.", temperature=0.3, max_tokens=99, seed=5, context=context()
        )

        assert answer == "Hi."
        [request] = server.requests
        assert (request.prompt, request.system, request.model) == ("Hello?", "You are brief.", MODELS[provider])
        assert (request.temperature, request.max_tokens) == (0.3, 99)
        assert request.seed == (5 if PROVIDERS[provider].takes_seed else None)
    [row] = store.ledger.usage("model")
    assert row.key == f"{provider}/{MODELS[provider]}"
    assert row.calls == 1
    assert row.input_tokens > 7
    assert row.output_tokens == 1
    assert (row.cost_usd is None) == (PROVIDERS[provider].price_id is None)


@pytest.mark.parametrize("echoes", [False, True])
def test_an_answer_goes_on_from_its_opening(echoes: bool, make_client: MakeClient) -> None:
    opening = "```python\ndef f(x):\n"
    with ScriptedModelServer(lambda request: (opening if echoes else "") + "    return x\n") as server:
        client = make_client(server, "openai_compatible")
        answer = client.generate("Complete f.", opening=opening, stop=["\n```", "\ndef "], context=context())
        [request] = server.requests
    assert answer == opening + "    return x\n"
    assert [(message.role, message.text) for message in request.messages][-1] == ("assistant", opening)
    assert request.body["stop"] == ["\n```", "\ndef "]


def test_settings_of_the_agent_go_before_the_general_ones(make_client: MakeClient) -> None:
    agents = {"qa": AgentSettings(temperature=0.1, max_tokens=50, model="gpt-4o-mini")}
    with ScriptedModelServer(echo) as server:
        client = make_client(server, agents=agents, temperature=0.9, max_tokens=500)
        client.generate("a", context=context(agent="qa"))
        client.generate("b", context=context(agent="developer"))

        sent = [(request.model, request.temperature, request.max_tokens) for request in server.requests]
    assert sent == [("gpt-4o-mini", 0.1, 50), ("gpt-4o", 0.9, 500)]


def test_a_step_that_is_run_again_gets_its_answer_from_the_ledger(make_client: MakeClient, store: MemoryStore) -> None:
    with ScriptedModelServer(echo) as server:
        first = make_client(server).generate("a", temperature=0.7, context=context())
        # another client, as after a restart
        again = make_client(server).generate("a", temperature=0.7, context=context())

        assert again == first == "1: a"
        assert len(server.requests) == 1
    assert store.ledger.usage("task")[0].calls == 1


def test_another_step_seed_or_prompt_is_another_call(make_client: MakeClient) -> None:
    with ScriptedModelServer(echo) as server:
        client = make_client(server)
        for step, seed, prompt in (("1", 1, "a"), ("2", 1, "a"), ("1", 2, "a"), ("1", 1, "b")):
            client.generate(prompt, temperature=0.7, seed=seed, context=context(step))

        assert len(server.requests) == 4


def test_a_greedy_answer_is_reused_for_other_steps_and_costs_nothing(
    make_client: MakeClient, store: MemoryStore
) -> None:
    with ScriptedModelServer(echo) as server:
        client = make_client(server)
        first = client.generate("a", temperature=0, context=context("1"))
        second = client.generate("a", temperature=0, context=context("2", workflow="other"))
        client.generate("a", temperature=0.5, context=context("3"))
        client.generate("a", temperature=0.5, context=context("4"))

        assert second == first
        assert len(server.requests) == 3  # warm answers are not reused
    [row] = store.ledger.usage("agent")
    assert (row.calls, row.cached_calls) == (4, 1)


def test_the_cache_can_be_switched_off_and_grows_old(make_client: MakeClient) -> None:
    with ScriptedModelServer(echo) as server:
        off = make_client(server, cache_ttl=0)
        for step in ("1", "2"):
            off.generate("a", temperature=0, context=context(step))
        assert len(server.requests) == 2

        short = make_client(server, cache_ttl=1)
        short.generate("b", temperature=0, context=context("3"))
        time.sleep(1.1)  # the age of an answer is wall-clock time
        short.generate("b", temperature=0, context=context("4"))
        assert len(server.requests) == 4


def test_an_answer_that_could_not_be_written_down_is_not_handed_out(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = MemoryStore(f"sqlite:///{tmp_path / 'broken.db'}")
    broken.migrate()

    def full(*_: object) -> list[LimitState]:
        raise OSError("database or disk is full")  # at the worst moment

    monkeypatch.setattr(broken.ledger, "record_call", full)
    with ScriptedModelServer(echo) as server:
        with pytest.raises(OSError, match="disk is full"):
            make_client(server, ledger=broken).generate("a", context=context())
        assert len(server.requests) == 1


def test_a_cut_off_answer_is_an_error_with_what_came_also_when_replayed(make_client: MakeClient) -> None:
    long = "x" * 400  # 100 tokens by the scripted server's rule
    with ScriptedModelServer(lambda request: Reply.text(long, truncated=True)) as server:
        client = make_client(server)
        for _ in range(2):
            with pytest.raises(TruncatedOutput, match="cut off at 100 tokens") as caught:
                client.generate("a", max_tokens=100, context=context())
            assert caught.value.partial == long
        assert len(server.requests) == 1


def test_secrets_reach_neither_the_provider_nor_the_database(make_client: MakeClient, store: MemoryStore) -> None:
    register_secret("hunter2-the-real-one")
    with ScriptedModelServer(lambda request: "the word is hunter2-the-real-one") as server:
        client = make_client(server)
        client.generate("log in with hunter2-the-real-one", system="key sk-ant-" + "a" * 30, context=context())

        [request] = server.requests
        assert request.prompt == "log in with [redacted]"
        assert request.system == "key [redacted]"
        # the stored copy, which a replay gives back
        assert client.generate("log in with hunter2-the-real-one", system="key sk-ant-" + "a" * 30,
                               context=context()) == "the word is [redacted]"  # fmt: skip
        assert len(server.requests) == 1


def test_many_threads_share_one_client(make_client: MakeClient, store: MemoryStore) -> None:
    together = threading.Barrier(8, timeout=120)

    def rule(request: Request) -> str:
        together.wait()  # passes only when all eight requests are under way at once
        return request.prompt

    answers: dict[int, str] = {}
    with ScriptedModelServer(rule) as server:
        client = make_client(server)

        def ask(number: int) -> None:
            answers[number] = client.generate(f"n{number}", context=context(f"step {number}"))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: f"n{number}" for number in range(8)}
    assert store.ledger.usage("task")[0].calls == 8


def test_a_provider_answers_also_where_the_embedded_model_is_at_hand(store: MemoryStore, tmp_path: Path) -> None:
    with ScriptedModelServer(echo) as server:
        settings = LLMSettings.model_validate({"provider": "openai", "api_key": "test-key", "base_url": server.url})
        client = LLMClient(settings, {}, store, LocalModelServer(find_local_model(str(tmp_path / "no.gguf"))))
        assert client.generate("a", context=context()) == "1: a"
        client.close()


def test_closing_gives_up_calls_under_way(make_client: MakeClient) -> None:
    with ScriptedModelServer([Reply.hang()]) as server:
        client = make_client(server)
        problems: list[Exception] = []

        def ask() -> None:
            try:
                client.generate("a", context=context())
            except ProviderRefused as problem:
                problems.append(problem)

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_for(1)
        client.close()
        asking.join(10)
    assert "the client was closed" in str(problems[0])


@pytest.mark.long
def test_threads_that_call_first_at_the_same_time_load_the_library_whole(tmp_path: Path) -> None:
    """In a process of its own, as the daemon starts: several agents ask at once, some for text, some for a shape."""
    program = """
import sys, threading
from pathlib import Path
from pydantic import BaseModel
from config import LLMSettings
from llm import CallContext, LLMClient, Tool, Turn
from memory import MemoryStore
class Shape(BaseModel):
    answer: str
store = MemoryStore(f"sqlite:///{sys.argv[2]}/a.db"); store.migrate()
client = LLMClient(LLMSettings(provider="openai_compatible", base_url=sys.argv[1], model="m", api_key="k"), {}, store)
problems, ready = [], threading.Barrier(8)
def ask(number):
    context = CallContext(None, "qa", str(number), "s")
    ready.wait()
    try:
        if number % 2:
            client.generate_structured("?", Shape, context=context)
        else:
            tool = Tool("t", "d", {"type": "object", "properties": {}})
            client.converse([Turn("user", "?")], [tool], context=context)
    except Exception as problem:
        problems.append(repr(problem))
threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(problems); client.close(); store.close(); sys.exit(bool(problems))
"""
    with ScriptedModelServer(lambda request: {"answer": "x"} if request.schema else "x") as server:
        for number in range(3):
            (tmp_path / str(number)).mkdir()
            done = subprocess.run(
                [sys.executable, "-c", program, server.url, str(tmp_path / str(number))],
                capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr[-2000:]
