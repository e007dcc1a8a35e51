"""A client within its budget: what is set aside, settled, refused, waited for and told."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config import BudgetSettings, LLMSettings
from llm import BudgetExhausted, Interrupted, LLMClient, ProviderRefused, ProviderUnavailable
from memory import Claim, LimitState, MemoryStore, WaitingCall
from monitoring import Alert, AlertKind
from tests.llm.conftest import context
from tests.llm.test_outages import no_wait_left
from tests.support import Reply, ScriptedModelServer

DAY = BudgetSettings(day_tokens=1000, task_tokens=None)


class Clock:
    """The time of day, as a test says."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def client_of(
    server: ScriptedModelServer, store: MemoryStore, budget: BudgetSettings, *, model: str = "gpt-4o",
    patient: bool = False, clock: Clock | None = None, **settings: object,
) -> LLMClient:  # fmt: skip
    chosen = LLMSettings.model_validate(
        {"provider": "openai", "api_key": "k", "base_url": server.url, "model": model, "max_tokens": 300}
        | {"max_retries": 0, "timeout": 10, **settings}
    )
    return LLMClient(chosen, {}, store, budget=budget, patient=patient, clock=clock or Clock())


def state(store: MemoryStore, budget: BudgetSettings, name: str = "day_tokens") -> LimitState:
    return next(each for each in store.budgets.limit_states(budget) if each.name == name)


def test_the_worst_case_is_set_aside_and_the_real_use_settled(store: MemoryStore) -> None:
    budget = BudgetSettings(day_usd=1, day_tokens=5000)
    seen: list[LimitState] = []

    def rule(_: object) -> str:
        seen.extend(store.budgets.limit_states(budget)[:2])
        return "fine"

    with ScriptedModelServer(rule) as server:
        client_of(server, store, budget).generate("a" * 300, context=context())
    money, tokens = seen
    # gpt-4o: 2.5 USD for a million tokens in, 10 USD out
    assert tokens.reserved == 300 + 183
    assert money.reserved == pytest.approx(0.003 + 183 * 2.5e-6)
    [row] = store.ledger.usage("task")
    assert state(store, budget).used == row.input_tokens + row.output_tokens
    assert state(store, budget, "day_usd").used == pytest.approx(row.cost_usd)
    assert (state(store, budget).reserved, state(store, budget, "day_usd").reserved) == (0, 0)


def test_a_task_at_its_limit_is_told_which_one_and_what_to_do(store: MemoryStore) -> None:
    with ScriptedModelServer(lambda _: "fine " * 60) as server:
        client = client_of(server, store, BudgetSettings(task_usd=0.006))
        client.generate("a", context=context("1"))
        with pytest.raises(
            BudgetExhausted, match=r"the task's budget of 0\.0060 USD is used up: .* raise budget.task_usd"
        ):
            for number in range(2, 9):
                client.generate("a", context=context(str(number)))
        asked = len(server.requests)
        client.generate("a", context=context("1"))  # replayed: costs nothing
        client.generate("a", context=replace(context("9"), task_id="another"))
        assert len(server.requests) == asked + 1
    assert state(store, BudgetSettings(task_usd=0.006), "task_usd").used <= 0.006


def test_answers_from_the_cache_need_no_budget(store: MemoryStore) -> None:
    with ScriptedModelServer(["fine"]) as server:
        client = client_of(server, store, BudgetSettings(day_tokens=600, task_tokens=None))
        client.generate("a", temperature=0, context=context("1"))
        used = state(store, DAY).used
        for number in range(2, 5):
            client.generate("a", temperature=0, context=context(str(number)))
    assert state(store, DAY).used == used


def test_a_call_that_never_fits_is_an_error_also_for_the_patient(store: MemoryStore) -> None:
    with ScriptedModelServer([]) as server:
        client = client_of(server, store, BudgetSettings(day_tokens=200), patient=True)
        with pytest.raises(BudgetExhausted, match=r"more than all of budget.day_tokens \(200 tokens\)"):
            client.generate("a", context=context())


def test_failed_calls_release_what_was_set_aside(store: MemoryStore) -> None:
    with ScriptedModelServer([Reply.status(500), Reply.status(400), Reply.hang(20)]) as server:
        client = client_of(server, store, DAY, timeout=0.5)
        for number in range(2):
            with pytest.raises((ProviderUnavailable, ProviderRefused)):
                client.generate("a", context=context(str(number)))
        assert (state(store, DAY).used, state(store, DAY).reserved) == (0, 0)
        with pytest.raises(ProviderUnavailable):  # too slow, but it has read the prompt
            client.generate("a", context=context())
    assert (state(store, DAY).used, state(store, DAY).reserved) == (83, 0)


def test_a_model_without_a_price_counts_in_tokens(store: MemoryStore) -> None:
    budget = BudgetSettings(day_usd=0.000001, day_tokens=5000)
    with ScriptedModelServer(["fine"]) as server:
        client = client_of(server, store, budget, provider="openai_compatible", model="homemade")
        client.generate("a", context=context())
    assert (state(store, budget, "day_usd").used, state(store, budget).used > 0) == (0, True)


def test_the_day_turns_and_the_call_goes_on(store: MemoryStore, alerts: list[Alert]) -> None:
    clock = Clock()
    with (
        ScriptedModelServer(lambda _: "fine " * 200) as server,
        ThreadPoolExecutor(1) as pool,
        no_wait_left(client_of(server, store, DAY, patient=True, clock=clock)) as client,
    ):
        for number in range(3):
            client.generate("a", context=context(str(number)))
        waiting = pool.submit(client.generate, "a", context=context("waits"))
        row = shown(store)
        midnight = clock.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        assert (row.kind, row.reason, row.until) == ("budget", "the day's budget of 1,000 tokens is used up", midnight)
        assert client.waited() == {"developer", "task-1"}
        asked = len(server.requests)
        client._responder._under_way.stir()
        time.sleep(0.2)
        assert len(server.requests) == asked and not waiting.done()
        clock.now = midnight
        client._responder._under_way.stir()  # a minute later it would look by itself
        assert waiting.result(10).startswith("fine")
    assert store.budgets.waiting_calls() == []
    assert client.waited() == {"developer", "task-1"}
    assert client.waited() == set()
    assert [(alert.kind, "reached" in alert.key) for alert in alerts] == [
        (AlertKind.BUDGET, False), (AlertKind.BUDGET, True),
    ]  # fmt: skip
    assert "of the day's budget is used" in alerts[0].message


def test_waits_end_at_once_when_the_daemon_stops_or_the_task_is_ended(store: MemoryStore) -> None:
    ended: list[BaseException] = []

    def ask(step: str, task_id: str) -> None:
        try:
            client.generate("a", context=replace(context(step), task_id=task_id))
        except BaseException as error:  # noqa: BLE001  # what comes out is what is looked at
            ended.append(error)

    with ScriptedModelServer([]) as server:
        client = client_of(server, store, BudgetSettings(day_tokens=600, task_tokens=None), patient=True)
        number = store.budgets.reserve(_claim(500), DAY).id
        assert number
        store.budgets.settle(number, tokens=500, nano_usd=0, budget=DAY)
        threads = [threading.Thread(target=ask, args=(name, name)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        while len(store.budgets.waiting_calls()) < 2:
            time.sleep(0.01)
        client.give_up("one")
        threads[0].join(120)
        client.stop_waiting()
        threads[1].join(120)
    assert [type(error) for error in ended] == [ProviderRefused, Interrupted]
    assert store.budgets.waiting_calls() == []


def test_calls_under_way_are_waited_for_before_a_call_is_refused(store: MemoryStore) -> None:
    with ScriptedModelServer(lambda _: Reply.text("fine").after(0.3)) as server, ThreadPoolExecutor(4) as pool:
        client = client_of(server, store, BudgetSettings(day_tokens=900, task_tokens=None))
        answers = [pool.submit(client.generate, "a", context=context(str(number))) for number in range(4)]
        assert [answer.result(30) for answer in answers] == ["fine"] * 4
    assert state(store, DAY).used < 400


def _claim(tokens: int) -> Claim:
    return Claim(task_id=None, agent="x", tokens=tokens, nano_usd=0, at=datetime.now(UTC))


def shown(store: MemoryStore) -> WaitingCall:
    deadline = time.monotonic() + 120
    while not (rows := store.budgets.waiting_calls()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return rows[0]
