"""What is let go after its time, and what stays however old it is."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory import (
    Attempt,
    DatabaseLocked,
    FailureReason,
    MemoryStore,
    ModelCall,
    Task,
    TaskStatus,
    check_sound,
    compact,
    copy_database,
    utc_now,
)

LATER = timedelta(days=40)


def call(task_id: str | None, step: str) -> ModelCall:
    return ModelCall(
        workflow_id=f"{task_id}.0.0.code", step=step, request_hash=step, task_id=task_id, agent="qa", provider="p",
        model="m", prompt_hash="h", prompt="asked", response="told", input_tokens=7, output_tokens=5, cost_usd=0.5,
    )  # fmt: skip


def attempt(task_id: str) -> Attempt:
    return Attempt(
        task_id=task_id, run=0, stage="code", approach=1, number=1, strategy="write", outcome="red",
        answer_hash="a", tree="t", tests_passed=1, tests_failed=2, evidence="it fails", seconds=1.0,
    )  # fmt: skip


def test_texts_of_ended_tasks_go_and_figures_and_open_tasks_stay(store: MemoryStore, add: Callable[..., Task]) -> None:
    ended, waiting = add(), add()
    for task in (ended, waiting):
        store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
        store.ledger.record_call(call(task.id, "answer"))
        store.evidence.record_attempt(attempt(task.id))
        store.journal.log("qa", "looked", task.id)
    store.ledger.record_call(call(None, "ideas"))
    store.tasks.transition(ended.id, TaskStatus.FAILED, reason=FailureReason.TESTS_FAILED)
    before = [row.model_dump() for row in store.ledger.usage("task")]

    assert store.retention.forget_answers(utc_now() - LATER) == store.retention.forget_activity(utc_now() - LATER) == 0
    later = datetime.now(UTC) + LATER
    assert store.retention.forget_answers(later) == 2
    assert store.retention.forget_answers(later) == 0
    assert store.retention.forget_evidence(later) == 1
    assert store.retention.forget_activity(later) >= 1

    kept = store.ledger.find_call(f"{waiting.id}.0.0.code", "answer", "answer")
    assert kept is not None
    assert kept.response == "told"
    assert [row.model_dump() for row in store.ledger.usage("task")] == before
    (emptied,), (whole,) = store.evidence.attempts(ended.id), store.evidence.attempts(waiting.id)
    assert (emptied.evidence, emptied.tests_failed, whole.evidence) == ("", 2, "it fails")
    assert {line.task_id for line in store.journal.activity()} == {waiting.id}
    assert store.retention.ended_before(later) == [ended.id]
    assert store.retention.open_tasks() == {waiting.id}


def test_room_is_given_back_where_it_is_worth_it(sqlite_store: MemoryStore, tmp_path: Path) -> None:
    file = tmp_path / "state" / "agents.db"
    sqlite_store.ledger.record_call(call(None, "ideas"))
    with sqlite3.connect(file) as other:
        other.execute("UPDATE model_calls SET response = hex(zeroblob(12000000))")
    assert sqlite_store.retention.compact() == 0
    sqlite_store.retention.forget_answers(utc_now() + LATER)
    size = file.stat().st_size
    assert sqlite_store.retention.compact() > 16 << 20
    assert file.stat().st_size < size / 4
    assert len(sqlite_store.ledger.usage("day")) == 1
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        assert compact(file) == 0  # nothing to gain, nothing is waited for


def test_a_copy_is_one_state_of_a_database_that_is_being_written(sqlite_store: MemoryStore, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            sqlite_store.tasks.add(Task(id=f"t-{number}", title="t", description="d" * 3000))
            sqlite_store.journal.log("qa", "added", f"t-{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    while len(sqlite_store.tasks.select()) < 5:
        pass
    copy_database(tmp_path / "state" / "agents.db", tmp_path / "copy.db")
    ended.set()
    writer.join()
    check_sound(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    copied = MemoryStore(f"sqlite:///{tmp_path / 'copy.db'}")
    tasks, lines = len(copied.tasks.select(limit=10_000)), len(copied.journal.activity(limit=10_000))
    copied.close()
    assert tasks >= 5
    assert tasks - lines in (0, 1)


def test_an_answer_that_was_paid_for_waits_for_the_lock(sqlite_store: MemoryStore, tmp_path: Path) -> None:
    lock = sqlite3.connect(tmp_path / "state" / "agents.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseLocked):
        sqlite_store.commands.send("x")
    writer = threading.Thread(target=sqlite_store.ledger.record_call, args=[call(None, "ideas")])
    writer.start()
    with pytest.raises(DatabaseLocked):
        sqlite_store.commands.send("x")
    lock.close()
    writer.join(30)
    assert len(sqlite_store.ledger.usage("day")) == 1
