"""`logs` and `costs`: what happened, and what it cost."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import datetime
from enum import StrEnum
from typing import Annotated, cast

import typer

from cli.activity import show_activity
from cli.options import EXIT_USAGE, MOST_ROWS, AsJson, caller, choice_of, fail, out
from cli.project import Project, opened, print_json
from cli.views import limit_table, usage_table
from memory import OWNER, Activity, MemoryStore, utc_now
from memory.tables.ledger import UsageKey
from monitoring import daemon_pid, escaped_json
from owner.daily import as_markdown, daily_of
from owner.stream import Level, Stream, Titles

_FOLLOW_SECONDS = 0.5


class UsageKeyName(StrEnum):
    TASK = "task"
    AGENT = "agent"
    MODEL = "model"
    DAY = "day"
    LIMIT = "limit"


def logs(
    ctx: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing as things happen; Ctrl-C ends.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=1, max=MOST_ROWS, help="Number of latest lines.")
    ] = 50,
    task_id: Annotated[
        str, typer.Option("--task", "-t", metavar="ID", help="Only lines about this task (its id, or the beginning).")
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", "-a", metavar="NAME", help="Only lines of this agent, `orchestrator` or `owner`.")
    ] = "",
    level: Annotated[
        Level,
        typer.Option(
            "--level",
            "-l",
            metavar="LEVEL",
            help="Only lines that matter so much: info (all), notice (what begins and ends) or problem.",
        ),
    ] = Level.INFO,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show what the team did, the latest last. Who did it, and what went well or wrong, has a colour on a terminal."""
    ended = threading.Event()
    if follow:  # an interrupt raised inside the database's callbacks would be lost
        signal.signal(signal.SIGINT, lambda *_: ended.set())
    with opened(choice_of(ctx), writes=follow) as (project, store):
        if agent:
            _must_be_somebody(agent, project)
        task, kinds, titles = store.tasks.find(task_id).id if task_id else None, level.kinds, Titles(store)
        last = [line.id for line in store.journal.latest(1)]  # before the lines are read: none falls in between
        found = store.browse.activity(limit, agent=agent or None, task_id=task, kinds=kinds)[::-1]
        for activity in found:
            if not last or activity.id <= last[0]:
                _print_activity(activity, titles, as_json)
        if not found and not as_json:
            out.print("Nothing of that has happened yet." if last else "Nothing has happened yet.")
        if not follow:
            return
        stream = Stream(store, last[0] if last else 0, lambda: daemon_pid(project.paths.state) is not None)
        while not ended.wait(_FOLLOW_SECONDS):
            for activity in stream.new():
                of_task, of_agent = task in (None, activity.task_id), agent in ("", activity.agent_name)
                if of_task and of_agent and (kinds is None or activity.activity in kinds):
                    _print_activity(activity, titles, as_json)


def _must_be_somebody(agent: str, project: Project) -> None:
    from agents import agent_names  # without a filter nobody needs them

    if agent not in (somebody := [*agent_names(project.settings.agents), "orchestrator", OWNER]):
        raise fail(f"--agent {agent!r} is nobody here; give one of {', '.join(somebody)}", EXIT_USAGE)


def report(
    ctx: typer.Context,
    day: Annotated[
        datetime | None,
        typer.Argument(metavar="DAY", formats=["%Y-%m-%d"], help="Which day (UTC), as 2026-11-30; by default today."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a day brought: what landed, what was decided and why, what it cost, what is stuck, what is next."""
    today = utc_now()
    if day and day.date() > today.date():
        raise fail(f"{day:%Y-%m-%d} has not begun; give today or a day before it", EXIT_USAGE)
    with opened(choice_of(ctx)) as (_, store):
        found = daily_of(store, (day or today).date())
    if as_json:
        print_json(found)
    else:
        out.print(as_markdown(found, caller()), markup=False, highlight=False, soft_wrap=True, end="")


def strategy(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show what the CEO goes by: its goals, what it counts on, and what was learnt."""
    with opened(choice_of(ctx)) as (project, store):
        found = store.strategy.read()
    if as_json:
        print_json(found)
        return
    out.print(f"goal of the owner: {project.settings.project.goal or 'none is set'}", markup=False, soft_wrap=True)
    for line in found.lines:
        out.print(line, markup=False, soft_wrap=True)
    if found.reviewed_at:
        out.print(f"reviewed at {found.reviewed_at:%Y-%m-%d %H:%M} UTC")
    else:
        out.print("The CEO has not looked at its strategy yet (project.strategy_days).")


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

    states = store.budgets.limit_states(project.settings.budget, agents=agent_names(project.settings.agents))
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
