"""`approvals …` and `alerts …`: what waits for the owner's word, and how the owner is told."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.project import EXIT_FAILED, EXIT_USAGE, AsJson, Project, choice_of, fail, load, opened, out, print_json
from cli.tasks import TaskId, tell_daemon
from memory import MemoryStore, Task, TaskStatus
from monitoring import AlertSender, get_logger, open_channels, receive_alerts

log = get_logger(__name__)

approvals_commands = typer.Typer(
    help="What waits for your decision: tasks at a gate, and blocked tasks.", no_args_is_help=True
)
alerts_commands = typer.Typer(help="How you are alerted when you are needed.", no_args_is_help=True)

_MOST = 200
_EVIDENCE_LINES, _LINE = 3, 160
_GATES = {"run": "before anything of the repository is run", "land": "before the verified change lands"}


class Approval(BaseModel):
    """One task that waits for the owner."""

    id: str
    title: str
    kind: Literal["gate", "blocked"]
    reason: str
    """Why it waits: the gate (run, land), or the typed reason for being blocked."""
    detail: str
    evidence: list[str]
    """How it failed last, line by line."""
    approve: str
    reject: str
    """What these do to it."""


@approvals_commands.command("list")
def list_approvals(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the tasks that wait at a gate and the blocked ones, newest first."""
    with opened(choice_of(ctx)) as (_, store):
        waiting = store.tasks.select([TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED], limit=_MOST)
        rows = [_approval(store, task) for task in waiting]
    if as_json:
        print_json(rows)
    elif rows:
        out.print(Group(*(_shown(row) for row in rows)))
    else:
        out.print("Nothing waits for you.")


@approvals_commands.command("approve")
def approve(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[str, typer.Option("--note", "-n", help="Text to add to a blocked task's description.")] = "",
) -> None:
    """Let a waiting task go on, or retry a blocked one, with a note if you like."""
    with opened(choice_of(ctx)) as (_, store):
        task = _waiting(store, task_id)
        if task.status is TaskStatus.WAITING_APPROVAL:
            if note.strip():
                raise fail(f"{task.id} waits at a gate; a note is for blocked tasks, which begin anew", EXIT_USAGE)
            tell_daemon(store, "approve", task, task.approval_key)
            return
        if note.strip():
            store.tasks.update(task.id, description=f"{task.description}\n\nThe owner adds:\n\n{note.strip()}".strip())
        tell_daemon(store, "retry", task)


@approvals_commands.command("reject")
def reject(ctx: typer.Context, task_id: TaskId) -> None:
    """Cancel a task that waits or is blocked. What has landed stays."""
    with opened(choice_of(ctx)) as (_, store):
        tell_daemon(store, "cancel", _waiting(store, task_id))


def _waiting(store: MemoryStore, task_id: str) -> Task:
    task = store.tasks.find(task_id)
    if task.status not in (TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED):
        raise fail(f"{task.id} is {task.status}; it does not wait for you (approvals list shows what does)")
    return task


def _approval(store: MemoryStore, task: Task) -> Approval:
    gate = str(task.result.get("waiting_for") or "") if task.status is TaskStatus.WAITING_APPROVAL else ""
    attempts = store.evidence.attempts(task.id, run=task.run)
    evidence = next((tried.evidence for tried in reversed(attempts) if tried.evidence), "")
    return Approval(
        id=task.id,
        title=task.title,
        kind="gate" if gate else "blocked",
        reason=gate or (task.reason.value if task.reason else ""),
        detail=_waits(task, gate) if gate else task.reason_detail,
        evidence=[line for line in evidence.splitlines() if line.strip()],
        approve="goes on" if gate else 'is tried again, with what you add by --note "…"',
        reject="is cancelled",
    )


def _waits(task: Task, gate: str) -> str:
    held = task.result.get("held")
    why = f"; it changes {', '.join(map(str, held[:8]))}" if isinstance(held, list) and held else ""
    return f"waits {_GATES.get(gate, gate)}{why}; task diff {task.id} shows it"


def _shown(row: Approval) -> RenderableType:
    head = Text(f"{row.id}  ", style="bold")
    head.append(row.title)
    head.append(f"  {row.kind} {row.reason}", style="magenta" if row.kind == "gate" else "yellow")
    lines = [line for line in row.detail.splitlines() if line.strip()]
    shown = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    told = [*(line[:_LINE] for line in shown), *(f"| {line[:_LINE]}" for line in row.evidence[:_EVIDENCE_LINES])]
    if len(row.evidence) > _EVIDENCE_LINES:
        told.append(f"| … {len(row.evidence) - _EVIDENCE_LINES} more lines: approvals list --json")
    told += [f"approvals approve {row.id}: {row.approve}", f"approvals reject {row.id}: {row.reject}"]
    return Group(head, Padding(Text("\n".join(told), style="dim"), (0, 0, 1, 2)))


class Tried(BaseModel):
    """How the test of one service ended; without `problem` the message was taken."""

    service: str
    problem: str


@alerts_commands.command("test")
def test(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Send a test message to each of `monitoring.alerts.urls`. The exit code is 1 if one could not be sent."""
    project = load(choice_of(ctx))
    channels, problems = open_channels(project.settings.monitoring.alerts.urls)
    if not channels and not problems:
        raise fail("no address is set; add one to monitoring.alerts.urls (see https://appriseit.com)", EXIT_USAGE)
    tried = [
        Tried(service=channel.name, problem=channel.send(_whose(project), "a test; no action is needed"))
        for channel in channels
    ]
    if as_json:
        print_json([*tried, *(Tried(service="", problem=problem) for problem in problems)])
    else:
        for one in tried:
            out.print(f"{one.service}: {one.problem or 'sent'}", markup=False)
        for problem in problems:
            out.print(problem, markup=False)
    if problems or any(one.problem for one in tried):
        raise typer.Exit(EXIT_FAILED)


def start_alerts(project: Project) -> AlertSender | None:
    """Send alerts to the configured addresses from now on; None if there are none."""
    settings = project.settings.monitoring.alerts
    channels, problems = open_channels(settings.urls)
    for problem in problems:
        log.error("alerts cannot be sent there", problem=problem)
    if not channels:
        return None
    project.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    sender = AlertSender(settings, channels, project.paths.state / "alerts.json", title=_whose(project))
    receive_alerts(sender)
    return sender


def _whose(project: Project) -> str:
    return f"({project.paths.state.name})"
