"""The audit trail: what the database refuses, and what following the chain finds where it was made to give in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from memory import MemoryStore, Task, TaskStatus, utc_now
from tests.memory.conftest import Python, drop_triggers
from tests.memory.test_migrations import engine_of

LATER = timedelta(days=100)
REFUSED = [
    "UPDATE activity_logs SET activity = 'slept' WHERE id = {third}",
    "UPDATE activity_logs SET hash = 'x' WHERE id = {third}",
    "DELETE FROM activity_logs WHERE id = {third}",
    "DELETE FROM activity_logs",
    "INSERT INTO activity_logs (agent_name, activity, details, timestamp) VALUES ('a', 'b', '', '2026-01-01')",
    "UPDATE audit_chain SET head_id = head_id - 1",
    "UPDATE audit_chain SET anchor_id = head_id + 1",
    "DELETE FROM audit_chain",
    "INSERT INTO audit_chain VALUES (2, 0, '', 0, '')",
]
REFUSED_BY_SQLITE = [
    "REPLACE INTO activity_logs SELECT id, agent_name, 'slept', task_id, details, timestamp, hash FROM activity_logs",
    "REPLACE INTO audit_chain VALUES (1, 0, '', 0, '')",
]
REFUSED_BY_POSTGRESQL = ["TRUNCATE activity_logs", "TRUNCATE audit_chain"]
TAMPERED = {
    "UPDATE activity_logs SET activity = 'slept' WHERE id = {third}": "line {third} does not follow",
    "UPDATE activity_logs SET agent_name = 'ceo' WHERE id = {third}": "line {third} does not follow",
    "UPDATE activity_logs SET task_id = NULL WHERE id = {third}": "line {third} does not follow",
    "UPDATE activity_logs SET timestamp = '2020-01-01 00:00:00.000000' WHERE id = {third}": "line {third} does not",
    "UPDATE activity_logs SET details = '{{}}' WHERE id = {third}": "line {third} does not follow",
    "DELETE FROM activity_logs WHERE id = {third}": "line {fourth} does not follow from line {second}",
    "DELETE FROM activity_logs WHERE id = {first}": "line {second} does not follow from the beginning",
    "DELETE FROM activity_logs WHERE id = {last}": "ends with line {fourth}, but line {last} was written",
    "DELETE FROM activity_logs": "ends with line 0, but line {last} was written",
    "INSERT INTO activity_logs (agent_name, activity, details, timestamp, hash) SELECT agent_name, activity, details, "
    "timestamp, hash FROM activity_logs WHERE id = {last}": "does not follow from line {last}",
    "DELETE FROM audit_chain": "the head of the chain is gone",
    "UPDATE audit_chain SET anchor_id = {second}": "line {first} was deleted by retention, but is there",
}  # fmt: skip


def filled(store: MemoryStore) -> dict[str, int]:
    words = ("first", "second", "third", "fourth", "last")
    return {word: store.journal.log("qa", f"looked {word}", f"t-{word}", found=[word, "ü\x00"]) for word in words}


def execute(url: str, statement: str, *, triggers: bool = True) -> None:
    engine = engine_of(url)
    try:
        with engine.begin() as connection:
            if not triggers:
                drop_triggers(connection)
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def test_the_chain_holds_over_all_that_is_written(store: MemoryStore, add: Callable[..., Task]) -> None:
    assert store.audit.verify().broken == ""
    filled(store)
    store.journal.log("qa", "x" * 1000, output="y" * 100_000)
    store.journal.log("qa", "key sk-ant-" + "a1" * 20, None, password="hunter2hunter2", nan=float("nan"))
    report = store.audit.verify()
    assert (report.lines, report.broken, report.forgotten_to) == (7, "", 0)
    assert report.last == store.journal.latest(1)[0].id


def test_the_database_refuses_to_change_the_past(store: MemoryStore, url: str, backend: str) -> None:
    ids = filled(store)
    for statement in REFUSED + (REFUSED_BY_SQLITE if backend == "sqlite" else REFUSED_BY_POSTGRESQL):
        with pytest.raises(DBAPIError, match=r"append-only|only moves forward"):
            execute(url, statement.format(**ids))
    assert store.audit.verify().lines == 5
    assert store.audit.verify().broken == ""


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_was_changed_with_the_triggers_gone_is_found(empty_url: str, statement: str) -> None:
    store = MemoryStore(empty_url)
    store.migrate()
    ids = filled(store)
    execute(empty_url, statement.format(**ids), triggers=False)
    assert TAMPERED[statement].format(**ids) in store.audit.verify().broken
    store.close()


def test_retention_cuts_off_the_beginning_and_the_rest_stays_chained(
    store: MemoryStore, add: Callable[..., Task]
) -> None:
    ended, waiting = add(), add()
    for task in (ended, waiting, ended):
        store.journal.log("qa", "looked", task.id)
    store.tasks.transition(ended.id, TaskStatus.CANCELLED)
    lines = len(store.journal.activity())
    gone = store.retention.forget_activity(utc_now() + LATER)
    report = store.audit.verify()
    assert gone >= 1
    assert (report.lines, report.broken) == (lines - gone, "")
    assert report.forgotten_to > 0
    store.tasks.transition(waiting.id, TaskStatus.CANCELLED)
    assert store.retention.forget_activity(utc_now() + LATER) == lines - gone
    assert store.audit.verify().broken == ""
    number = store.journal.log("qa", "looked again")
    assert store.audit.verify().model_dump(include={"lines", "last", "broken"}) == {
        "lines": 1, "last": number, "broken": "",
    }  # fmt: skip


WRITE = """
import sys
from memory import MemoryStore
store = MemoryStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    store.journal.log("other", "wrote", None, number=number)
"""


def test_several_processes_write_one_chain(store: MemoryStore, url: str) -> None:
    processes = [Python(WRITE, url) for _ in range(2)]
    assert [process.line() for process in processes] == ["ready"] * 2
    for process in processes:
        process.go()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: store.journal.log("qa", f"wrote {number}"), range(60)))
    assert [process.rest() for process in processes] == [[], []]
    report = store.audit.verify()
    assert (report.lines, report.broken) == (120, "")


def test_a_line_that_is_not_committed_leaves_the_chain_whole(store: MemoryStore, url: str) -> None:
    filled(store)
    with pytest.raises(RuntimeError), store._database.write() as connection:
        connection.execute(sa.text("UPDATE audit_chain SET head_id = head_id + 1, head_hash = 'x'"))
        raise RuntimeError
    store.journal.log("qa", "looked")
    assert store.audit.verify().broken == ""
