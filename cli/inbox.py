"""`inbox`: everything that waits for the owner, and the owner's answers. The page of this name shows the same."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from cli.options import EXIT_USAGE, AsJson, Commands, Repo, choice_of, chosen, fail, out
from cli.owner import approve, reject
from cli.project import opened, print_json
from cli.stopped import show_stopped, typed_lines
from cli.tasks import TaskId, told
from cli.views import amount
from memory import LimitState
from monitoring import redact
from orchestrator.services import make_git
from owner import actions
from owner.inbox import Inbox, inbox_of, merge_head, merge_size
from owner.stream import waiting_lines
from owner.words import agent_name, one_line

inbox_commands = Commands(
    help="Show everything that waits for you, and answer it. It is what the first page of the control room shows."
)


@inbox_commands.callback(invoke_without_command=True)
def inbox(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=1000, help="Number of tasks to show.")
    ] = 100,
    as_json: AsJson = False,
    repo: Repo = None,
) -> None:
    """Show everything that waits for you: why, the evidence, and what you can answer."""
    ctx.obj = chosen(choice_of(ctx), repo, quiet=as_json)
    if ctx.invoked_subcommand is not None:
        return
    with opened(choice_of(ctx)) as (project, store):
        found = inbox_of(store, project.settings.budget, make_git(project.settings, project.paths), limit)
        if as_json:
            print_json(found)
        elif len(found):
            _show(found)
        else:
            out.print("Nothing waits for you.")


@inbox_commands.command("answer")
def answer(
    ctx: typer.Context,
    task_id: TaskId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Your words. They reach the agent as you write them.")],
) -> None:
    """Answer a task's question, or have a blocked or failed task tried again with your words."""
    if not text.strip():
        raise fail("the answer is empty; say what the team should know", EXIT_USAGE)
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.approve(store, task, text), task)


inbox_commands.command("approve")(approve)
inbox_commands.command("reject")(reject)


def _show(found: Inbox) -> None:
    number = 0
    for state in found.limits:
        _head(number := number + 1, f"{state.share:.0%} of budget.{state.name} is used", "red")
        _told(_limit(state))
        for line in typed_lines("the team may use more", f"config set budget.{state.name} …"):
            out.print(line, soft_wrap=True)
        out.print()
    for call in found.waiting:
        who = agent_name(call.agent, first=True)
        _head(number := number + 1, f"{who} cannot ask its model", "yellow")
        _told(f"since {call.since.astimezone():%H:%M}: {waiting_lines([call])[0]}; nothing is lost")
        out.print()
    if found.unmerged:
        _head(number := number + 1, merge_head(found.unmerged), "green")
        _told(merge_size(found.unmerged))
        out.print(Text(f"  to merge it: {found.unmerged.command}"), soft_wrap=True)
        out.print()
    for item in found.items:
        number += 1
        show_stopped(item.stopped, number=f"{number}. ", told=item.told)
    if found.more:
        out.print(f"… and {found.more} more (--limit)")


def _head(number: int, text: str, style: str) -> None:
    out.print(Text(f"{number}. ", style="bold").append(text, style=style))


def _told(text: str) -> None:
    out.print(Padding(Text(one_line(redact(text), 1000), style="dim"), (0, 0, 0, 2), expand=False))


def _limit(state: LimitState) -> str:
    of = f"{amount(state, state.used + state.reserved)} of {amount(state, state.limit)} {state.unit} ({state.subject})"
    return f"{of}; {'what would exceed it waits' if state.share >= 1 else 'at 100% work waits'}"
