"""What a broken, busy or unreachable database does, for real: other processes, damaged files, a killed writer."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from memory import (
    DatabaseCorrupt,
    DatabaseFull,
    DatabaseLocked,
    DatabaseUnreachable,
    DatabaseUnusable,
    MemoryStore,
    Task,
    UnsupportedDatabase,
    new_task_id,
)
from tests.memory.conftest import PostgreSQL, Python


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@contextmanager
def held(url: str) -> Iterator[sqlite3.Connection]:
    """The write lock in someone else's hand."""
    other = sqlite3.connect(path_of(url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


def test_a_lock_that_stays_is_named(sqlite_store: MemoryStore, sqlite_url: str) -> None:
    with held(sqlite_url):
        with pytest.raises(DatabaseLocked, match=r"held it for 0\.2 s.*find the process that has it open"):
            sqlite_store.tasks.add(Task(id="t-1", title="t"))
        assert sqlite_store.tasks.select() == []  # readers do not wait
    assert sqlite_store.tasks.add(Task(id="t-1", title="t"))


def test_a_lock_that_is_given_back_is_waited_for(sqlite_store: MemoryStore, sqlite_url: str) -> None:
    patient = MemoryStore(sqlite_url, busy_seconds=30)
    with held(sqlite_url) as other:
        writer = threading.Thread(target=patient.tasks.add, args=[Task(id="t-1", title="t")])
        writer.start()
        with pytest.raises(DatabaseLocked):
            sqlite_store.commands.send("x")  # so the lock was held while the other waited
        other.execute("COMMIT")
        writer.join(timeout=30)
    assert patient.tasks.get("t-1").title == "t"
    patient.close()


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    yield postgresql.migrated
    postgresql.empty()


def test_a_lock_on_postgresql_is_named(postgresql_url: str) -> None:
    store = MemoryStore(postgresql_url, busy_seconds=0.2)
    store.tasks.add(Task(id="t-1", title="t"))
    engine = sa.create_engine(postgresql_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tasks SET title = 'other'")
        with pytest.raises(DatabaseLocked):
            store.tasks.update("t-1", title="mine")
    store.tasks.update("t-1", title="mine")
    store.close()
    engine.dispose()


def test_sixteen_threads_and_two_stores_write_without_an_error(url: str) -> None:
    stores = [MemoryStore(url), MemoryStore(url)]

    def work(number: int) -> None:
        for _ in range(10):
            task = Task(id=new_task_id(), title="t")
            stores[number % 2].tasks.add(task)
            stores[number % 2].journal.log("a", "x", task.id)
            stores[(number + 1) % 2].tasks.get(task.id)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert sum(stores[0].tasks.count_by_status().values()) == 160
    for store in stores:
        store.close()


def test_a_full_disk_loses_nothing(sqlite_store: MemoryStore) -> None:
    sqlite_store.tasks.add(Task(id="t-1", title="t"))
    engine = sqlite_store._database.engine
    sqlite_store.close()
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count=50"))  # SQLite's own limit
    with pytest.raises(DatabaseFull, match="Free some space"):
        for number in range(100):
            sqlite_store.tasks.add(Task(id=f"t-2{number}", title="t", description="d" * 60_000))
    assert sqlite_store.tasks.get("t-1").title == "t"


def test_a_damaged_file_is_named(sqlite_store: MemoryStore, sqlite_url: str) -> None:
    for number in range(50):
        sqlite_store.tasks.add(Task(id=f"t-{number}", title="t", description="d" * 5000))
    sqlite_store.close()
    with path_of(sqlite_url).open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(200_000))
    with pytest.raises(DatabaseCorrupt, match="restore"):
        for number in range(50):
            sqlite_store.tasks.get(f"t-{number}")
    with pytest.raises(DatabaseCorrupt, match="restore"):
        sqlite_store.check()


def test_a_file_that_is_no_database_is_named(sqlite_url: str) -> None:
    path_of(sqlite_url).parent.mkdir()
    path_of(sqlite_url).write_text("not a database, " * 100)
    with pytest.raises(DatabaseCorrupt):
        MemoryStore(sqlite_url).migrate()


READ_ONLY = """
import os, sys
from memory import MemoryStore, Task, DatabaseReadOnly
store = MemoryStore(sys.argv[1])
store.tasks.select()
store.close()
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anything
try:
    store.tasks.add(Task(id="t-1", title="t"))
except DatabaseReadOnly as error:
    print(error)
"""


def test_a_read_only_database_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        url = f"sqlite:///{folder}/agents.db"
        store = MemoryStore(url)
        store.migrate()
        store.close()
        Path(folder).chmod(0o755)
        path_of(url).chmod(0o444)
        output = Python(READ_ONLY, url).rest()
    assert "cannot be written. Make the file and its folder writable" in output[-1], output


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnreachable, match="cannot be created"):
        MemoryStore(f"sqlite:///{tmp_path / 'file' / 'agents.db'}").migrate()


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(DatabaseUnreachable, match=r"database\.url") as caught:
        MemoryStore("postgresql://user:geheim-geheim@127.0.0.1:1/agents").migrate()
    assert "geheim" not in str(caught.value)


def test_a_server_that_comes_back_is_used_again(postgresql_url: str) -> None:
    store = MemoryStore(postgresql_url)
    store.tasks.add(Task(id="t-1", title="t"))
    engine = sa.create_engine(
        postgresql_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:  # what a restart of the server does to our idle connections
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ai-agents'"
        )
    assert store.tasks.get("t-1").title == "t"
    store.close()
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "agents.db", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UnsupportedDatabase, match=r"sqlite:////path/agents\.db or postgresql://"):
        MemoryStore(url)


WRITER = """
import sys
from memory import *
store = MemoryStore(sys.argv[1])
while True:
    task = Task(id=new_task_id(), title="t", description="d" * 3000)
    store.tasks.add(task)
    store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
    store.journal.log("qa", "started", task.id)
    print(task.id, flush=True)
"""


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_done(url: str, backend: str) -> None:
    done: list[str] = []
    for round_ in range(2):
        process = Python(WRITER, url)
        done += [process.line() for _ in range(20 + 7 * round_)]
        process.kill()
        done += process.rest()  # done before the kill, read after it
    store = MemoryStore(url)
    store.migrate()
    assert store.check()
    assert {store.tasks.get(task_id).status for task_id in done} == {"in_progress"}
    logged = {line.task_id for line in store.journal.activity(limit=1_000_000)}
    assert logged >= set(done)
    store.close()
    if backend == "sqlite":
        with sqlite3.connect(path_of(url)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_every_complaint_says_what_to_do() -> None:
    error = DatabaseUnusable("here", "it is broken", "Mend it")
    assert str(error) == "database here: it is broken. Mend it"
