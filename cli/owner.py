"""`approvals …` and `alerts …`: which tasks stopped and what the owner can do, and how the owner is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import typer
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Commands, choice_of, fail, out
from cli.project import Project, load, opened, print_json
from cli.tasks import TaskId, add_words, tell_daemon
from memory import FailureReason, MemoryStore, Task, TaskStatus
from monitoring import AlertSender, get_logger, open_channels, receive_alerts

log = get_logger(__name__)

approvals_commands = Commands(
    help="What waits for your decision: tasks at a gate, blocked tasks and failed ones.", no_args_is_help=True
)
alerts_commands = Commands(help="How you are alerted when you are needed.", no_args_is_help=True)

_MOST = 200
_EVIDENCE_LINES, _LINE = 3, 160
_STOPPED = (TaskStatus.WAITING_APPROVAL, TaskStatus.BLOCKED, TaskStatus.FAILED)
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
_GATES = {"run": "before anything of the repository is run", "land": "before the verified change lands"}


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


@approvals_commands.command("list")
def list_approvals(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Number of tasks to show.")] = _MOST,
    as_json: AsJson = False,
) -> None:
    """List the tasks at a gate, the blocked and the failed ones, newest first, each with what you can do about it."""
    with opened(choice_of(ctx)) as (_, store):
        rows = stopped_tasks(store, limit)
        left = stopped_count(store.tasks.count_by_status()) - len(rows)
    if as_json:
        print_json(rows)
    elif rows:
        out.print(Group(*(stopped_view(row) for row in rows)))
        if left > 0:
            out.print(f"… and {left} more (--limit)")
    else:
        out.print("Nothing waits for you.")


@approvals_commands.command("approve")
def approve(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[
        str, typer.Option("--note", "-n", help="What the task lacked, or your answer; it becomes part of its words.")
    ] = "",
) -> None:
    """Let a waiting task go on, or retry a blocked or failed one, with a note if you like."""
    with opened(choice_of(ctx)) as (_, store):
        task = _waiting(store, task_id)
        if task.status is TaskStatus.WAITING_APPROVAL:
            if task.question and not note.strip():
                raise fail(f'{task.id} waits for your answer; give it with --note "…"', EXIT_USAGE)
            if note.strip() and not task.question:
                raise fail(f"{task.id} waits at a gate; a note is for tasks that begin anew", EXIT_USAGE)
            tell_daemon(store, "approve", task, task.approval_key, *filter(None, [note.strip()]))
            return
        add_words(store, task, note)
        tell_daemon(store, "retry", task)


@approvals_commands.command("reject")
def reject(ctx: typer.Context, task_id: TaskId) -> None:
    """Cancel a task that waits, is blocked or has failed. What has landed stays."""
    with opened(choice_of(ctx)) as (_, store):
        tell_daemon(store, "cancel", _waiting(store, task_id))


def _waiting(store: MemoryStore, task_id: str) -> Task:
    task = store.tasks.find(task_id)
    if task.status not in _STOPPED:
        raise fail(f"{task.id} is {task.status}; it does not wait for you (approvals list shows what does)")
    return task


def stopped_tasks(store: MemoryStore, limit: int) -> list[Stopped]:
    """The newest tasks at a gate, blocked or failed, with their evidence, in two queries."""
    found = store.tasks.select(_STOPPED, limit=limit)
    evidence = store.evidence.latest_evidence({task.id: task.run for task in found})
    return [_stopped(store, task, evidence.get(task.id, "")) for task in found]


def stopped_count(counts: Mapping[TaskStatus, int]) -> int:
    """How many tasks stand still, of the numbers of all."""
    return sum(counts[status] for status in _STOPPED)


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
    return f"waits {_GATES.get(gate, gate)}{why}; task diff {task.id} shows it"


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


def stopped_view(row: Stopped, *, brief: bool = False) -> RenderableType:
    """A stopped task for a terminal: why it stopped, the last evidence unless it is to be `brief`, what can be done."""
    head = Text(f"{row.id}  ", style="bold")
    head.append(row.title)
    head.append(f"  {row.kind} {row.reason}", style=_COLOURS[row.kind])
    lines = [line for line in row.detail.splitlines() if line.strip()]
    told = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    if brief:
        told = told[-1:]
    else:
        told += [f"| {line}" for line in row.evidence[:_EVIDENCE_LINES]]
        if len(row.evidence) > _EVIDENCE_LINES:
            told.append(f"| … {len(row.evidence) - _EVIDENCE_LINES} more lines: approvals list --json")
    told = [line if len(line) <= _LINE else line[: _LINE - 1] + "…" for line in told]
    told += [f"{action.command}: {action.effect}" for action in row.actions]
    return Group(head, Padding(Text("\n".join(told), style="dim"), (0, 0, 0 if brief else 1, 2), expand=False))


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
