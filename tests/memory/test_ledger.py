from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import MemoryStore, ModelCall, ModelProbe, StoredResponse, new_task_id, utc_now


def call(**fields: object) -> ModelCall:
    values = {
        "workflow_id": "w-1",
        "step": "write_code",
        "request_hash": "h-1",
        "task_id": "t-1",
        "agent": "developer",
        "provider": "openai",
        "model": "gpt",
        "prompt_hash": "p-1",
        "prompt": "Write it.",
        "response": "def f(): ...",
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.5,
        "seconds": 1.0,
    }
    return ModelCall.model_validate(values | fields)


def test_a_repeated_step_finds_its_answer(store: MemoryStore) -> None:
    assert store.ledger.find_call("w-1", "write_code", "h-1") is None
    store.ledger.record_call(call(cached_tokens=7))
    found = store.ledger.find_call("w-1", "write_code", "h-1")
    assert found is not None
    assert (found.response, found.provider, found.model) == ("def f(): ...", "openai", "gpt")
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (100, 20, 7)
    assert store.ledger.find_call("w-2", "write_code", "h-1") is None
    assert store.ledger.find_call("w-1", "review", "h-1") is None
    assert store.ledger.find_call("w-1", "write_code", "h-2") is None


def test_the_first_answer_stays(store: MemoryStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.ledger.record_call(call(response=f"answer {n}")), range(8)))
    found = store.ledger.find_call("w-1", "write_code", "h-1")
    assert found is not None and found.response.startswith("answer ")
    assert store.ledger.usage("task")[0].calls == 1


def test_failed_calls_are_counted_and_never_replayed(store: MemoryStore) -> None:
    for _ in range(2):
        store.ledger.record_call(call(outcome="truncated", response="def f("))
    assert store.ledger.find_call("w-1", "write_code", "h-1") is None
    store.ledger.record_call(call())
    found = store.ledger.find_call("w-1", "write_code", "h-1")
    assert found is not None and found.response == "def f(): ..."
    [usage] = store.ledger.usage("task", task_ids=["t-1"])
    assert (usage.calls, usage.input_tokens, usage.cost_usd) == (3, 300, 1.5)


def test_usage_by_task_agent_model_and_day(store: MemoryStore) -> None:
    late = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    store.ledger.record_call(call(step="1", created_at=late))
    store.ledger.record_call(
        call(step="2", created_at=late + timedelta(seconds=1), agent="qa", task_id=None, cost_usd=None)
    )
    store.ledger.record_call(
        call(step="3", created_at=late + timedelta(seconds=2), cached=True, cost_usd=0, output_tokens=0)
    )
    days = store.ledger.usage("day")
    assert [(row.key, row.calls, row.cached_calls, row.unpriced_calls) for row in days] == [
        ("2026-11-21", 2, 1, 1),
        ("2026-11-20", 1, 0, 0),
    ]
    assert [(row.key, row.output_tokens) for row in store.ledger.usage("agent")] == [("developer", 20), ("qa", 20)]
    assert [(row.key, row.cost_usd) for row in store.ledger.usage("task")] == [("t-1", 0.5), ("", None)]
    [model] = store.ledger.usage("model")
    assert (model.key, model.calls, model.cost_usd, model.seconds) == ("openai/gpt", 3, 0.5, 3.0)
    assert [row.key for row in store.ledger.usage("agent", task_ids=["t-1"])] == ["developer"]
    with pytest.raises(ValueError, match="use one of task, agent, model, day"):
        store.ledger.usage("week")  # type: ignore[arg-type]  # what a caller without types may ask


_calls = st.lists(
    st.tuples(st.sampled_from(["qa", "developer"]), st.integers(0, 10_000), st.none() | st.integers(0, 8)), max_size=12
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=_calls)
def test_every_way_to_group_adds_up_to_the_same(store: MemoryStore, calls: list[tuple[str, int, int | None]]) -> None:
    task_id = new_task_id()
    for number, (agent, tokens, eighths) in enumerate(calls):
        cost = None if eighths is None else eighths / 8
        store.ledger.record_call(
            call(
                workflow_id=task_id, step=str(number), task_id=task_id, agent=agent, input_tokens=tokens, cost_usd=cost
            )
        )
    for key in ("task", "agent", "model", "day"):
        rows = store.ledger.usage(key, task_ids=[task_id])
        assert sum(row.calls for row in rows) == len(calls)
        assert sum(row.input_tokens for row in rows) == sum(tokens for _, tokens, _ in calls)
        assert sum(row.unpriced_calls for row in rows) == sum(eighths is None for *_, eighths in calls)
        assert sum(row.cost_usd or 0 for row in rows) == sum((eighths or 0) / 8 for *_, eighths in calls)


def probe_of(model: str, *, tools: bool) -> ModelProbe:
    return ModelProbe(
        provider="openai_compatible", address="a-1", model=model, tools=tools, structured=True, edit_blocks=False,
        repairs=True,
    )  # fmt: skip


def test_what_a_model_managed_is_remembered_by_where_it_is(store: MemoryStore) -> None:
    store.ledger.record_probe(probe_of("m", tools=True))
    store.ledger.record_probe(probe_of("other", tools=True))
    store.ledger.record_probe(probe_of("m", tools=False))  # tried out anew
    found = store.ledger.find_probe("openai_compatible", "a-1", "m")
    assert found is not None
    assert (found.tools, found.structured, found.edit_blocks, found.repairs) == (False, True, False, True)
    assert store.ledger.find_probe("openai_compatible", "a-2", "m") is None
    assert store.ledger.find_probe("openai", "a-1", "m") is None


# --- the cache ---------------------------------------------------------------------------------------------------


def answer(text: str, age: float = 0) -> StoredResponse:
    return StoredResponse(response=text, provider="p", model="m", created_at=utc_now() - timedelta(seconds=age))


def test_cached_answers_grow_old(store: MemoryStore) -> None:
    store.ledger.store_response("h", answer("x", age=100))
    assert store.ledger.cached_response("h", 99) is None
    found = store.ledger.cached_response("h", 200)
    assert found is not None and found.response == "x"
    assert store.ledger.cached_response("other", 200) is None


def test_a_newer_answer_replaces_the_old(store: MemoryStore) -> None:
    store.ledger.store_response("h", answer("old", age=100))
    store.ledger.store_response("h", answer("new"))
    found = store.ledger.cached_response("h", 10)
    assert found is not None and found.response == "new"


def test_purge_drops_old_answers_only(store: MemoryStore) -> None:
    store.ledger.store_response("old", answer("x", age=100))
    store.ledger.store_response("new", answer("y"))
    assert store.ledger.purge_cache(50) == 1
    assert store.ledger.cached_response("old", 1000) is None
    assert store.ledger.cached_response("new", 1000) is not None
