"""`status`: what is going on and what there is to do, once or live, without disturbing it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli.live import Silence
from cli.options import EXIT_USAGE, AsJson, Choice, caller, choice_of, fail, folds, out
from cli.project import Project, opened, print_json, start_command
from cli.stopped import stopped_lines
from cli.views import dependent_lines, task_table
from memory import CallInFlight, Dependency, MemoryStore, Rest, Task, TaskStatus, WaitingCall, utc_now
from monitoring import daemon_pid, redact
from owner.disk import FullFolder, full_folders
from owner.stopped import Stopped, stopped_count, stopped_tasks
from owner.stream import Clock, awaited_line, seconds_awaited, waiting_lines
from owner.words import agent_at, agent_name, at_work_on, count, one_line, quoted, rest_words, status_word

_MOST_FOLLOWING, _MOST_GOAL = 5, 500
_MOST_STOPPED, _MOST_STOPPED_JSON = 3, 20
_LOOK = 1.0
"""Seconds between two looks of `--watch`."""


@dataclass(frozen=True)
class _State:
    """All that `status` tells, read at once."""

    pid: int | None
    counts: dict[TaskStatus, int]
    active: list[Task]
    following: list[Task]
    dependent: dict[str, list[Dependency]]
    awaited: list[CallInFlight]
    waiting: list[WaitingCall]
    stopped: list[Stopped]
    paused: dict[str, datetime]
    rest: Rest | None
    full: list[FullFolder]


@dataclass(frozen=True)
class _Fact:
    """A line, by its name."""

    name: str
    text: str
    core: str = ""
    """The text without what changes by itself, such as a running time; empty: all of it."""

    @property
    def told(self) -> tuple[str, str]:
        """What makes it another fact when it changes."""
        return self.name, self.core or self.text

    def __str__(self) -> str:
        return f"{self.name:<12}{self.text}"


def status(
    ctx: typer.Context,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Live, until Ctrl-C; in a pipe, a line for each thing that changes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show whether the daemon runs, which models it awaits, what comes next, and what only you can get going again."""
    if watch and as_json:
        raise fail("give --watch or --json, not both; `logs -f --json` tells each thing as it happens", EXIT_USAGE)
    ended = threading.Event()
    if watch:  # an interrupt raised inside the database's callbacks would be lost
        signal.signal(signal.SIGINT, lambda *_: ended.set())
    with opened(choice_of(ctx), names_project=True, writes=watch) as (project, store):
        if watch:
            _watch(project, store, choice_of(ctx), ended)
        elif as_json:
            print_json(_document(project, _read(project, store, _MOST_STOPPED_JSON)))
        else:
            for part in _parts(project, store, choice_of(ctx), _read(project, store)):
                out.print(part, soft_wrap=isinstance(part, Text))


def _read(project: Project, store: MemoryStore, most_stopped: int = _MOST_STOPPED) -> _State:
    pid = daemon_pid(project.paths.state)
    return _State(
        pid=pid,
        counts=store.tasks.count_by_status(),
        active=store.tasks.select([TaskStatus.IN_PROGRESS], limit=20),
        following=store.tasks.ready(_MOST_FOLLOWING),
        dependent=store.tasks.unmet(),
        awaited=store.budgets.calls_in_flight() if pid else [],  # what a killed daemon awaited is not awaited
        waiting=store.budgets.waiting_calls(),
        stopped=stopped_tasks(store, most_stopped),
        paused=store.paused.since(),
        rest=store.paused.rest(project.settings.orchestrator.quiet, utc_now()),
        full=full_folders(project.paths, pid),
    )


def _document(project: Project, state: _State) -> dict[str, object]:
    return {
        "running": state.pid is not None,
        "pid": state.pid,
        "repository": project.settings.git.repository_url,
        "goal": project.settings.project.goal,
        "tasks": {name.value: number for name, number in state.counts.items()},
        "active": state.active,
        "next": state.following,
        "dependent": state.dependent,
        "awaited": [call.model_dump(mode="json") | {"seconds": round(seconds_awaited(call))} for call in state.awaited],
        "waiting": state.waiting,
        "full": state.full,
        "stopped": state.stopped,
        "stopped_count": stopped_count(state.counts),
        "paused_agents": state.paused,
        "rest": state.rest,
    }


def _facts(project: Project, store: MemoryStore, choice: Choice, state: _State, clock: Clock) -> Iterator[_Fact]:
    pid, active = state.pid, state.active
    start = start_command(project, choice)
    yield _Fact("daemon", f"running (pid {pid})" if pid else f"not running; start it with: {start}")
    yield _Fact("repository", project.name)
    if project.settings.project.goal:
        yield _Fact("goal", one_line(project.settings.project.goal, _MOST_GOAL))
    told = [f"{number:,} {status_word(name)}" for name, number in state.counts.items() if number]
    yield _Fact("tasks", ", ".join(told) or "none")
    if active and not pid:
        yield _Fact("paused", f"{count(len(active), 'task')} in progress, since the daemon is stopped")
    if state.rest:
        quiet = project.settings.orchestrator.quiet
        why = rest_words(state.rest, quiet.zone if quiet else None)
        yield _Fact("paused", f"{why}; `{caller()} resume` lets it go on")
    for task in active if pid else []:
        if task.stage and state.rest:
            yield _Fact("held", f"{at_work_on(task)}, no further than the step that runs")
            continue
        if task.stage and agent_at(task) in state.paused:
            held = (
                f"{quoted(task.title)} goes no further than the step it is in: {agent_name(agent_at(task))} is paused"
            )
            yield _Fact("held", held)
            continue
        yield _Fact("now", f"{at_work_on(task)}; the task began {clock.took(task)} ago", at_work_on(task))
    for agent, since in state.paused.items():
        held = f"{agent_name(agent, first=True)}, by you, since {since:%Y-%m-%d %H:%M} UTC"
        yield _Fact("paused", f"{held}; `{caller()} agents resume {agent}` lets it go on")
    for task in state.following:
        yield _Fact("next", f"{task.id}  {one_line(task.title)}")
    for line in dependent_lines(store, _MOST_FOLLOWING):
        yield _Fact("after", line)
    for call in state.awaited:
        yield _Fact("model", awaited_line(call), f"{call.id}")
    for line in waiting_lines(state.waiting) if pid else []:  # what a killed daemon waited for is not waited for
        yield _Fact("paused", redact(line))
    for folder in state.full:
        yield _Fact("full", redact(str(folder)))


def _parts(project: Project, store: MemoryStore, choice: Choice, state: _State) -> Iterator[RenderableType]:
    """All of it; each `Text` is a line, which on paper is not folded."""
    clock = Clock(store, runs=state.pid is not None)
    for fact in _facts(project, store, choice, state, clock):
        yield Text(str(fact))
    if state.active:
        yield Text()
        yield task_table(store, state.active, clock)
    if state.stopped:
        yield Text("\nStopped until you decide:")
    for row in state.stopped:
        yield from stopped_lines(row, brief=True)
    if (left := stopped_count(state.counts) - len(state.stopped)) > 0:
        yield Text(f"… and {left} more: {caller()} approvals list")


def _watch(project: Project, store: MemoryStore, choice: Choice, ended: threading.Event) -> None:
    if not folds():
        return _tell(project, store, choice, ended)
    with Live(console=out, auto_refresh=False) as live:
        while not ended.is_set():
            parts = list(_parts(project, store, choice, _read(project, store)))
            at = Text(f"{datetime.now().astimezone():%H:%M:%S}  Ctrl-C ends", style="dim")
            live.update(Group(at, *parts), refresh=True)
            ended.wait(_LOOK)


def _tell(project: Project, store: MemoryStore, choice: Choice, ended: threading.Event) -> None:
    """Where nothing can be drawn anew: each fact when it is new, and what is being done again when all was silent."""
    known: set[tuple[str, str]] = set()
    silence = Silence()
    while not ended.is_set():
        state = _read(project, store)
        facts = list(_facts(project, store, choice, state, Clock(store, runs=state.pid is not None)))
        facts += [_Fact("stopped", f"{row.id}  {one_line(row.title)}: {one_line(row.detail or row.reason)}")
                  for row in state.stopped]  # fmt: skip
        new = [fact for fact in facts if fact.told not in known]
        if new:
            silence.broken()
        elif silence.is_long() and (new := [fact for fact in facts if fact.name in ("now", "model")]):
            silence.sign_given()
        for fact in new:
            out.print(f"{datetime.now().astimezone():%H:%M:%S}  {fact}", markup=False, soft_wrap=True)
        known = {fact.told for fact in facts}
        ended.wait(_LOOK)
