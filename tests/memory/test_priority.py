from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import MemoryStore, Priority, Task, effective_priority, new_task_id, queue_priority

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def task(priority: int, left: timedelta | None = None) -> Task:
    return Task(id=new_task_id(), title="t", priority=priority, deadline=None if left is None else NOW + left)


@pytest.mark.parametrize(
    ("priority", "left", "expected"),
    [
        (Priority.LOW, None, 10),
        (Priority.LOW, timedelta(days=30), 10),
        (Priority.LOW, timedelta(days=6), 5),
        (Priority.LOW, timedelta(hours=23), 3),
        (Priority.LOW, timedelta(seconds=-1), 1),
        (Priority.MEDIUM, timedelta(hours=23), 3),
        (Priority.HIGH, timedelta(days=6), 1),  # a deadline never makes a task less urgent
    ],
)
def test_a_deadline_makes_a_task_more_urgent(priority: int, left: timedelta | None, expected: int) -> None:
    assert effective_priority(task(priority, left), NOW) == expected


_lefts = st.none() | st.timedeltas(min_value=timedelta(days=-10), max_value=timedelta(days=10))
_tasks = st.builds(task, st.integers(1, 10), _lefts)


@st.composite
def _stages(draw: st.DrawFn) -> tuple[int, int]:
    stages = draw(st.integers(1, 100))
    return draw(st.integers(0, stages - 1)), stages


@given(_tasks, _stages(), _tasks, _stages())
def test_queue_priority_orders_by_urgency_then_by_stages_left(
    one: Task, one_stage: tuple[int, int], other: Task, other_stage: tuple[int, int]
) -> None:
    first, second = queue_priority(one, *one_stage, NOW), queue_priority(other, *other_stage, NOW)
    by_rule = (effective_priority(one, NOW), one_stage[1] - one_stage[0])
    by_rule_second = (effective_priority(other, NOW), other_stage[1] - other_stage[0])
    assert (first < second) == (by_rule < by_rule_second)
    assert first >= 1  # the engine takes 0 as "ahead of everything"


@pytest.mark.parametrize(("index", "stages"), [(-1, 3), (3, 3), (0, 0), (0, 101)])
def test_a_stage_that_does_not_exist_is_refused(index: int, stages: int) -> None:
    with pytest.raises(ValueError, match="stage"):
        queue_priority(task(5), index, stages, NOW)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(_tasks, min_size=1, max_size=12))
def test_the_database_orders_by_the_same_rule(store: MemoryStore, batch: list[Task]) -> None:
    fresh = [task.model_copy(update={"id": new_task_id(), "created_at": NOW}) for task in batch]
    for one in fresh:
        store.tasks.add(one)
    own = {one.id for one in fresh}
    ready = [one for one in store.tasks.ready(limit=10_000, now=NOW) if one.id in own]
    assert ready == sorted(fresh, key=lambda one: (effective_priority(one, NOW), one.created_at, one.id))


def test_of_equals_the_oldest_is_ready_first(store: MemoryStore, add: Callable[..., Task]) -> None:
    young = add(created_at=NOW)
    old = add(created_at=NOW - timedelta(days=1))
    assert [one.id for one in store.tasks.ready()] == [old.id, young.id]


def test_a_stage_that_stands_back_goes_after_others_but_never_after_a_lower_priority() -> None:
    tried, fresh, lower = task(5), task(5), task(6)
    places = [queue_priority(tried, 2, 5, NOW, behind=behind) for behind in (0, 1, 7, 10_000)]
    assert places == sorted(places)
    assert places[1] > queue_priority(fresh, 2, 5, NOW)
    assert places[-1] < queue_priority(lower, 4, 5, NOW)
