"""Tasks that go on only by the owner's word: why each stopped, and the commands between which the owner chooses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel
from rich.padding import Padding
from rich.text import Text

from cli.options import caller, out
from cli.sentences import GATES, count, one_line, reason_words
from memory import FailureReason, MemoryStore, Task, TaskStatus

_EVIDENCE_LINES, _LINE = 3, 160
STOPPED = (TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED, TaskStatus.FAILED)
_COLOURS = {"gate": "magenta", "blocked": "yellow", "failed": "red"}
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
    """Something the owner can do about a task: what to type, and what comes of it."""

    command: str
    effect: str


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
    """The newest tasks at a gate, blocked or failed, with their evidence, in two queries."""
    found = store.tasks.select(STOPPED, limit=limit)
    evidence = store.evidence.latest_evidence({task.id: task.run for task in found})
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
    held = task.result.get("held")
    why = f"; it changes {', '.join(map(str, held[:8]))}" if isinstance(held, list) and held else ""
    return f"waits {GATES.get(gate, gate)}{why}; `{caller()} task diff {task.id}` shows it"


def _actions(store: MemoryStore, task: Task, gate: str) -> Iterator[Action]:
    approve, reject = f"approvals approve {task.id}", f"approvals reject {task.id}"
    if task.question:
        yield Action(command=f'{approve} --note "…"', effect="goes on, with your answer")
    elif gate:
        yield Action(command=approve, effect="goes on")
    elif task.reason is FailureReason.DEPENDENCY:
        for needed in store.tasks.dead_dependencies(task):
            yield Action(command=f"task retry {needed.id}", effect="is tried again, and then this task goes on")
        yield Action(command=f"task retry {task.id}", effect="is tried without it")
    elif task.reason is FailureReason.NEEDS_OWNER:
        yield Action(command=f'{approve} --note "…"', effect="is tried again, with your answer")
    else:
        if task.reason not in _NOT_FOR_WORDS:
            yield Action(command=f'{approve} --note "…"', effect="is tried again, with your words")
        again = "is tried again" if task.reason not in _NOT_FOR_WORDS else "is tried again, when the cause is gone"
        yield Action(command=f"task retry {task.id}", effect=again)
    yield Action(command=reject, effect="is put aside" if task.status is TaskStatus.FAILED else "is cancelled")


def show_stopped(row: Stopped, *, brief: bool = False) -> None:
    """Print a stopped task: why it stopped, the last evidence unless it is to be `brief`, what can be done."""
    head = Text(f"{row.id}  ", style="bold")
    head.append(one_line(row.title))
    head.append(f"  {row.kind}: {reason_words(row.reason)}", style=_COLOURS[row.kind])
    lines = [line for line in row.detail.splitlines() if line.strip()]
    told = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    if brief:
        told = told[-1:]
    else:
        told += [f"| {line}" for line in row.evidence[:_EVIDENCE_LINES]]
    out.print(head)
    for line in told:
        out.print(Padding(Text(one_line(line, _LINE), style="dim"), (0, 0, 0, 2), expand=False))
    if not brief and (more := len(row.evidence) - _EVIDENCE_LINES) > 0:
        out.print(f"  | … {count(more, 'more line')}: {caller()} approvals list --json", style="dim", markup=False,
                  soft_wrap=True)  # fmt: skip
    show_choices(row)
    if not brief:
        out.print()


def show_choices(row: Stopped) -> None:
    """Print what can be done about a stopped task; what to type stands on lines of its own, which can be pasted."""
    for action in row.actions:
        out.print(f"  so that it {action.effect}:", style="dim", markup=False)
        out.print(f"    {caller()} {action.command}", markup=False, soft_wrap=True)


def stopped_task(store: MemoryStore, task: Task) -> Stopped | None:
    """One task as `stopped_tasks` gives it; None if it goes on by itself."""
    return _stopped(store, task, "") if task.status in STOPPED else None
