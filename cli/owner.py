"""`approvals …` and `alerts …`: which tasks stopped and what the owner can do, and how the owner is told."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel

from cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Commands, choice_of, fail, out
from cli.project import Project, load, opened, print_json
from cli.stopped import show_stopped
from cli.tasks import TaskId, told
from memory import OWNER
from monitoring import AlertSender, get_logger, open_channels, receive_alerts
from owner import actions
from owner.stopped import stopped_count, stopped_tasks

log = get_logger(__name__)

approvals_commands = Commands(
    help="What waits for your decision: tasks at a gate, blocked tasks and failed ones.", no_args_is_help=True
)
alerts_commands = Commands(help="How you are alerted when you are needed.", no_args_is_help=True)

_MOST = 200


@approvals_commands.command("list")
def list_approvals(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=1000, help="Number of tasks to show.")
    ] = _MOST,
    as_json: AsJson = False,
) -> None:
    """List the tasks at a gate, the blocked and the failed ones, newest first, each with what you can do about it."""
    with opened(choice_of(ctx)) as (_, store):
        rows = stopped_tasks(store, limit)
        left = stopped_count(store.tasks.count_by_status()) - len(rows)
    if as_json:
        print_json(rows)
    elif rows:
        for row in rows:
            show_stopped(row)
        if left > 0:
            out.print(f"… and {left} more (--limit)")
    else:
        out.print("Nothing waits for you.")


@approvals_commands.command("approve")
def approve(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[
        str,
        typer.Option(
            "--note", "-n", metavar="TEXT", help="What the task lacked, or your answer; it becomes part of its words."
        ),
    ] = "",
) -> None:
    """Let a waiting task go on, or retry a blocked or failed one, with a note if you like."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.approve(store, task, note), task)


@approvals_commands.command("reject")
def reject(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[str, typer.Option("--note", "-n", metavar="TEXT", help="Why, for the records.")] = "",
) -> None:
    """Cancel a task that waits, is blocked or has failed. What has landed stays."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.reject(store, task, note, by=OWNER if note else ""), task)


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
