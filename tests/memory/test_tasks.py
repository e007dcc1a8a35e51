from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from memory import (
    ENDED,
    RETRIABLE,
    AmbiguousTask,
    FailureReason,
    IllegalTransition,
    MemoryStore,
    Task,
    TaskStatus,
    TaskType,
    UnknownTask,
    new_task_id,
)

Add = Callable[..., Task]
PENDING, IN_PROGRESS, COMPLETED = TaskStatus.PENDING, TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED
FAILED, BLOCKED, CANCELLED = TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED


def test_a_task_comes_back_as_it_was_given(store: MemoryStore, add: Add) -> None:
    parent, needed = add(), add()
    task = Task(
        id=new_task_id(),
        title="Срок — and 'quotes'",
        description="line one\nline two",
        type=TaskType.ANALYSIS,
        priority=1,
        deadline=datetime(2027, 1, 1, tzinfo=UTC),
        assigned_agents=["qa", "developer"],
        parent_id=parent.id,
        depends_on=[needed.id, parent.id, needed.id],
        source="ceo",
        result={"commits": ["abc"], "tests": 3, "nested": {"none": None}},
    )
    assert store.tasks.add(task)
    assert store.tasks.get(task.id) == task
    assert task.depends_on == sorted({needed.id, parent.id})


def test_a_deadline_in_another_timezone_is_the_same_moment(store: MemoryStore, add: Add) -> None:
    task = add(deadline="2027-01-01T03:00:00+03:00")
    kept = store.tasks.get(task.id).deadline
    assert kept == datetime(2027, 1, 1, tzinfo=UTC)
    assert kept is not None and kept.tzinfo is UTC


def test_a_deadline_without_timezone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Task.model_validate({"id": "t-1", "title": "t", "deadline": "2027-01-01T00:00:00"})


def test_adding_the_same_id_again_changes_nothing(store: MemoryStore, add: Add) -> None:
    task = add(title="first")
    assert not store.tasks.add(task.model_copy(update={"title": "second"}))
    assert store.tasks.get(task.id).title == "first"


def test_one_of_many_adders_adds(store: MemoryStore) -> None:
    task = Task(id=new_task_id(), title="t")
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: store.tasks.add(task), range(16))) == 1


@pytest.mark.parametrize("field", ["depends_on", "parent_id"])
def test_a_task_cannot_hang_on_one_that_is_not_there(store: MemoryStore, field: str) -> None:
    there_not = "t-none"
    fields = {"id": "t-1", "title": "t", field: [there_not] if field == "depends_on" else there_not}
    with pytest.raises(UnknownTask, match=there_not):
        store.tasks.add(Task.model_validate(fields))
    assert store.tasks.select() == []


def test_a_task_cannot_wait_for_itself(store: MemoryStore) -> None:
    with pytest.raises(UnknownTask):
        store.tasks.add(Task(id="t-1", title="t", depends_on=["t-1"]))


def test_find_by_the_beginning_of_an_id(store: MemoryStore) -> None:
    for task_id in ("t-abc", "t-abd", "t-ab%", "t-abcd"):
        store.tasks.add(Task(id=task_id, title=task_id))
    assert store.tasks.find("t-abd").id == "t-abd"
    assert store.tasks.find("t-abc").id == "t-abc"  # exact goes before longer ones
    assert store.tasks.find("t-ab%").id == "t-ab%"  # no wildcard
    with pytest.raises(AmbiguousTask, match="t-abc, t-abcd"):
        store.tasks.find("t-ab")
    with pytest.raises(UnknownTask, match="task list"):
        store.tasks.find("t-x")
    with pytest.raises(UnknownTask):
        store.tasks.get("t-ab")


def test_list_is_newest_first_and_filtered(store: MemoryStore, add: Add) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [add(created_at=start + timedelta(minutes=minute)).id for minute in range(5)]
    child = add(parent_id=ids[0], type="decision", source="ceo", created_at=start - timedelta(days=1))
    assert [task.id for task in store.tasks.select()] == [*reversed(ids), child.id]
    assert [task.id for task in store.tasks.select(limit=2)] == [ids[4], ids[3]]
    assert store.tasks.select(type=TaskType.DECISION) == [child]
    assert store.tasks.select(parent_id=ids[0]) == [child]
    assert store.tasks.select(source="ceo") == [child]
    store.tasks.transition(ids[2], IN_PROGRESS)
    assert [task.id for task in store.tasks.select({IN_PROGRESS})] == [ids[2]]
    assert store.tasks.select([]) == []


def test_update_changes_what_is_named_and_nothing_else(store: MemoryStore, add: Add) -> None:
    task = add(priority=10, description="d")
    store.tasks.update(task.id, priority=1, stage="review", result={"tests": 2})
    changed = store.tasks.get(task.id)
    assert changed.updated_at is not None
    assert changed == task.model_copy(
        update={"priority": 1, "stage": "review", "result": {"tests": 2}, "updated_at": changed.updated_at}
    )


def test_update_refuses_bad_values_and_unknown_tasks(store: MemoryStore, add: Add) -> None:
    task = add()
    with pytest.raises(ValidationError):
        store.tasks.update(task.id, priority=99)
    with pytest.raises(UnknownTask):
        store.tasks.update("t-none", priority=1)
    assert store.tasks.get(task.id) == task


# --- status ------------------------------------------------------------------------------------------------------


def test_the_life_of_a_task_leaves_its_times(store: MemoryStore, add: Add) -> None:
    task = add()
    assert store.tasks.transition(task.id, IN_PROGRESS, stage="tests")
    started = store.tasks.get(task.id)
    assert (started.status, started.stage, started.finished_at) == (IN_PROGRESS, "tests", None)
    assert started.started_at is not None
    assert store.tasks.transition(task.id, COMPLETED, result={"commits": ["c"]})
    done = store.tasks.get(task.id)
    assert done.started_at == started.started_at
    assert done.finished_at is not None and done.finished_at >= done.started_at
    assert done.result == {"commits": ["c"]}


def test_a_failed_task_has_a_reason(store: MemoryStore, add: Add) -> None:
    task = add()
    with pytest.raises(IllegalTransition, match="reason"):
        store.tasks.transition(task.id, FAILED)
    assert store.tasks.transition(task.id, FAILED, reason=FailureReason.TIMEOUT, detail="3600 s are over")
    failed = store.tasks.get(task.id)
    assert (failed.reason, failed.reason_detail) == (FailureReason.TIMEOUT, "3600 s are over")


def test_a_failed_task_can_be_put_aside(store: MemoryStore, add: Add) -> None:
    task = add()
    store.tasks.transition(task.id, FAILED, reason=FailureReason.TIMEOUT)
    assert store.tasks.transition(task.id, CANCELLED, detail="cancelled by the owner")
    aside = store.tasks.get(task.id)
    assert (aside.status, aside.reason, aside.reason_detail) == (CANCELLED, None, "cancelled by the owner")


def test_a_transition_from_an_unexpected_status_does_nothing(store: MemoryStore, add: Add) -> None:
    task = add()
    assert not store.tasks.transition(task.id, COMPLETED, expect={IN_PROGRESS})
    assert store.tasks.get(task.id) == task


def test_transitions_that_no_task_makes_are_refused(store: MemoryStore, add: Add) -> None:
    task = add()
    with pytest.raises(IllegalTransition, match="task retry"):
        store.tasks.transition(task.id, IN_PROGRESS, expect={COMPLETED})
    with pytest.raises(UnknownTask):
        store.tasks.transition("t-none", IN_PROGRESS)


def test_a_repeated_step_may_name_its_own_result(store: MemoryStore, add: Add) -> None:
    task = add()
    for _ in range(2):
        assert store.tasks.transition(task.id, IN_PROGRESS, expect={PENDING, IN_PROGRESS})
    started = store.tasks.get(task.id).started_at
    assert store.tasks.transition(task.id, COMPLETED, expect={IN_PROGRESS, COMPLETED})
    first = store.tasks.get(task.id)
    assert store.tasks.transition(task.id, COMPLETED, expect={IN_PROGRESS, COMPLETED})
    again = store.tasks.get(task.id)
    assert (again.started_at, again.finished_at) == (started, first.finished_at)


def test_retry_starts_a_new_run_and_late_work_of_the_old_one_is_kept_out(store: MemoryStore, add: Add) -> None:
    task = add()
    assert not store.tasks.retry(task.id)
    store.tasks.transition(task.id, IN_PROGRESS, stage="code")
    store.tasks.transition(task.id, BLOCKED, reason=FailureReason.TESTS_FAILED, detail="two approaches")
    assert store.tasks.retry(task.id)
    again = store.tasks.get(task.id)
    assert (again.status, again.run, again.reason, again.reason_detail) == (PENDING, 1, None, "")
    assert (again.stage, again.result, again.started_at, again.finished_at) == ("", {}, None, None)
    store.tasks.transition(task.id, IN_PROGRESS, run=1)
    assert not store.tasks.transition(task.id, COMPLETED, run=0)
    assert store.tasks.transition(task.id, COMPLETED, run=1)
    assert not store.tasks.retry(task.id)
    with pytest.raises(UnknownTask):
        store.tasks.retry("t-none")


def test_of_sixteen_threads_one_wins(store: MemoryStore, add: Add) -> None:
    for task in [add() for _ in range(5)]:
        start = partial(store.tasks.transition, task.id, IN_PROGRESS, expect={PENDING})
        with ThreadPoolExecutor(16) as pool:
            wins = list(pool.map(lambda stage, start=start: start(stage=stage), [f"s{n}" for n in range(16)]))
        assert wins.count(True) == 1
        assert store.tasks.get(task.id).stage == f"s{wins.index(True)}"


_moves = st.lists(st.sampled_from([*TaskStatus, "retry"]), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=_moves)
def test_any_sequence_of_changes_keeps_the_laws_of_a_task(store: MemoryStore, moves: list[TaskStatus | str]) -> None:
    """Ended means finished; failed means a reason; an ended task moves only by a retry; runs only grow."""
    task_id = new_task_id()
    store.tasks.add(Task(id=task_id, title="t"))
    before = store.tasks.get(task_id)
    for move in moves:
        if isinstance(move, TaskStatus):
            changed = store.tasks.transition(task_id, move, reason=FailureReason.TIMEOUT)
        else:
            changed = store.tasks.retry(task_id)
        now = store.tasks.get(task_id)
        if not changed:
            assert now == before
        elif isinstance(move, TaskStatus):
            assert now.status is move is not before.status
            put_aside = (before.status, move) == (FAILED, CANCELLED)
            assert before.status not in ENDED or before.status is BLOCKED or put_aside
            assert now.run == before.run
        else:
            assert before.status in RETRIABLE
            assert (now.status, now.run) == (PENDING, before.run + 1)
        assert (now.finished_at is not None) == (now.status in ENDED)
        assert now.status is not IN_PROGRESS or now.started_at is not None
        before = now


# --- order and dependencies ---------------------------------------------------------------------------------------


def finish(store: MemoryStore, task_id: str) -> None:
    store.tasks.transition(task_id, IN_PROGRESS)
    store.tasks.transition(task_id, COMPLETED)


def test_a_task_is_ready_when_all_it_depends_on_is_completed(store: MemoryStore, add: Add) -> None:
    first, second = add(), add()
    third = add(depends_on=[first.id, second.id])
    finish(store, first.id)
    assert [task.id for task in store.tasks.ready()] == [second.id]
    store.tasks.transition(second.id, IN_PROGRESS)
    assert store.tasks.ready() == []
    store.tasks.transition(second.id, COMPLETED)
    assert store.tasks.ready() == [third]


def test_workable_are_the_tasks_in_progress_and_then_the_ready_ones(store: MemoryStore, add: Add) -> None:
    ready, begun = add(priority=1), add(priority=9)
    behind = add(depends_on=[begun.id])
    store.tasks.transition(begun.id, IN_PROGRESS)
    assert [task.id for task in store.tasks.workable()] == [begun.id, ready.id]
    assert [task.id for task in store.tasks.workable(limit=1)] == [begun.id]
    store.tasks.transition(begun.id, COMPLETED)
    assert {task.id for task in store.tasks.workable()} == {ready.id, behind.id}


def workable_while(store: MemoryStore, move: Callable[[], None]) -> set[int]:
    """How many tasks were seen to be workable while `move` ran. A daemon that sees none takes its work for done."""
    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        seen = {len(store.tasks.workable())}
        while not moving.done():
            seen.add(len(store.tasks.workable()))
        moving.result()
    return seen


def test_a_task_that_is_begun_meanwhile_is_workable_all_the_time(store: MemoryStore, add: Add) -> None:
    task = add()

    def begin_and_put_back() -> None:
        for _ in range(100):
            store.tasks.transition(task.id, IN_PROGRESS)
            store.tasks.transition(task.id, PENDING)

    assert workable_while(store, begin_and_put_back) == {1}


def test_while_tasks_follow_one_another_one_is_workable_all_the_time(store: MemoryStore, add: Add) -> None:
    chain = [add()]
    for _ in range(100):
        chain.append(add(depends_on=[chain[-1].id]))

    def finish_all_but_the_last() -> None:
        for task in chain[:-1]:
            finish(store, task.id)

    assert workable_while(store, finish_all_but_the_last) == {1}
    assert store.tasks.workable() == [chain[-1]]


def test_tasks_whose_dependency_died_are_found(store: MemoryStore, add: Add) -> None:
    failed, cancelled, blocked, fine = add(), add(), add(), add()
    stranded = add(depends_on=[failed.id, cancelled.id, fine.id])
    add(depends_on=[blocked.id])
    store.tasks.transition(failed.id, FAILED, reason=FailureReason.TESTS_FAILED)
    store.tasks.transition(cancelled.id, CANCELLED)
    store.tasks.transition(blocked.id, BLOCKED)
    assert store.tasks.stranded() == [stranded]
    assert [task.id for task in store.tasks.dead_dependencies(stranded)] == sorted([failed.id, cancelled.id])
    assert store.tasks.dead_dependencies(fine) == []
    assert [task.id for task in store.tasks.ready()] == [fine.id]


def test_what_a_task_waits_for_is_told_until_it_is_completed(store: MemoryStore, add: Add) -> None:
    first, second = add(title="first"), add(title="second")
    waiting = add(depends_on=[first.id, second.id])
    store.tasks.transition(first.id, BLOCKED, reason=FailureReason.NEEDS_OWNER)
    told = store.tasks.unmet([waiting.id, first.id])
    assert {task_id: [(task.title, task.status) for task in needed] for task_id, needed in told.items()} == {
        waiting.id: [("first", BLOCKED), ("second", PENDING)]
    }
    assert store.tasks.ready() == [store.tasks.get(second.id)]
    for task in (first, second):
        store.tasks.retry(task.id)
        store.tasks.transition(task.id, IN_PROGRESS)
        store.tasks.transition(task.id, COMPLETED)
    assert store.tasks.unmet([waiting.id]) == {}
    assert [task.id for task in store.tasks.ready()] == [waiting.id]


def test_a_task_blocked_for_a_dependency_can_go_on_with_it_or_without(store: MemoryStore, add: Add) -> None:
    needed, other = add(), add()
    waiting = add(depends_on=[needed.id, other.id])
    store.tasks.transition(needed.id, FAILED, reason=FailureReason.TIMEOUT)
    store.tasks.transition(waiting.id, BLOCKED, reason=FailureReason.DEPENDENCY)
    assert store.tasks.revivable() == []
    store.tasks.retry(needed.id)
    assert [task.id for task in store.tasks.revivable()] == [waiting.id]
    store.tasks.transition(needed.id, CANCELLED)
    assert store.tasks.retry(waiting.id)
    assert store.tasks.get(waiting.id).depends_on == [other.id], "without what was cancelled"


def test_a_plan_made_anew_cancels_what_of_it_has_not_begun(store: MemoryStore, add: Add) -> None:
    plan = add(type=TaskType.PLAN)
    begun, waiting = add(parent_id=plan.id), add(parent_id=plan.id)
    other = add()
    assert not store.tasks.replan(plan.id)
    for task in (plan, begun):
        store.tasks.transition(task.id, IN_PROGRESS)
    store.tasks.transition(plan.id, COMPLETED)
    assert store.tasks.replan(plan.id)
    assert [store.tasks.get(task.id).status for task in (plan, begun, waiting, other)] == [
        PENDING, IN_PROGRESS, CANCELLED, PENDING,
    ]  # fmt: skip
    assert store.tasks.get(plan.id).run == 1
    assert store.tasks.count_by_status(without=[TaskType.PLAN])[PENDING] == 1


def test_counts_name_every_status(store: MemoryStore, add: Add) -> None:
    assert set(store.tasks.count_by_status()) == set(TaskStatus)
    add()
    store.tasks.transition(add().id, IN_PROGRESS)
    counts = store.tasks.count_by_status()
    assert (counts[PENDING], counts[IN_PROGRESS], counts[COMPLETED]) == (1, 1, 0)


@pytest.mark.parametrize("prefix", ["", "\udcff", "ä"])
def test_no_id_begins_with_nothing_or_with_what_no_id_holds(store: MemoryStore, add: Add, prefix: str) -> None:
    add()
    with pytest.raises(UnknownTask):
        store.tasks.find(prefix)


def test_the_state_is_another_one_once_anybody_has_committed(store: MemoryStore, url: str, add: Add) -> None:
    first = store.state()
    assert store.state() == first and store.tasks.select() == [] and store.state() == first
    task = add()
    after_own = store.state()
    other = MemoryStore(url)
    other.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
    other.close()
    assert len({first, after_own, store.state()}) == 3
