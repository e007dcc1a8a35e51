"""Tasks that begin anew: in other words, or after the parts they were split into."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memory import MemoryStore, Task, TaskStatus, UnknownTask

Add = Callable[..., Task]


def part(of: Task, number: int) -> Task:
    return Task(id=f"{of.id}-{number}", title=f"Part {number}", parent_id=of.id)


def started(store: MemoryStore, add: Add) -> Task:
    task = add(title="whole")
    assert store.tasks.transition(task.id, TaskStatus.IN_PROGRESS, stage="escalate", result={"visit": 3})
    return task


def test_a_split_task_begins_anew_when_all_its_parts_are_completed(store: MemoryStore, add: Add) -> None:
    task = started(store, add)
    assert store.tasks.split(task.id, 0, [part(task, 1), part(task, 2)])

    waiting = store.tasks.get(task.id)
    assert (waiting.status, waiting.run, waiting.stage, waiting.result) == (TaskStatus.PENDING, 1, "", {})
    for number in (1, 2):
        assert [ready.id for ready in store.tasks.ready()] == [f"{task.id}-{n}" for n in range(number, 3)]
        store.tasks.transition(f"{task.id}-{number}", TaskStatus.IN_PROGRESS)
        store.tasks.transition(f"{task.id}-{number}", TaskStatus.COMPLETED)
    assert [ready.id for ready in store.tasks.ready()] == [task.id]


def test_splitting_twice_or_too_late_adds_nothing(store: MemoryStore, add: Add) -> None:
    task = started(store, add)
    assert store.tasks.split(task.id, 0, [part(task, 1)])
    assert not store.tasks.split(task.id, 0, [part(task, 2)])  # the step is repeated
    assert [child.id for child in store.tasks.select(parent_id=task.id)] == [f"{task.id}-1"]
    with pytest.raises(UnknownTask):
        store.tasks.split("t-none", 0, [part(task, 3)])


def test_a_task_goes_on_in_other_words_once(store: MemoryStore, add: Add) -> None:
    task = started(store, add)
    assert store.tasks.reword(task.id, 0, "Say it so", "Clearer.")
    assert not store.tasks.reword(task.id, 0, "Say it again", "Twice.")
    told = store.tasks.get(task.id)
    assert (told.title, told.description, told.run, told.status) == ("Say it so", "Clearer.", 1, TaskStatus.PENDING)
