"""Who may use the control room, and the pages and sums that it shows, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from memory import AccessKind, FailureReason, MemoryStore, NameTaken, Person, Role, Task, TaskStatus, utc_now


def test_secrets_let_in_until_they_are_used_up_or_expire(store: MemoryStore) -> None:
    people = store.people
    owner = people.owner()
    assert (owner.name, owner.role, people.owner()) == ("owner", Role.ADMIN, owner)
    ada = Person(name="ada", role=Role.OPERATOR, created_at=utc_now())
    people.add(ada)
    with pytest.raises(NameTaken):
        people.add(ada)
    soon, past = utc_now() + timedelta(hours=1), utc_now() - timedelta(hours=1)
    people.open(AccessKind.LINK, owner, "link", expires_at=soon)
    people.open(AccessKind.SESSION, owner, "old", expires_at=past)
    key = people.open(AccessKind.KEY, people.find("ada"), "key", expires_at=None, scopes=[Role.VIEWER])
    assert people.known_by(AccessKind.SESSION, "link") is people.known_by(AccessKind.SESSION, "old") is None
    used = [people.use_up(AccessKind.LINK, "link") for _ in range(2)]
    assert used == [owner, None]
    found = people.known_by(AccessKind.KEY, "key")
    assert found and (found[0].name, found[1].scopes) == ("ada", [Role.VIEWER])
    people.change("ada", active=False)
    assert people.known_by(AccessKind.KEY, "key") is None
    assert [name for name, _ in people.all_keys()] == ["ada"] and people.close(key) and not people.close(key)


def test_pages_and_sums_are_what_the_rows_say(store: MemoryStore) -> None:
    same = utc_now()
    for number in range(5):
        store.tasks.add(Task(id=f"t-{number}", title=f"Clamp {number}", created_at=same))
    store.tasks.transition("t-1", TaskStatus.FAILED, reason=FailureReason.TIMEOUT, detail="a_b")
    store.tasks.transition("t-2", TaskStatus.IN_PROGRESS)
    store.tasks.transition("t-2", TaskStatus.COMPLETED)
    pages = [store.browse.tasks(2)]
    while len(pages[-1]) == 2:
        pages.append(store.browse.tasks(2, (pages[-1][-1].created_at, pages[-1][-1].id)))
    assert [task.id for page in pages for task in page] == [f"t-{number}" for number in reversed(range(5))]
    assert [task.id for task in store.browse.tasks(9, search="A_B")] == ["t-1"]
    assert [task.id for task in store.browse.tasks(9, search="clamp t-3", status=[TaskStatus.PENDING])] == ["t-3"]
    sums = {(row.status, row.reason): (row.number, row.seconds >= 0) for row in store.browse.task_sums((60,))}
    assert sums == {
        (TaskStatus.PENDING, None): (3, True), (TaskStatus.FAILED, FailureReason.TIMEOUT): (1, True),
        (TaskStatus.COMPLETED, None): (1, True),
    }  # fmt: skip
    assert (store.browse.call_sums((1,)), store.browse.calls("t-1", 5), store.browse.decisions(5)) == ([], [], [])
