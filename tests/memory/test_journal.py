from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from memory import DatabaseLocked, MemoryStore, Task, ValueTooLarge
from monitoring.errors import causes


def test_what_is_remembered_is_recalled(store: MemoryStore) -> None:
    assert store.journal.recall("qa", "habits") is None
    store.journal.remember("qa", "habits", {"asserts": 1})
    store.journal.remember("developer", "habits", "other")
    store.journal.remember("qa", "habits", {"asserts": 2})
    assert store.journal.recall("qa", "habits") == {"asserts": 2}
    [memory] = store.journal.memories("qa")
    assert (memory.agent, memory.key, memory.value) == ("qa", "habits", {"asserts": 2})
    assert memory.updated_at > memory.created_at


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def storable(value: JsonValue) -> bool:
    """Without NUL and lone surrogates, which are replaced (see test_columns)."""
    text = repr(value)
    return "\\x00" not in text and "\\ud" not in text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_json.filter(storable))
def test_any_json_comes_back_as_it_was(store: MemoryStore, value: JsonValue) -> None:
    store.journal.remember("qa", "k", value)
    assert store.journal.recall("qa", "k") == value


def test_memories_by_prefix_oldest_first(store: MemoryStore) -> None:
    for key in ("a/1", "a/2", "b/1", "a%"):
        store.journal.remember("qa", key, key)
    store.journal.remember("qa", "a/1", "touched")
    assert [memory.key for memory in store.journal.memories("qa", "a/")] == ["a/2", "a/1"]
    assert [memory.key for memory in store.journal.memories("qa", "a%")] == ["a%"]  # no wildcard


def test_only_the_last_touched_are_kept(store: MemoryStore) -> None:
    for number in range(5):
        store.journal.remember("qa", f"a/{number}", number)
    store.journal.remember("qa", "b", 1)
    store.journal.remember("qa", "a/0", "touched")
    assert store.journal.forget_oldest("qa", "a/", keep=2) == 3
    assert [memory.key for memory in store.journal.memories("qa")] == ["a/4", "b", "a/0"]


def test_a_memory_that_is_too_large_is_refused_with_the_limit(store: MemoryStore) -> None:
    with pytest.raises(
        ValueTooLarge, match=r"70002 characters of JSON, the limit is 64000; keep large outputs in files"
    ):
        store.journal.remember("qa", "k", "x" * 70_000)
    assert store.journal.recall("qa", "k") is None


# --- the stream --------------------------------------------------------------------------------------------------


def test_the_stream_is_read_on_from_a_cursor(store: MemoryStore) -> None:
    first = store.journal.log("ceo", "woke up")
    second = store.journal.log("qa", "wrote tests", "t-1", count=3, files=["tests/test_x.py"])
    third = store.journal.log("qa", "slept")
    assert [line.id for line in store.journal.activity()] == [first, second, third]
    assert [line.activity for line in store.journal.activity(after_id=second)] == ["slept"]
    assert [line.id for line in store.journal.activity(limit=2)] == [first, second]
    [line] = store.journal.activity(task_id="t-1")
    assert (line.agent_name, line.details) == ("qa", {"count": 3, "files": ["tests/test_x.py"]})
    assert [line.id for line in store.journal.latest(2)] == [second, third]
    assert [line.id for line in store.journal.latest(task_id="t-1")] == [second]


def test_a_line_is_never_refused_for_its_size(store: MemoryStore) -> None:
    store.journal.log("qa", "x" * 1000, output="y" * 100_000)
    [line] = store.journal.activity()
    assert len(line.activity) == 300
    cut = line.details["cut"]
    assert isinstance(cut, str) and cut.startswith('{"output":"yyy') and len(cut) <= 4001


def test_a_follower_sees_every_line_once_while_many_write(store: MemoryStore) -> None:
    writers, lines = 8, 25
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        while True:
            last_round = done.is_set()
            seen.extend(line.id for line in store.journal.activity(after_id=seen[-1] if seen else 0))
            if last_round:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(writers) as pool:
        batches = list(pool.map(lambda n: [store.journal.log(f"a{n}", "x") for _ in range(lines)], range(writers)))
    done.set()
    follower.join()
    while rest := store.journal.activity(after_id=seen[-1]):
        seen.extend(line.id for line in rest)
    assert seen == sorted(line_id for batch in batches for line_id in batch)


def test_a_line_waits_for_the_one_before_it(store: MemoryStore, url: str) -> None:
    """An id that is taken and not yet to be seen must not be overtaken, or a reader's cursor would step over it."""
    slow, hasty = MemoryStore(url), MemoryStore(url, busy_seconds=0.2)
    written, may_commit = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        written.set()
        may_commit.wait(30)

    sa.event.listen(slow._database.engine, "commit", hold)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(slow.journal.log, "a", "first")
        assert written.wait(30)
        with pytest.raises(DatabaseLocked):
            hasty.journal.log("b", "second")
        assert store.journal.activity() == []
        may_commit.set()
        number = first.result(30)
        assert hasty.journal.log("b", "second") > number
    assert [line.activity for line in store.journal.activity()] == ["first", "second"]
    slow.close()
    hasty.close()


def test_decisions_are_kept_in_order(store: MemoryStore) -> None:
    store.journal.record_decision("ceo", "idea", {"idea": "a", "approved": True})
    store.journal.record_decision("ceo", "priority", {"task": "t-1"})
    assert [one.decision_type for one in store.journal.decisions()] == ["priority", "idea"]
    [idea] = store.journal.decisions(decision_type="idea")
    assert (idea.agent_name, idea.decision_data) == ("ceo", {"idea": "a", "approved": True})
    store.journal.record_decision("ceo", "priority", {"task": "t-10"})
    assert [one.decision_data for one in store.journal.decisions(task_id="t-1")] == [{"task": "t-1"}]


# --- the mailbox --------------------------------------------------------------------------------------------------


def test_commands_come_in_order_and_stay_until_they_are_dropped(store: MemoryStore) -> None:
    assert store.commands.pending() == []
    store.commands.send("cancel", "t-1")
    store.commands.send("wake")
    first, second = store.commands.pending()
    assert [(one.command, one.argument) for one in (first, second)] == [("cancel", "t-1"), ("wake", "")]
    store.commands.drop(first.id)
    assert store.commands.pending() == [second]
    store.commands.drop(first.id)
    store.commands.drop(second.id)
    assert store.commands.pending() == []


@pytest.mark.parametrize("reason", ["a value that is too large", "a statement that cannot be run"])
def test_the_causes_of_an_error_come_to_an_end(store: MemoryStore, reason: str) -> None:
    with pytest.raises(Exception) as caught:
        if reason.startswith("a value"):
            store.journal.remember("qa", "k", "x" * 70_000)
        else:
            with store._database.write() as connection:
                connection.execute(sa.text("INSERT INTO tasks (id) VALUES (NULL)"))
    error: BaseException | None = caught.value
    chain: list[BaseException] = []
    while error is not None and len(chain) < 20:
        chain.append(error)
        error = error.__cause__
    assert len(chain) < 20 and list(causes(caught.value)) == chain


def test_causes_in_a_circle_are_each_given_once() -> None:
    first, second = ValueError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second]
    first.__cause__ = first
    assert list(causes(first)) == [first]


def test_the_result_of_a_task_holds_a_long_answer(store: MemoryStore) -> None:
    store.tasks.add(Task(id="t-1", title="long"))
    store.tasks.update("t-1", result={"answer": "x" * 1_000_000})
    assert store.tasks.get("t-1").result == {"answer": "x" * 1_000_000}
