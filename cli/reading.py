"""`status`, `logs` and `costs`: what is going on and what there is to do, without disturbing it."""

from __future__ import annotations

import signal
import sys
import threading
from enum import StrEnum
from typing import Annotated, cast

import typer

from cli.activity import show_activity
from cli.options import MOST_ROWS, AsJson, caller, choice_of, out
from cli.project import Project, opened, print_json, start_command
from cli.stopped import show_stopped
from cli.views import dependent_lines, limit_table, task_table, usage_table
from memory import Activity, MemoryStore, TaskStatus
from memory.tables.ledger import UsageKey
from monitoring import daemon_pid, escaped_json, redact
from owner.disk import full_folders
from owner.sentences import at_work_on, count, one_line, status_word
from owner.stopped import Stopped, stopped_count, stopped_tasks
from owner.stream import Clock, Stream, Titles, awaited_line, seconds_awaited, waiting_lines

_FOLLOW_SECONDS = 0.5
_MOST_FOLLOWING, _MOST_GOAL = 5, 500
_MOST_STOPPED, _MOST_STOPPED_JSON = 3, 20


class UsageKeyName(StrEnum):
    TASK = "task"
    AGENT = "agent"
    MODEL = "model"
    DAY = "day"
    LIMIT = "limit"


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show whether the daemon runs, which models it awaits, what comes next, and what only you can get going again."""
    with opened(choice_of(ctx), names_project=True) as (project, store):
        numbers = store.tasks.count_by_status()
        counts = {name.value: number for name, number in numbers.items()}
        pid = daemon_pid(project.paths.state)
        active = store.tasks.select([TaskStatus.IN_PROGRESS], limit=20)
        following = store.tasks.ready(_MOST_FOLLOWING)
        awaited = store.budgets.calls_in_flight() if pid else []  # what a killed daemon awaited is not awaited
        waiting = store.budgets.waiting_calls()
        full = full_folders(project.paths, pid)
        stopped = stopped_tasks(store, _MOST_STOPPED_JSON if as_json else _MOST_STOPPED)
        if as_json:
            print_json(
                {
                    "running": pid is not None,
                    "pid": pid,
                    "repository": project.settings.git.repository_url,
                    "goal": project.settings.project.goal,
                    "tasks": counts,
                    "active": active,
                    "next": following,
                    "dependent": store.tasks.unmet(),
                    "awaited": [
                        call.model_dump(mode="json") | {"seconds": round(seconds_awaited(call))} for call in awaited
                    ],
                    "waiting": waiting,
                    "full": full,
                    "stopped": stopped,
                    "stopped_count": stopped_count(numbers),
                }
            )
            return
        start = start_command(project, choice_of(ctx))
        _fact("daemon", f"running (pid {pid})" if pid else f"not running; start it with: {start}")
        _fact("repository", project.name)
        if project.settings.project.goal:
            _fact("goal", one_line(project.settings.project.goal, _MOST_GOAL))
        told = [f"{number:,} {status_word(name)}" for name, number in numbers.items() if number]
        _fact("tasks", ", ".join(told) or "none")
        clock = Clock(store, runs=pid is not None)
        if active and not pid:
            _fact("paused", f"{count(len(active), 'task')} in progress, since the daemon is stopped")
        for task in active if pid else []:
            _fact("now", f"{at_work_on(task)}; the task began {clock.took(task)} ago")
        for task in following:
            _fact("next", f"{task.id}  {one_line(task.title)}")
        for line in dependent_lines(store, _MOST_FOLLOWING):
            _fact("after", line)
        for call in awaited:
            _fact("model", awaited_line(call))
        for line in waiting_lines(waiting) if pid else []:  # what a killed daemon waited for is not waited for
            _fact("paused", redact(line))
        for folder in full:
            _fact("full", redact(str(folder)))
        if active:
            out.print()
            out.print(task_table(store, active, clock))
        _print_stopped(stopped, stopped_count(numbers))


def _fact(name: str, text: str) -> None:
    out.print(f"{name:<12}{text}", markup=False, soft_wrap=True)


def _print_stopped(stopped: list[Stopped], number: int) -> None:
    if stopped:
        out.print("\nStopped until you decide:")
    for row in stopped:
        show_stopped(row, brief=True)
    if number > len(stopped):
        out.print(f"… and {number - len(stopped)} more: {caller()} approvals list", markup=False, soft_wrap=True)


def logs(
    ctx: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing as things happen; Ctrl-C ends.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=1, max=MOST_ROWS, help="Number of latest lines.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show what the team did, the latest last."""
    ended = threading.Event()
    if follow:  # an interrupt raised inside the database's callbacks would be lost
        signal.signal(signal.SIGINT, lambda *_: ended.set())
    with opened(choice_of(ctx), writes=follow) as (project, store):
        latest = store.journal.latest(limit)
        titles = Titles(store)
        for activity in latest:
            _print_activity(activity, titles, as_json)
        if not follow:
            return
        stream = Stream(store, latest[-1].id if latest else 0, lambda: daemon_pid(project.paths.state) is not None)
        while not ended.wait(_FOLLOW_SECONDS):
            for activity in stream.new():
                _print_activity(activity, titles, as_json)


def costs(
    ctx: typer.Context,
    by: Annotated[
        UsageKeyName, typer.Option("--by", metavar="WHAT", help="Group by task, agent, model or day; or limit.")
    ] = UsageKeyName.MODEL,
    as_json: AsJson = False,
) -> None:
    """Show model calls, tokens and money; with --by limit, how much of each budget limit is used and reserved."""
    with opened(choice_of(ctx)) as (project, store):
        if by is UsageKeyName.LIMIT:
            _limits(project, store, as_json=as_json)
            return
        rows = store.ledger.usage(cast(UsageKey, by.value))
    if as_json:
        print_json(rows)
    elif rows:
        out.print(usage_table(rows, by.value))
    else:
        out.print("No model has been called yet.")


def _limits(project: Project, store: MemoryStore, *, as_json: bool) -> None:
    from agents import agent_names

    states = store.budgets.limit_states(project.settings.budget, agents=agent_names())
    # Agents that did nothing are left out.
    states = [state for state in states if state.scope != "agent_day" or state.share > 0]
    if as_json:
        print_json(states)
    elif states:
        out.print(limit_table(states))
    else:
        out.print("No limit is set, or nothing has been used yet; see the section budget in config.yaml.")


def _print_activity(activity: Activity, titles: Titles, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(escaped_json(activity.model_dump_json()) + "\n")
        sys.stdout.flush()
    else:
        show_activity(activity, titles[activity.task_id])
