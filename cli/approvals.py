"""`approvals …`: what waits for the owner's word, with what one has to know to give it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.project import EXIT_USAGE, fail, opened, out, print_json
from cli.tasks import AsJson, TaskId, _choice, _tell
from memory import MemoryStore, Task, TaskStatus

commands = typer.Typer(
    help="What waits for your word: work at a gate, and tasks that are blocked.", no_args_is_help=True
)

_MOST = 200
_EVIDENCE_LINES, _LINE = 3, 160
_GATES = {"run": "before anything of the repository is run", "land": "before the verified change lands"}


class Approval(BaseModel):
    """One task that is the owner's turn."""

    id: str
    title: str
    kind: Literal["gate", "blocked"]
    reason: str
    """Why it waits: the gate (run, land), or the typed reason of being blocked."""
    detail: str
    evidence: list[str]
    """First lines of how it failed last."""
    approve: str
    reject: str
    """What these do to it."""


@commands.command("list")
def list_approvals(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Tasks that wait at a gate, and blocked ones, the newest first."""
    with opened(_choice(ctx)) as (_, store):
        waiting = store.tasks.select([TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED], limit=_MOST)
        rows = [_approval(store, task) for task in waiting]
    if as_json:
        print_json(rows)
    elif rows:
        out.print(Group(*(_shown(row) for row in rows)))
    else:
        out.print("Nothing waits for you.")


@commands.command("approve")
def approve(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[
        str, typer.Option("--note", "-n", help="Words of yours that are added to a blocked task's description.")
    ] = "",
) -> None:
    """Let a waiting task go on; try a blocked one again, with a note of yours if you like."""
    with opened(_choice(ctx)) as (_, store):
        task = _waiting(store, task_id)
        if task.status is TaskStatus.WAITING_APPROVAL:
            if note.strip():
                raise fail(f"{task.id} waits at a gate; a note is for blocked tasks, which begin anew", EXIT_USAGE)
            _tell(store, "approve", task, task.approval_key)
            return
        if note.strip():
            store.tasks.update(task.id, description=f"{task.description}\n\nThe owner adds:\n\n{note.strip()}".strip())
        _tell(store, "retry", task)


@commands.command("reject")
def reject(ctx: typer.Context, task_id: TaskId) -> None:
    """Cancel a task that waits or is blocked; what it has landed stays."""
    with opened(_choice(ctx)) as (_, store):
        _tell(store, "cancel", _waiting(store, task_id))


def _waiting(store: MemoryStore, task_id: str) -> Task:
    task = store.tasks.find(task_id)
    if task.status not in (TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED):
        raise fail(f"{task.id} is {task.status}; it does not wait for you (approvals list shows what does)")
    return task


def _approval(store: MemoryStore, task: Task) -> Approval:
    gate = str(task.result.get("waiting_for") or "") if task.status is TaskStatus.WAITING_APPROVAL else ""
    attempts = store.evidence.attempts(task.id, run=task.run)
    evidence = next((tried.evidence for tried in reversed(attempts) if tried.tests_failed), "")
    return Approval(
        id=task.id,
        title=task.title,
        kind="gate" if gate else "blocked",
        reason=gate or (task.reason.value if task.reason else ""),
        detail=f"waits {_GATES.get(gate, gate)}" if gate else task.reason_detail,
        evidence=[line[:_LINE] for line in evidence.splitlines() if line.strip()][:_EVIDENCE_LINES],
        approve="goes on" if gate else 'is tried again, with what you add by --note "…"',
        reject="is cancelled",
    )


def _shown(row: Approval) -> RenderableType:
    head = Text(f"{row.id}  ", style="bold")
    head.append(row.title)
    head.append(f"  {row.kind} {row.reason}", style="magenta" if row.kind == "gate" else "yellow")
    lines = [line for line in row.detail.splitlines() if line.strip()]
    shown = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    told = [*(line[:_LINE] for line in shown), *(f"| {line}" for line in row.evidence)]
    told += [f"approvals approve {row.id}: {row.approve}", f"approvals reject {row.id}: {row.reject}"]
    return Group(head, Padding(Text("\n".join(told), style="dim"), (0, 0, 1, 2)))
