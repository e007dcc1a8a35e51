"""What servers answer that is no answer: every shape is an answer, or an error with the server's words."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import BudgetSettings, LLMSettings
from llm import LLMClient, LLMError, Tool, Turn
from llm.calls.response_bodies import UNREADABLE_USAGE, mended
from memory import MemoryStore
from tests.llm.conftest import context
from tests.support import Answer, Reply, Request, ScriptedModelServer

DONE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
GOOD = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [DONE], "usage": USAGE}
PLENTY = BudgetSettings(day_tokens=10**12)
EDIT = Tool("edit", "Edits.", {"type": "object", "properties": {"path": {"type": "string"}}})

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=8) | st.floats(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def call(**changes: object) -> dict[str, object]:
    function = {"name": "edit", "arguments": "{}"} | {
        key: changes.pop(key) for key in ("name", "arguments") if key in changes
    }
    return {"id": "c1", "type": "function", "function": function} | changes


def choice(**message: object) -> dict[str, object]:
    return GOOD | {"choices": [DONE | {"message": {"role": "assistant", "content": None} | message}]}


def test_a_good_answer_stays_as_it_is() -> None:
    assert mended(json.dumps(GOOD).encode()) is None
    emoji = json.dumps(choice(content="\N{GRINNING FACE} and \\ud83d"))
    assert mended(emoji.encode()) is None, "a whole character, and what only looks like half of one"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (json.dumps({"error": {"message": "Upstream overloaded", "code": 503}}), 503, "Upstream overloaded"),
        (json.dumps({"error": "Unexpected endpoint"}), 502, "Unexpected endpoint"),
        (json.dumps({"type": "error", "error": {"type": "overloaded", "message": "Overloaded"}}), 502, "Overloaded"),
        (json.dumps(GOOD | {"choices": []}), 502, "holds nothing"),
        (json.dumps(GOOD | {"choices": [{"index": 0}]}), 502, "a choice without a message"),
        (json.dumps(GOOD | {"choices": [DONE | {"finish_reason": "error"}]}), 502, "with an error: hi"),
        ("<html><style>p {}</style><p>Please <b>log in</b></p></html>", 502, "no JSON: Please log in"),
        ("", 502, "the answer is empty"),
        ("[1]", 502, "no JSON object: [1]"),
        ("[" * 100_000, 502, "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error_in_the_servers_words(body: str, status: int, words: str) -> None:
    found = mended(body.encode())
    assert found is not None
    assert found[0] == status
    assert words in json.dumps(found[1])


@pytest.mark.parametrize(
    "odd",
    [{"type": "mystery", "x": 1}, {"type": "text", "text": None}, {"type": "text"}, None, "text", {"type": "tool_use"},
     {"type": "server_tool_use", "id": "a", "name": "b", "input": {}}],
)  # fmt: skip
def test_parts_of_an_answer_that_nobody_knows_are_left_out(odd: object) -> None:
    text = {"type": "text", "text": "hi"}
    thought = {"type": "thinking", "thinking": "so", "signature": "s"}
    said = {"content": [thought, odd, text], "usage": {"input_tokens": 1, "output_tokens": 1}}
    changed = mended(json.dumps(said).encode())
    assert changed is not None
    assert (changed[0], changed[1]["content"]) == (200, [thought, text])


def test_calls_have_ids_of_their_own_and_arguments_in_json() -> None:
    calls = [call(), call(), call(id=None), call(name=None), call(arguments={"path": "a"}), call(arguments=None), "x"]
    found = mended(json.dumps(choice(tool_calls=[*calls, call(arguments='{"path": "\\ud83d"}')])).encode())
    assert found is not None
    made = found[1]["choices"][0]["message"]["tool_calls"]
    assert len({each["id"] for each in made}) == len(made) == 6
    assert [json.loads(each["function"]["arguments"]) for each in made] == [
        {},
        {},
        {},
        {"path": "a"},
        {},
        {"path": "�"},
    ]


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        (None, None),
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        ({"prompt_tokens": -5, "completion_tokens": 3, "total_tokens": -2}, UNREADABLE_USAGE),
        ({"prompt_tokens": 10**20, "completion_tokens": 3, "total_tokens": 3}, UNREADABLE_USAGE),
        ({"prompt_tokens": "many", "completion_tokens": 3, "total_tokens": 3}, UNREADABLE_USAGE),
        ("none", UNREADABLE_USAGE),
    ],
)
def test_usage_that_cannot_be_true_counts_as_the_worst_case(usage: object, kept: int | None) -> None:
    found = mended(json.dumps(GOOD | {"usage": usage}).encode())
    told = found[1]["usage"] if found else usage
    assert told is None if kept is None else isinstance(told, dict) and told["prompt_tokens"] == kept


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": anything, "choices": anything, "usage": anything, "model": anything, "error": anything,
            "created": anything, "content": anything, "output": anything,
        },
    ),
    st.fixed_dictionaries(
        {}, optional={"content": anything, "tool_calls": st.lists(anything | st.just(call()), max_size=3)}
    ),
    anything,
)  # fmt: skip
def test_no_shape_of_an_answer_is_a_bug_of_ours_or_keeps_a_reservation(
    store: MemoryStore, top: dict[str, object], message: dict[str, object], end: object
) -> None:
    shapes = [GOOD | top, GOOD | {"choices": [{"message": message, "finish_reason": end}]}]
    with ScriptedModelServer([Reply.garbage(json.dumps(shape)) for shape in shapes]) as server:
        chosen = LLMSettings(provider="openai_compatible", base_url=server.url, model="m", max_retries=0)
        client = LLMClient(chosen, {}, store, budget=PLENTY)
        for _ in shapes:
            try:
                client.converse([Turn("user", "go")], [EDIT], context=context(uuid.uuid4().hex))
            except LLMError as error:
                assert str(error)
        client.close()
        assert all(state.reserved == 0 for state in store.budgets.limit_states(PLENTY))


@pytest.mark.parametrize("code", [200, 500])
def test_an_answer_far_over_the_length_that_was_asked_for_is_read_no_further(store: MemoryStore, code: int) -> None:
    content = json.dumps({"path": "a.py", "content": "x = 1\n" * 400_000})
    body = json.dumps(choice(tool_calls=[call(arguments=content)]))
    reply = Reply.garbage(body) if code == 200 else Reply.status(code, body)
    with ScriptedModelServer([reply, "fine"]) as server:
        chosen = LLMSettings(provider="openai_compatible", base_url=server.url, model="m", max_retries=0)
        client = LLMClient(chosen, {}, store, budget=PLENTY)
        began = time.process_time()
        with pytest.raises(LLMError, match="too long" if code == 200 else "no usable answer") as caught:
            client.converse([Turn("user", "go")], [EDIT], context=context("1"))
        assert time.process_time() - began < 5
        assert len(str(caught.value)) < 2000
        assert client.generate("a", context=context("2")) == "fine"
        billed = [row.output_tokens for row in store.ledger.usage("model")]
        assert (max(billed) > chosen.max_tokens) is (code == 200), "nobody knows how long it was"
        assert all(state.reserved == 0 for state in store.budgets.limit_states(PLENTY))
        client.close()


@pytest.mark.parametrize("end", ["content_filter", "refusal"])
def test_an_answer_that_is_withheld_is_billed(store: MemoryStore, end: str) -> None:
    message = {"role": "assistant", "content": None} | ({"refusal": "No."} if end == "refusal" else {})
    body = GOOD | {"choices": [{"index": 0, "finish_reason": "stop" if end == "refusal" else end, "message": message}]}
    body["usage"] = {"prompt_tokens": 4000, "completion_tokens": 1000, "total_tokens": 5000}
    with ScriptedModelServer([Reply.garbage(json.dumps(body))]) as server:
        chosen = LLMSettings.model_validate(
            {"provider": "openai_compatible", "base_url": server.url, "model": "m", "max_retries": 0}
            | {"prices": {"m": {"input": 100, "output": 400}}}
        )
        client = LLMClient(chosen, {}, store, budget=BudgetSettings(day_usd=5))
        with pytest.raises(LLMError, match="content filter"):
            client.generate("a", context=context("1"))
        (state,) = [each for each in store.budgets.limit_states(BudgetSettings(day_usd=5)) if each.name == "day_usd"]
        assert state.used == pytest.approx(0.8)
        assert state.reserved == 0
        (row,) = store.ledger.usage("model")
        assert (row.input_tokens, row.output_tokens) == (4000, 1000)


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        (["max_tokens"], {"max_completion_tokens": 2000}),
        (["temperature"], {"max_tokens": 2000}),
        (["max_tokens", "temperature", "stop"], {"max_completion_tokens": 2000}),
    ],
)
def test_parameters_that_a_model_does_not_take_are_learned(
    store: MemoryStore, refused: list[str], sent: dict[str, int]
) -> None:
    def rule(request: Request) -> Answer:
        for name in refused:
            if name in request.body:
                told = f"Unsupported parameter: '{name}' is not supported with this model."
                return Reply.status(400, told)
        return "fine"

    with ScriptedModelServer(rule) as server:
        chosen = LLMSettings(provider="openai_compatible", base_url=server.url, model="m", max_retries=0)
        client = LLMClient(chosen, {}, store)
        for number in range(2):
            assert client.generate("a", stop=["END"], context=context(str(number))) == "fine"
        last = server.requests[-1].body
        assert {name: last[name] for name in ("max_tokens", "max_completion_tokens") if name in last} == sent
        assert not set(refused) & set(last)
        assert len(server.requests) == 2 + len(refused), "each is learned once"


def test_each_try_that_was_billed_has_a_row_of_its_own_and_the_ledger_agrees_with_the_budget(
    store: MemoryStore,
) -> None:
    empty = GOOD | {"choices": [], "usage": {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}}
    tries: list[Answer] = [Reply.garbage(json.dumps(empty)), Reply.status(503), Reply.cut("half " * 50), "fine"]
    limits = BudgetSettings(day_usd=50, day_tokens=100_000)
    with ScriptedModelServer([*tries, Reply.garbage(json.dumps(empty)), Reply.garbage(json.dumps(empty))]) as server:
        prices = {"m": {"input": 100, "output": 400}}
        chosen = LLMSettings.model_validate(
            {"provider": "openai_compatible", "base_url": server.url, "model": "m", "max_retries": 3, "prices": prices}
        )
        client = LLMClient(chosen, {}, store, budget=limits)
        assert client.generate("a", context=context("1")) == "fine"
        (row,) = store.ledger.usage("model")
        assert row.calls == 3  # what was free, such as the 503, has none
        assert row.output_tokens > 100 + chosen.max_tokens  # nobody knows how long the answer was that was cut
        hasty = LLMClient(chosen.model_copy(update={"max_retries": 1}), {}, store, budget=limits)
        with pytest.raises(LLMError, match="holds nothing"):
            hasty.generate("a", context=context("2"))
        (row,) = store.ledger.usage("model")
        assert row.calls == 5  # the failure of the call is the row of its last try
    used = {state.name: state for state in store.budgets.limit_states(limits)}
    assert used["day_tokens"].used == row.input_tokens + row.output_tokens
    assert used["day_usd"].used == pytest.approx(row.cost_usd)
    assert used["day_usd"].reserved == used["day_tokens"].reserved == 0
