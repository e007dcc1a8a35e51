"""Budgets: whatever comes at once, from threads and processes, no limit is gone over, and nothing is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from config import BudgetSettings
from memory import NANO, CallInFlight, Claim, LimitState, MemoryStore, WaitingCall, utc_now
from tests.memory.conftest import Python
from tests.memory.test_ledger import call

TIGHT = BudgetSettings(
    task_usd=0.5, agent_day_usd=0.8, day_usd=1.2, month_usd=1.3,
    task_tokens=60_000, agent_day_tokens=90_000, day_tokens=150_000, month_tokens=140_000,
)  # fmt: skip


def claim(**fields: object) -> Claim:
    values = {"task_id": "t-1", "agent": "developer", "tokens": 1000, "nano_usd": NANO // 10, "at": utc_now()}
    return Claim.model_validate(values | fields)


def state(store: MemoryStore, budget: BudgetSettings, name: str) -> LimitState:
    return next(each for each in store.budgets.limit_states(budget, agents=["developer"]) if each.name == name)


@pytest.mark.parametrize("scope", ["task", "agent_day", "day", "month"])
@pytest.mark.parametrize("unit", ["usd", "tokens"])
def test_each_limit_holds_and_is_named(store: MemoryStore, scope: str, unit: str) -> None:
    limit = 0.25 if unit == "usd" else 2500
    budget = BudgetSettings.model_validate({"task_tokens": None, f"{scope}_{unit}": limit})
    first, second = store.budgets.reserve(claim(), budget), store.budgets.reserve(claim(), budget)
    refused = store.budgets.reserve(claim(), budget)
    assert first.id and second.id and refused.id is None
    assert [(over.name, over.used, over.reserved) for over in refused.over] == [
        (f"{scope}_{unit}", 0, 0.2 if unit == "usd" else 2000)
    ]
    store.budgets.settle(first.id, tokens=0, nano_usd=0, budget=budget)  # released
    assert store.budgets.reserve(claim(), budget).id


def test_scopes_are_charged_apart(store: MemoryStore) -> None:
    budget = BudgetSettings(task_tokens=1000, agent_day_tokens=2000, day_tokens=3000)
    yesterday = utc_now() - timedelta(days=1)
    assert store.budgets.reserve(claim(), budget).id
    assert [over.scope for over in store.budgets.reserve(claim(), budget).over] == ["task"]
    assert store.budgets.reserve(claim(task_id="t-2"), budget).id
    assert [over.scope for over in store.budgets.reserve(claim(task_id=None), budget).over] == ["agent_day"]
    assert store.budgets.reserve(claim(task_id=None, agent="qa"), budget).id
    assert [over.scope for over in store.budgets.reserve(claim(task_id=None, agent="ceo"), budget).over] == ["day"]
    assert store.budgets.reserve(claim(task_id=None, agent="ceo", at=yesterday), budget).id


def test_a_call_that_ends_after_midnight_is_charged_to_the_day_it_began(store: MemoryStore) -> None:
    budget = BudgetSettings(day_tokens=1500)
    late = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
    number = store.budgets.reserve(claim(at=late), budget).id
    assert number
    store.budgets.settle(number, tokens=900, nano_usd=0, budget=budget)
    assert not store.budgets.reserve(claim(at=late), budget).id
    assert store.budgets.reserve(claim(at=late + timedelta(seconds=2)), budget).id


def test_the_answer_and_the_end_of_its_reservation_are_one(store: MemoryStore) -> None:
    budget = BudgetSettings(day_usd=1, day_tokens=2000)
    number = store.budgets.reserve(claim(nano_usd=NANO), budget).id
    store.ledger.record_call(call(cost_usd=0.25), number, budget)
    money, tokens = state(store, budget, "day_usd"), state(store, budget, "day_tokens")
    assert (money.used, money.reserved, money.share) == (0.25, 0, 0.25)
    assert (tokens.used, tokens.reserved) == (120, 0)
    store.ledger.record_call(call(step="again", cost_usd=0.25), number, budget)  # settled before: not charged twice
    assert state(store, budget, "day_usd").used == 0.25


def test_what_a_killed_process_left_is_settled_at_its_worst(store: MemoryStore) -> None:
    budget = BudgetSettings(day_tokens=1500)
    number = store.budgets.reserve(claim(), budget).id
    assert number
    assert store.budgets.settle_leftovers() == 1
    assert (state(store, budget, "day_tokens").used, state(store, budget, "day_tokens").reserved) == (1000, 0)
    (row,) = store.ledger.usage("day")
    assert (row.calls, row.input_tokens + row.output_tokens) == (1, 1000)  # `costs` says the same
    store.budgets.settle(number, tokens=5, nano_usd=0, budget=budget)  # its process lived after all
    assert state(store, budget, "day_tokens").used == 1000
    assert store.budgets.settle_leftovers() == 0


def test_four_fifths_are_told_once_a_limit_and_period_over_restarts(store: MemoryStore, url: str) -> None:
    budget = BudgetSettings(day_tokens=10_000, task_tokens=None)

    def spend(opened: MemoryStore, took: int, **fields: object) -> list[str]:
        number = opened.budgets.reserve(claim(**fields), budget).id
        assert number
        return [each.name for each in opened.budgets.settle(number, tokens=took, nano_usd=0, budget=budget)]

    assert spend(store, 1000, tokens=7999) == []
    assert spend(store, 7000, tokens=7000) == ["day_tokens"]
    assert spend(store, 10) == []
    again = MemoryStore(url)
    assert spend(again, 10) == []
    again.close()
    budget = BudgetSettings(day_tokens=10_025, task_tokens=None)  # another limit is another thing to tell
    assert spend(store, 10) == ["day_tokens"]
    assert spend(store, 900, at=utc_now() + timedelta(days=1)) == []


@pytest.mark.parametrize("seed", [1])
def test_sixteen_threads_go_over_no_limit(store: MemoryStore, seed: int) -> None:
    with watched(store, TIGHT) as overshoot, ThreadPoolExecutor(16) as pool:
        spent = list(pool.map(lambda number: spend_at_random(store, TIGHT, seed * 100 + number, 10), range(16)))
    check_totals(store, spent, overshoot())


PROCESS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from memory import MemoryStore
from tests.memory.test_budgets import TIGHT, spend_at_random
store = MemoryStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(8) as pool:
    for tokens, nano_usd, refused in pool.map(
        lambda n: spend_at_random(store, TIGHT, int(sys.argv[2]) + n, 10), range(8)
    ):
        print(tokens, nano_usd, refused, flush=True)
"""


def test_two_processes_on_one_database_go_over_no_limit(store: MemoryStore, url: str) -> None:
    processes = [Python(PROCESS, url, str(first)) for first in (1000, 2000)]
    assert [process.line() for process in processes] == ["ready", "ready"]
    with watched(store, TIGHT) as overshoot:
        for process in processes:
            process.go()
        lines = [line for process in processes for line in process.rest()]
    spent = [(int(tokens), int(nano), int(refused)) for tokens, nano, refused in (line.split() for line in lines)]
    assert len(spent) == 16
    check_totals(store, spent, overshoot())


def spend_at_random(store: MemoryStore, budget: BudgetSettings, seed: int, calls: int) -> tuple[int, int, int]:
    """Reserve and settle, as model calls do; gives tokens and money spent, and how many calls were refused."""
    chance = random.Random(seed)
    tokens = nano_usd = refused = 0
    for _ in range(calls):
        wanted = claim(
            task_id=chance.choice(["t-1", "t-2", "t-3", None]),
            agent=chance.choice(["developer", "qa"]),
            tokens=chance.randint(1, 9000),
            nano_usd=chance.randint(0, NANO // 12),
        )
        number = store.budgets.reserve(wanted, budget).id
        if number is None:
            refused += 1
            continue
        share = chance.choice([0.0, 0.1, chance.random(), 1.0])
        took = (int(wanted.tokens * share), int(wanted.nano_usd * share))
        store.budgets.settle(number, tokens=took[0], nano_usd=took[1], budget=budget)
        tokens, nano_usd = tokens + took[0], nano_usd + took[1]
    return tokens, nano_usd, refused


class watched:  # reads as a block
    """Looks at all limits again and again while the block runs; its value gives the largest overshoot seen."""

    def __init__(self, store: MemoryStore, budget: BudgetSettings) -> None:
        self._store, self._budget = store, budget
        self._over = threading.Event()
        self._worst, self._looks = -1.0, 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Callable[[], float]:
        self._thread.start()
        return self._overshoot

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _overshoot(self) -> float:
        assert self._looks > 5
        return max(self._worst, 0.0)

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._over.wait(0.01)
            for each in self._store.budgets.limit_states(self._budget, agents=["developer", "qa"]):
                gone = round((each.used + each.reserved - each.limit) * NANO)
                self._worst = max(self._worst, gone / NANO)
            self._looks += 1


def check_totals(store: MemoryStore, spent: list[tuple[int, int, int]], overshoot: float) -> None:
    """Nothing over a limit, nothing lost, nothing left reserved; and the limits did stand in the way."""
    month_usd, month_tokens = state(store, TIGHT, "month_usd"), state(store, TIGHT, "month_tokens")
    refused = sum(each[2] for each in spent)
    print(f"overshoot {overshoot:g}; used {month_usd.used:.3f} of {month_usd.limit} USD, "
          f"{month_tokens.used:,.0f} of {month_tokens.limit:,.0f} tokens; {refused} calls refused")  # fmt: skip
    assert overshoot == 0
    assert month_tokens.used == sum(tokens for tokens, _, _ in spent)
    assert round(month_usd.used * NANO) == sum(nano for _, nano, _ in spent)
    assert (month_usd.reserved, month_tokens.reserved) == (0, 0)
    assert refused > 0


def test_calls_in_flight_are_shown_with_their_model_until_they_are_settled(store: MemoryStore) -> None:
    now, budget = utc_now(), BudgetSettings()
    later = store.budgets.reserve(claim(task_id=None, agent="ceo", at=now, model="local:m"), budget).id
    first = store.budgets.reserve(claim(at=now - timedelta(seconds=40), model="openai:m"), budget).id
    assert first and later
    assert store.budgets.calls_in_flight() == [
        CallInFlight(id=first, agent="developer", task_id="t-1", model="openai:m", since=now - timedelta(seconds=40)),
        CallInFlight(id=later, agent="ceo", task_id=None, model="local:m", since=now),
    ]
    store.budgets.settle(first, tokens=0, nano_usd=0, budget=budget)
    assert [call.id for call in store.budgets.calls_in_flight()] == [later]


def test_waiting_calls_are_shown_until_they_go_on(store: MemoryStore) -> None:
    now = utc_now()
    waiting = WaitingCall(agent="qa", task_id="t-1", kind="budget", reason="used up", since=now, until=None)
    first = store.budgets.begin_waiting(waiting)
    store.budgets.begin_waiting(waiting.model_copy(update={"agent": "ceo", "since": now + timedelta(seconds=1)}))
    assert [call.agent for call in store.budgets.waiting_calls()] == ["qa", "ceo"]
    store.budgets.end_waiting(first)
    assert [call.agent for call in store.budgets.waiting_calls()] == ["ceo"]
    store.budgets.forget_waiting()
    assert store.budgets.waiting_calls() == []
