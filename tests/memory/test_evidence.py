from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import ValidationError

from memory import Attempt, Criterion, MemoryStore, Task, TaskStatus, UnknownTask, Verdict, utc_now

Add = Callable[..., Task]


def attempt(task: Task, number: int = 1, **fields: object) -> Attempt:
    values = {"task_id": task.id, "run": 0, "stage": "code", "approach": 1, "number": number, "outcome": "failed"}
    return Attempt.model_validate(values | fields)


def verdict(task: Task, number: int = 1, **fields: object) -> Verdict:
    values = {"task_id": task.id, "run": 0, "stage": "review", "agent": "tech_lead", "number": number}
    return Verdict.model_validate(values | {"approved": False, "score": 4.5} | fields)


def test_attempts_come_back_in_order(store: MemoryStore, add: Add) -> None:
    task, other = add(), add()
    store.evidence.record_attempt(
        attempt(task, 1, evidence="AssertionError: 1 != 2", tests_failed=1, seconds=1.5, tree="abc")
    )
    store.evidence.record_attempt(attempt(task, 2, outcome="passed", tests_passed=3))
    store.evidence.record_attempt(attempt(task, 1, run=1))
    store.evidence.record_attempt(attempt(other))
    found = store.evidence.attempts(task.id)
    assert [(one.run, one.number, one.outcome) for one in found] == [
        (0, 1, "failed"),
        (0, 2, "passed"),
        (1, 1, "failed"),
    ]
    assert found[0].evidence == "AssertionError: 1 != 2"
    assert store.evidence.attempts(task.id, run=1) == found[2:]


def test_a_repeated_attempt_replaces_itself(store: MemoryStore, add: Add) -> None:
    task = add()
    store.evidence.record_attempt(attempt(task, outcome="failed"))
    first = store.evidence.attempts(task.id)[0]
    store.evidence.record_attempt(attempt(task, outcome="passed"))
    [again] = store.evidence.attempts(task.id)
    assert again == first.model_copy(update={"outcome": "passed"})


def test_verdicts_keep_their_criteria_and_every_round(store: MemoryStore, add: Add) -> None:
    task = add()
    criteria = [
        Criterion(name="readable", threshold=7, weight=0.5, score=4),
        Criterion(name="x", threshold=1, weight=1),
    ]
    first = verdict(task, 1, criteria=criteria, issues=["name the constant"], reasoning="magic number")
    second = verdict(task, 2, approved=True, score=8)
    for one in (first, second, second):
        store.evidence.record_verdict(one)
    assert store.evidence.verdicts(task.id) == [first, second]
    assert store.evidence.verdicts(task.id, run=1) == []


def test_evidence_belongs_to_a_task(store: MemoryStore) -> None:
    nobody = Task(id="t-none", title="t")
    with pytest.raises(UnknownTask):
        store.evidence.record_attempt(attempt(nobody))
    with pytest.raises(UnknownTask):
        store.evidence.record_verdict(verdict(nobody))


def test_a_score_is_a_number() -> None:
    with pytest.raises(ValidationError):
        verdict(Task(id="t-1", title="t"), score=float("nan"))


def test_a_conversation_is_kept_for_its_run_and_replaced_by_a_longer_one(
    store: MemoryStore, add: Callable[..., Task]
) -> None:
    task = add()
    assert store.evidence.conversation(task.id, 0, "qa") is None
    store.evidence.keep_conversation(task.id, 0, "qa", [{"role": "user", "text": "one"}])
    store.evidence.keep_conversation(task.id, 0, "qa", [{"role": "user", "text": "one"}, {"role": "assistant"}])
    store.evidence.keep_conversation(task.id, 0, "developer", [])
    assert store.evidence.conversation(task.id, 0, "qa") == [{"role": "user", "text": "one"}, {"role": "assistant"}]
    assert store.evidence.conversation(task.id, 0, "developer") == []
    assert store.evidence.conversation(task.id, 1, "qa") is None


def test_conversations_go_with_the_evidence_of_ended_tasks(store: MemoryStore, add: Callable[..., Task]) -> None:
    ended, going = add(), add()
    for task in (ended, going):
        store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
        store.evidence.keep_conversation(task.id, 0, "qa", ["turn"])
    store.tasks.transition(ended.id, TaskStatus.COMPLETED)
    store.retention.forget_evidence(utc_now() - timedelta(days=1))
    assert store.evidence.conversation(ended.id, 0, "qa") == ["turn"]
    store.retention.forget_evidence(utc_now() + timedelta(days=1))
    assert store.evidence.conversation(ended.id, 0, "qa") is None
    assert store.evidence.conversation(going.id, 0, "qa") == ["turn"]
