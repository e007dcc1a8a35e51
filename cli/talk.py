"""`tell` and `chat`: the owner speaks to an agent, and reads what it answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from agents import agent_names
from cli.options import EXIT_FAILED, AsJson, caller, choice_of, err, fail, out
from cli.project import Project, opened, print_json, start_command
from cli.tasks import told as told_command
from memory import MemoryStore, TaskStatus
from monitoring import daemon_pid, redact
from owner import actions
from owner.errors import OwnerError
from owner.talk import Exchange, exchange, forget, thread_of
from owner.talk import tell as tell_agent
from owner.words import agent_name, reason_words

_LOOK = 0.3
"""Seconds between two looks for an answer."""
_OPEN = (TaskStatus.PENDING, TaskStatus.IN_PROGRESS)

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="Who: see `agents list`.")]
Wait = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0, max=86_400, help="How long to wait for the answer.")
]


def tell(
    ctx: typer.Context,
    agent: AgentName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Your words.")] = "",
    task: Annotated[str, typer.Option("--task", "-t", metavar="ID", help="The task that it is about.")] = "",
    wait: Wait = 60,
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Have the agent forget what you told it until now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell an agent something: it stands in its next prompt as your word, and is answered.

    About a task that waits for your answer, it is the answer; about one that is blocked or failed, it is what was
    missing, and the task is tried again. Without a daemon it is kept for the next one.
    """
    with opened(choice_of(ctx), writes=True) as (project, store):
        team = agent_names(project.settings.agents)
        if take_back:
            number = forget(store, agent, team)
            err.print(f"{agent} no longer keeps {number} of your words in mind.", markup=False)
            if not text:
                return
        about = store.tasks.find(task) if task else None
        done = tell_agent(store, agent, text, team, about)
        if not done.message:
            assert about is not None
            return told_command(done.command, about)
        found = _answer(project, store, done.message, wait)
        if as_json:
            return print_json(found)
        _say(project, ctx, found)


def chat(
    ctx: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="[AGENT]", help="Who; the CEO, if nobody is named.")] = "",
    history: Annotated[bool, typer.Option("--history", help="Show what was said, and end.")] = False,
    task: Annotated[str, typer.Option("--task", "-t", metavar="ID", help="The task that it is about.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=1000, help="Messages to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Talk with an agent, line by line, until Ctrl-D; or show what was said, to all of them where none is named."""
    with opened(choice_of(ctx), writes=not (history or as_json)) as (project, store):
        if agent:
            actions.must_be_on_the_team(agent, agent_names(project.settings.agents))
        if history or as_json:
            found = thread_of(store, agent, limit)
            if as_json:
                return print_json(found)
            for one in found:
                _show(one)
            if not found:
                out.print("Nothing was said yet.")
            return
        about = store.tasks.find(task) if task else None
        name = agent or "ceo"
        for one in thread_of(store, name, min(limit, 5)):
            _show(one)
        for line in _lines(name):
            try:
                done = tell_agent(store, name, line, agent_names(project.settings.agents), about)
            except OwnerError as problem:
                err.print(str(problem), markup=False, soft_wrap=True)
                continue
            if not done.message:
                assert about is not None
                return told_command(done.command, about)
            _say(project, ctx, _answer(project, store, done.message, 3600))


def _lines(name: str) -> Iterator[str]:
    """What is typed, line by line; what comes through a pipe is one message."""
    if not sys.stdin.isatty():
        yield sys.stdin.read()
        return
    err.print(f"You talk with {agent_name(name)}; Ctrl-D ends.", style="dim")
    while True:
        try:
            line = input("you> ")
        except (EOFError, KeyboardInterrupt):
            return
        if line.strip():
            yield line


def _answer(project: Project, store: MemoryStore, message: str, seconds: float) -> Exchange:
    """The message with its answer, if it comes in time and a daemon is there to give it."""
    deadline = time.monotonic() + seconds
    while True:
        found = exchange(store, message)
        left = deadline - time.monotonic()
        if found.status not in _OPEN or left <= 0 or daemon_pid(project.paths.state) is None:
            return found
        time.sleep(min(_LOOK, left))


def _say(project: Project, ctx: typer.Context, found: Exchange) -> None:
    """Print the answer, or why it is not there."""
    if found.answer:
        out.print(Text(redact(found.answer)), soft_wrap=True)
    elif found.status not in _OPEN:
        raise fail(
            f"{agent_name(found.agent)} could not answer: {found.problem or reason_words(found.status)}", EXIT_FAILED
        )
    elif daemon_pid(project.paths.state) is None:
        start = start_command(project, choice_of(ctx))
        err.print(f"It is kept ({found.id}); no daemon runs, so the answer comes when one does: {start}",
                  markup=False, soft_wrap=True)  # fmt: skip
    else:
        err.print(f"It is kept ({found.id}) and reaches {agent_name(found.agent)} with the next prompt. The answer is "
                  f"not there yet: {caller()} chat {found.agent} --history", markup=False, soft_wrap=True)  # fmt: skip


def _show(one: Exchange) -> None:
    about = f", about {one.task}" if one.task else ""
    head = f"{one.at.astimezone():%Y-%m-%d %H:%M}  you to {agent_name(one.agent)}{about}"
    out.print(Text(head, style="bold"))
    out.print(Text(f"  {redact(one.said)}"), soft_wrap=True)
    if one.answer:
        out.print(Text(f"{agent_name(one.agent, first=True)}:", style="cyan"))
        out.print(Text(f"  {redact(one.answer)}"), soft_wrap=True)
    elif one.status in _OPEN:
        out.print(Text("  (not answered yet)", style="dim"))
    else:
        out.print(Text(f"  (no answer: {redact(one.problem) or one.status.value})", style="yellow"), soft_wrap=True)
