"""What is remembered of deployments, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from memory import MemoryStore, UnknownDeployment


@pytest.fixture
def store(url: str) -> MemoryStore:
    return MemoryStore(url)


def made_live(store: MemoryStore, commit: str, kind: str = "deploy", where: str = "staging") -> int:
    table = store.deployments
    number = table.open(where, "direct", kind, commit, f"{where} {commit} {len(table.history())}")  # type: ignore[arg-type]
    table.end(number, "live", "")
    return number


def test_rollbacks_that_follow_each_other_go_further_back(store: MemoryStore) -> None:
    table = store.deployments
    assert table.before("staging") is None and table.live("staging") is None
    for commit in ("a", "b", "c"):
        made_live(store, commit)
    made_live(store, "z", where="production")
    for expected in ("b", "a"):
        earlier = table.before("staging")
        assert earlier is not None and earlier.commit == expected
        made_live(store, earlier.commit, "rollback")
    assert table.before("staging") is None
    made_live(store, "d")
    earlier = table.before("staging")
    assert earlier is not None and earlier.commit == "a", "c was taken back, and a was live when d came"
    assert [row.status for row in table.history("staging")].count("live") == 1


def test_a_lock_is_held_by_one_until_it_expires_or_is_given_back(store: MemoryStore) -> None:
    table = store.deployments
    assert table.lock("staging", "t-1.0", 60)[0] == "t-1.0"
    assert table.lock("staging", "t-2.0", 60)[0] == "t-1.0"
    assert table.lock("staging", "t-1.0", 60)[0] == "t-1.0", "renewed"
    assert table.lock("production", "t-2.0", 60)[0] == "t-2.0"
    table.unlock("staging", "t-2.0")
    assert table.holder("staging") == "t-1.0", "not theirs to give back"
    table.unlock("staging", "t-1.0")
    assert table.lock("staging", "t-2.0", -1)[0] == "t-2.0"
    assert table.holder("staging") == "" and table.lock("staging", "t-3.0", 60)[0] == "t-3.0", "expired"


def test_what_was_asked_for_takes_a_newer_commit_until_it_is_planned(store: MemoryStore) -> None:
    table = store.deployments
    number = table.request("t-1", "staging", commit="a", by="landing")
    assert table.request("t-1", "staging", commit="other") == number, "asked twice, remembered once"
    assert table.redirect("staging", "owner", "b") is None and table.redirect("production", "landing", "b") is None
    redirected = table.redirect("staging", "landing", "b")
    assert redirected is not None and (redirected.id, redirected.commit) == (number, "b")
    planned = table.planned("t-1")
    assert planned is not None and planned.commit == "b" and table.redirect("staging", "landing", "c") is None
    assert table.open("staging", "direct", "deploy", "b" * 40, "t-1.0", "t-1") == number
    assert table.unfinished("staging")[0].commit == "b" * 40
    again = table.open("staging", "direct", "deploy", "b" * 40, "t-1.1", "t-1")
    assert again == number + 1 and table.get(again).by == "landing", "a retry is a deployment of its own"
    with pytest.raises(UnknownDeployment, match="deployments list"):
        table.get(99)
