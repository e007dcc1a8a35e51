"""Providers that are out for longer than retries take: circuits, fallbacks, and calls that wait in place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from config import BudgetSettings, LLMSettings
from llm import LLMClient, LLMError, ProviderRefused, ProviderUnavailable, Tool, Turn
from llm.calls.circuit_breakers import Circuits
from llm.calls.responder import candidates
from llm.calls.sending import RateLimiter
from llm.errors import ModelUnknown
from llm.lineup import ServedModel
from llm.request import Request
from memory import MemoryStore
from monitoring import Alert, AlertKind
from tests.llm.conftest import SMALLEST, context
from tests.support import Answer, Reply, ScriptedModelServer
from tests.support import Request as Asked

AWAY = ProviderUnavailable("away")


def client_of(
    server: ScriptedModelServer, store: MemoryStore, *, patient: bool = True, **settings: object
) -> LLMClient:
    chosen = LLMSettings.model_validate(
        {"provider": "openai_compatible", "base_url": server.url, "model": "first", "max_tokens": 300, "timeout": 10}
        | {"max_retries": 0, "outage_retry": 0.1, **settings}
    )
    return LLMClient(chosen, {}, store, patient=patient)


def request(model: str = "m") -> Request:
    return Request("openai", model, "", (Turn("user", "a"),), 0.0, 10)


def let_pass(circuits: Circuits, seconds: float) -> None:
    """Nobody has to wait for it."""
    for circuit in circuits._circuits.values():
        circuit.next_trial -= seconds


def test_a_circuit_opens_lets_one_trial_through_and_closes() -> None:
    changes: list[None] = []
    circuits = Circuits(6.0, lambda: changes.append(None))
    for _ in range(4):
        circuits.failed(request(), AWAY)
    assert circuits.enter(request())
    circuits.failed(request(), AWAY)
    assert circuits.is_open(request("another model of the same provider"))
    assert not circuits.enter(request())
    seconds, error = circuits.outlook([request()])
    assert 4.0 < seconds <= 5.0 and error is AWAY
    let_pass(circuits, seconds)
    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(lambda _: circuits.enter(request()), range(16)))
    assert entered.count(True) == 1
    circuits.trip(request(), AWAY)
    assert not circuits.enter(request())
    let_pass(circuits, 6.0)
    assert circuits.enter(request())
    circuits.succeeded(request())
    assert circuits.enter(request()) and not circuits.is_open(request())
    assert len(changes) == 3


def test_successes_between_failures_keep_it_closed_and_an_unknown_model_is_one_models_matter() -> None:
    circuits = Circuits(60, lambda: None)
    for _ in range(4):
        circuits.failed(request(), AWAY)
        circuits.failed(request(), AWAY)
        circuits.succeeded(request())
    assert not circuits.is_open(request())
    circuits.trip(request(), ModelUnknown("no such model", status=404, outage=True))
    assert circuits.is_open(request()) and not circuits.is_open(request("other"))


def test_pauses_grow_up_to_the_longest_and_retry_after_counts() -> None:
    circuits = Circuits(15, lambda: None)
    circuits.trip(request(), AWAY)
    pauses = [round(circuits.outlook([request()])[0])]
    for _ in range(2):
        let_pass(circuits, 15)
        assert circuits.enter(request())
        circuits.trip(request(), AWAY)
        pauses.append(round(circuits.outlook([request()])[0]))
    assert pauses == [5, 10, 15]
    for asked, pause in ((120, 120), (7200, 3600), (1e9, 5)):  # the last one is the date of a broken clock
        other = Circuits(15, lambda: None)
        other.trip(request(), ProviderUnavailable("busy", retry_after=asked))
        assert round(other.outlook([request()])[0]) == pause


@pytest.mark.parametrize(
    "trouble",
    [Reply.status(503), Reply.status(401), Reply.status(402), Reply.status(403), Reply.status(404), Reply.cut()],
    ids=["503", "401", "402", "403", "404", "cut"],
)
def test_a_call_waits_until_the_provider_is_back(trouble: Reply, store: MemoryStore, alerts: list[Alert]) -> None:
    back = threading.Event()
    answered: list[str] = []

    def rule(asked: Asked) -> Answer:
        if not back.is_set():
            return trouble
        answered.append(asked.prompt)
        return "fine"

    with (
        ScriptedModelServer(rule) as server,
        ThreadPoolExecutor(3) as pool,
        no_wait_left(client_of(server, store)) as client,
    ):
        answers = [pool.submit(client.generate, "a", context=context(str(number))) for number in range(3)]
        until(lambda: len(store.budgets.waiting_calls()) == 3)
        assert {call.kind for call in store.budgets.waiting_calls()} == {"provider"}
        assert "openai_compatible is out: " in store.budgets.waiting_calls()[0].reason
        server.wait_for(6, 120)
        back.set()
        assert [answer.result(120) for answer in answers] == ["fine"] * 3
    assert [alert.kind for alert in alerts] == [AlertKind.PROVIDER]
    assert store.budgets.waiting_calls() == []
    [row] = store.ledger.usage("task")
    assert answered.count("a") == 3
    assert row.calls == len(answered), "the small request, made if one was answered meanwhile, is in the ledger too"
    day = next(
        each for each in store.budgets.limit_states(BudgetSettings(day_tokens=100_000)) if each.name == "day_tokens"
    )
    assert (day.reserved, day.used) == (0, row.input_tokens + row.output_tokens)


def test_a_refused_request_fails_its_call_alone(store: MemoryStore) -> None:
    def rule(asked: Asked) -> Answer:
        return Reply.status(400, "nonsense") if asked.prompt == "bad" else "fine"

    with ScriptedModelServer(rule) as server:
        client = client_of(server, store)
        with pytest.raises(ProviderRefused):
            client.generate("bad", context=context("1"))
        assert client.generate("good", context=context("2")) == "fine"


def test_a_request_that_only_fails_itself_does_not_wait_for_ever(store: MemoryStore) -> None:
    over = threading.Event()

    def rule(asked: Asked) -> Answer:
        return Reply.status(500) if asked.prompt == "poison" else "fine"

    def others() -> None:
        number = 0
        while not over.wait(0.01):
            client.generate("good", context=context(f"good {number}"))
            number += 1

    with ScriptedModelServer(rule) as server:
        client = client_of(server, store)
        thread = threading.Thread(target=others)
        thread.start()
        try:
            with pytest.raises(ProviderRefused, match="answers other requests"):
                client.generate("poison", context=context("poison"))
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("status", [400, 413, 422, 403, 500, None], ids=lambda status: status or "takes too long")
def test_a_request_that_alone_fails_ends_and_the_model_counts_as_there(store: MemoryStore, status: int | None) -> None:
    def rule(asked: Asked) -> Answer:
        if asked.prompt != "poison":
            return "fine"
        return Reply.status(status) if status else Reply.hang()

    with ScriptedModelServer(rule) as server:
        client = client_of(server, store, max_retries=0, timeout=10 if status else 1.5)
        with pytest.raises(LLMError):
            client.generate("poison", context=context("poison"))
        asked = len(server.requests)
        assert client.generate("good", context=context("good")) == "fine"
        assert len(server.requests) == asked + 1, "it waits for nothing"
        assert all(state.reserved == 0 for state in store.budgets.limit_states(BudgetSettings(day_tokens=1000)))


@pytest.mark.parametrize(("first", "longest", "pauses"), [(0.2, 60, [0.2, 0.4]), (300, 0.1, [0.1, 0.1])])
def test_rounds_of_a_request_that_alone_fails_are_further_and_further_apart(
    store: MemoryStore, first: float, longest: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm.calls.asking._FIRST_ROUND_PAUSE", first)
    ended, began = list[float](), list[float]()

    def rule(asked: Asked) -> Answer:
        if asked.prompt != "poison":
            ended.append(time.monotonic())
            return "fine"
        began.append(time.monotonic())
        return Reply.status(500)

    with ScriptedModelServer(rule) as server:
        client = client_of(server, store, max_retries=0, outage_retry=longest)
        with pytest.raises(ProviderRefused, match="answers other requests"):
            client.generate("poison", context=context("poison"))
    waited = [begin - end for begin, end in zip(began[1:], ended, strict=False)]
    assert len(waited) == 2 and all(seconds >= pause for seconds, pause in zip(waited, pauses, strict=True))


def test_a_task_that_is_ended_waits_for_no_further_round(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.calls.asking._FIRST_ROUND_PAUSE", 300)
    small = threading.Event()

    def rule(asked: Asked) -> Answer:
        if asked.prompt != "poison":
            small.set()
            return "yes"
        return Reply.status(500)

    with ScriptedModelServer(rule) as server, ThreadPoolExecutor(1) as pool:
        client = client_of(server, store, max_retries=0, outage_retry=300)
        call = pool.submit(client.generate, "poison", context=context("poison"))
        assert small.wait(60)
        until(lambda: client.give_up("task-1") == 1)
        with pytest.raises(ProviderRefused, match="given up"):
            call.result(60)


def test_an_outage_that_ends_while_a_small_request_is_made_blames_nobody(store: MemoryStore) -> None:
    with ScriptedModelServer([Reply.status(500), Reply.status(500), "yes", "fine"]) as server:
        client = client_of(server, store, max_retries=1)
        assert client.generate("a", context=context("1")) == "fine"
        assert [asked.prompt for asked in server.requests] == ["a", "a", "Answer with the word yes.", "a"]
    (row,) = store.ledger.usage("model")
    assert row.calls == 2, "the small one is in the ledger, too"


@pytest.mark.parametrize("patient", [True, False])
def test_the_next_model_answers_meanwhile_and_its_answer_is_found_again(store: MemoryStore, patient: bool) -> None:
    def rule(asked: Asked) -> Answer:
        return "from the second" if asked.model == "second" else Reply.status(401)

    fallback = {"fallback": ["openai:second"], "outage_retry": 60}
    with ScriptedModelServer(rule) as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_API_KEY", "k")
        environment.setenv("OPENAI_BASE_URL", server.url)
        client = client_of(server, store, patient=patient, **fallback)
        assert client.generate("a", context=context("1")) == "from the second"
        assert client.generate("a", context=context("2")) == "from the second"
        assert [asked.model for asked in server.requests] == ["first", "second", "second"]
        again = client_of(server, store, patient=patient, **fallback)  # after a restart
        assert again.generate("a", context=context("1")) == "from the second"
        assert len(server.requests) == 3
    assert [row.key for row in store.ledger.usage("model")] == ["openai/second"]


def test_the_impatient_fail_after_their_retries(store: MemoryStore) -> None:
    with ScriptedModelServer(lambda _: Reply.status(500)) as server:
        client = client_of(server, store, patient=False, max_retries=1, outage_retry=60)
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                client.generate("a", context=context())
        assert len(server.requests) == 4


def test_a_fallback_on_the_embedded_model_is_for_what_it_can_do() -> None:
    local = [ServedModel("local", "small")]
    plain = request()
    [_, fallback] = candidates(plain, local, lambda each: each, SMALLEST)
    assert (fallback.provider, fallback.model) == ("local", "small")
    tool = Tool("read", "Reads.", {})
    begun = Request("openai", "m", "", (Turn("user", "a"), Turn("assistant", "b")), 0.0, 10)
    long = Request("openai", "m", "", (Turn("user", "a" * 50_000),), 0.0, 10)
    for unfit in (Request("openai", "m", "", plain.turns, 0.0, 10, tools=(tool,)), begun, long):
        assert candidates(unfit, local, lambda each: each, SMALLEST) == [unfit]


def test_a_rate_limit_spreads_calls() -> None:
    calls = RateLimiter(60, None)
    assert [round(calls.take(1000)) for _ in range(9)] == [0, 0, 0, 0, 0, 0, 0, 1, 2]
    tokens = RateLimiter(None, 60_000)
    assert [round(tokens.take(5000)) for _ in range(4)] == [0, 0, 4, 9]


def test_a_client_keeps_to_its_rate(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    take = RateLimiter.take

    def noted(limiter: RateLimiter, tokens: int) -> float:
        pauses.append(take(limiter, tokens))
        return pauses[-1]

    monkeypatch.setattr(RateLimiter, "take", noted)
    with ScriptedModelServer(lambda _: "fine") as server:
        client = client_of(server, store, requests_per_minute=300)
        for number in range(33):
            client.generate("a", context=context(str(number)))
        assert len(pauses) == 33
        monkeypatch.setattr(RateLimiter, "take", lambda limiter, tokens: 0.4)
        client.generate("a", context=context("after a pause"))
    asked = [request.received_at for request in server.requests]
    assert asked[-1] - asked[-2] >= 0.4


@contextmanager
def no_wait_left(client: LLMClient) -> Iterator[LLMClient]:
    """The client; what it waits for ends with the block, so that a failing test does not hang."""
    try:
        yield client
    finally:
        client.stop_waiting()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200  # the first call imports the SDKs, which a busy machine takes its time for
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
