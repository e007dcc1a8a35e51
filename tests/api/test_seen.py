"""Answers that many ask for are given again only while they are true."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from api.room import Seen
from memory import MemoryStore


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    store = MemoryStore(f"sqlite:///{tmp_path}/agents.db")
    store.migrate()
    return store


def test_an_answer_is_made_anew_when_anybody_has_written_and_after_a_second(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("api.room.time.monotonic", lambda: now)
    seen, made = Seen(store), list[str]()

    def make() -> int:
        made.append("")
        return len(made)

    def look(name: str = "inbox") -> int:
        return seen.of(name, make)

    assert [look(), look(), look()] == [1, 1, 1]
    store.journal.log("owner", "measured", None)
    assert [look(), look()] == [2, 2]
    with_its_own = MemoryStore(f"sqlite:///{tmp_path}/agents.db")
    with_its_own.journal.log("owner", "measured", None)
    with_its_own.close()
    assert [look(), look()] == [3, 3]
    now += 1.1
    assert [look(), look("team"), look(), look("team")] == [4, 5, 4, 5]


def test_who_has_written_sees_it_while_others_look(store: MemoryStore) -> None:
    seen, stale = Seen(store), list[int]()

    def look() -> int:
        return seen.of("lines", lambda: store.audit.head()[0])

    def watch() -> None:
        while not done.is_set():
            look()

    done = threading.Event()
    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for _ in range(60):
        line = store.journal.log("owner", "measured", None)
        stale += [] if look() >= line else [line]
    done.set()
    for watcher in watchers:
        watcher.join()
    assert not stale
