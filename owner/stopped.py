"""Tasks that go on only by the owner's word: why each stopped, and the actions between which the owner chooses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel

from memory import MERGE_GATE, FailureReason, MemoryStore, Task, TaskStatus
from owner.words import GATES, one_line

STOPPED = (TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED, TaskStatus.FAILED)
_NOT_FOR_WORDS = frozenset(
    {
        FailureReason.BUDGET_EXHAUSTED,
        FailureReason.TIMEOUT,
        FailureReason.PROVIDER_ERROR,
        FailureReason.SANDBOX_UNAVAILABLE,
        FailureReason.INTERNAL_ERROR,
    }
)
"""Reasons that lie outside of the task: no note to it would help."""


class Action(BaseModel):
    """Something the owner can do about a task: what to type, what comes of it, and the same for a page's button."""

    command: str
    effect: str
    verb: Literal["approve", "retry", "reject"]
    task: str
    """The task it is done to: not always the one that stopped."""
    takes_note: bool = False
    """Words of the owner go with it."""


class Stopped(BaseModel):
    """One task that goes on only by the owner's word."""

    id: str
    title: str
    kind: Literal["gate", "blocked", "failed"]
    reason: str
    """Why it stopped: the gate (run, land), or the typed reason for being blocked or failed."""
    detail: str
    evidence: list[str]
    """How it failed last, line by line."""
    actions: list[Action]


def stopped_tasks(store: MemoryStore, limit: int) -> list[Stopped]:
    """The newest tasks at a gate, blocked or failed."""
    return stopped_of(store, store.tasks.select(STOPPED, limit=limit))


def stopped_of(store: MemoryStore, tasks: Sequence[Task]) -> list[Stopped]:
    """Those of these tasks that go on only by the owner's word, with their evidence."""
    found = [task for task in tasks if task.status in STOPPED]
    evidence = store.evidence.latest_evidence({task.id: task.run for task in found}) if found else {}
    return [_stopped(store, task, evidence.get(task.id, "")) for task in found]


def stopped_count(counts: Mapping[TaskStatus, int]) -> int:
    """How many tasks stand still, of the numbers of all."""
    return sum(counts[status] for status in STOPPED)


def _stopped(store: MemoryStore, task: Task, evidence: str) -> Stopped:
    gate = str(task.result.get("waiting_for") or "") if task.status is TaskStatus.WAITING_APPROVAL else ""
    return Stopped(
        id=task.id,
        title=task.title,
        kind="gate" if gate else "failed" if task.status is TaskStatus.FAILED else "blocked",
        reason=gate or (task.reason.value if task.reason else ""),
        detail=_waits(task, gate) if gate else task.reason_detail,
        evidence=[line for line in evidence.splitlines() if line.strip()],
        actions=list(_actions(store, task, gate)),
    )


def _waits(task: Task, gate: str) -> str:
    if task.question:
        return task.question
    until = str(task.result.get("expires_at") or "")
    expires = f"; it expires on {until[:16].replace('T', ' ')} UTC" if until else ""
    told = _waits_at(task, gate)
    return f"{told} (a suggestion)" if task.result.get("suggested") and gate != MERGE_GATE else f"{told}{expires}"


def _waits_at(task: Task, gate: str) -> str:
    held, veto = task.result.get("held"), str(task.result.get("veto") or "")
    if gate == "veto" and veto:
        return f"{veto}\nNobody but you can overrule it."
    if gate == "plan" and (titles := _proposed(task)):
        return f"waits {GATES[gate]}: {'; '.join(titles)}"
    why = f"; it changes {', '.join(map(str, held[:8]))}" if isinstance(held, list) and held else ""
    return f"waits {GATES.get(gate, gate)}{why}"


def _proposed(task: Task) -> list[str]:
    """The titles of the tasks that would be made."""
    for key in ("proposed", "decision", "plan"):
        found = task.result.get(key)
        tasks = found.get("tasks") if isinstance(found, dict) else None
        if isinstance(tasks, list) and tasks:
            return [one_line(each.get("title") or "", 100) for each in tasks if isinstance(each, dict)]
    return []


def _actions(store: MemoryStore, task: Task, gate: str) -> Iterator[Action]:
    if task.question:
        yield _approve(task, "goes on, with your answer")
    elif gate == MERGE_GATE:
        pass  # it goes on by a merge at the forge
    elif gate:
        yield Action(command=f"approvals approve {task.id}", effect="goes on", verb="approve", task=task.id)
    elif task.reason is FailureReason.DEPENDENCY:
        for needed in store.tasks.dead_dependencies(task):
            yield _retry(needed, "is tried again, and then this task goes on")
        yield _retry(task, "is tried without it")
    elif task.reason is FailureReason.APPROVAL_EXPIRED:
        yield _retry(task, "is put to you again, as it is")
        yield _approve(task, "is done anew, with your words")
    elif task.reason is FailureReason.NEEDS_OWNER:
        yield _approve(task, "is tried again, with your answer")
    else:
        if task.reason not in _NOT_FOR_WORDS:
            yield _approve(task, "is tried again, with your words")
        again = "is tried again" if task.reason not in _NOT_FOR_WORDS else "is tried again, when the cause is gone"
        yield _retry(task, again)
    effect = "is put aside" if task.status is TaskStatus.FAILED else "is cancelled"
    yield Action(command=f"approvals reject {task.id}", effect=effect, verb="reject", task=task.id)


def _approve(task: Task, effect: str) -> Action:
    command = f'inbox answer {task.id} "…"'
    return Action(command=command, effect=effect, verb="approve", task=task.id, takes_note=True)


def _retry(task: Task, effect: str) -> Action:
    return Action(command=f"task retry {task.id}", effect=effect, verb="retry", task=task.id)
