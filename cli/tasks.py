"""`task …`: give the team work, look at it, stop it, retry it. Works while the daemon runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.activity import show_activity
from cli.options import EXIT_USAGE, MOST_ROWS, AsJson, Commands, caller, choice_of, err, fail, out
from cli.project import Project, opened, print_json, start_command
from cli.stopped import choice_lines
from cli.views import show_diff, task_details, task_table
from memory import (
    MOST_TESTS,
    OWNER,
    Priority,
    RetryStage,
    Task,
    TaskKind,
    TaskStatus,
    new_task_id,
)
from monitoring import daemon_pid
from owner import actions
from owner.artifacts import artifact_of, as_markdown
from owner.stopped import stopped_of
from owner.stream import Clock
from owner.thread import thread_of
from owner.words import one_line, status_word

commands = Commands(help="Give the team work, look at it, stop it, retry it.", no_args_is_help=True)

TaskId = Annotated[str, typer.Argument(metavar="ID", help="Id of the task, or its beginning.")]


class PriorityName(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def _or(values: type[StrEnum]) -> str:
    *others, last = [value.value for value in values]
    return f"{', '.join(others)} or {last}"


@commands.command("add")
def add(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What to do, in a few words.")],
    description: Annotated[
        str, typer.Option("--description", "-d", metavar="TEXT", help="The whole task; - reads it from stdin.")
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Read the description from a file; - is standard input."),
    ] = None,
    tests: Annotated[
        Path | None,
        typer.Option(
            "--tests", metavar="FILE", help="A test file that must pass. It is used as it is; QA writes no tests."
        ),
    ] = None,
    priority: Annotated[
        PriorityName, typer.Option("--priority", "-p", metavar="HOW", help=f"How urgent it is: {_or(PriorityName)}.")
    ] = PriorityName.MEDIUM,
    type: Annotated[
        str,
        typer.Option(
            "--type",
            "-t",
            metavar="FLOW",
            help="The flow: code, analysis for a report, plan for tasks to be made of it, or decision for an idea that "
            "the V-team gives its opinions on.",
        ),
    ] = "code",
    kind: Annotated[
        TaskKind | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            help=f"What kind of work it is, which decides on its proof: {_or(TaskKind)} (default: QA says).",
        ),
    ] = None,
    deadline: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="In UTC, such as 2030-01-31T18:00:00; the nearer, the more urgent."),
    ] = None,
    depends_on: Annotated[
        list[str] | None,
        typer.Option(
            "--depends-on", "--after", metavar="ID", help="Id of a task that must be completed first; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a task. Examples in it, such as "`f(2)` returns `4`", become its tests. Or give a test file."""
    from orchestrator import TaskQueue, UnknownFlow  # most of the start-up time; few commands need them

    if not title.strip():
        raise fail("the title is empty; say in a few words what to do", EXIT_USAGE)
    if not type.strip():
        raise fail("--type is empty; give the name of a flow, or leave it out", EXIT_USAGE)
    if deadline:
        deadline = deadline.replace(tzinfo=deadline.tzinfo or UTC)
        if deadline <= datetime.now(UTC):
            raise fail(
                f"--deadline {deadline:%Y-%m-%d %H:%M} UTC is past; give a later one, or leave it out", EXIT_USAGE
            )
    text = _read(file, description) if file is not None else sys.stdin.read() if description == "-" else description
    choice = choice_of(ctx)
    with opened(choice, names_project=True, writes=True) as (project, store):
        needed = [store.tasks.find(task_id) for task_id in depends_on or []]
        actions.must_not_wait_for_ever(needed)
        tests_file, tests_text = _given_tests(tests, project) if tests else ("", "")
        task = Task(
            id=new_task_id(),
            title=title,
            description=text,
            tests_file=tests_file,
            tests=tests_text,
            type=type,
            kind=kind.value if kind else "",
            priority=Priority[priority.name],
            deadline=deadline,
            depends_on=[other.id for other in needed],
        )
        try:
            TaskQueue(store, own=project.settings.agents).submit_task(task, by=OWNER)
        except UnknownFlow as problem:
            raise fail(str(problem), problem.exits_with) from None
    pid, start = daemon_pid(project.paths.state), start_command(project, choice)
    if as_json:
        place = {"repository": project.settings.git.repository_url, "running": pid is not None, "pid": pid}
        print_json(task.model_dump(mode="json") | place | ({} if pid else {"start": start}))
        return
    out.print(f"{task.id}  {title}", markup=False)
    told = f"the daemon there (pid {pid}) takes it up" if pid else f"no daemon runs there; start it with: {start}"
    err.print(f"added to {project.name}: {told}", style="dim", markup=False, soft_wrap=True)


@commands.command("list")
def list_tasks(
    ctx: typer.Context,
    status: Annotated[
        list[TaskStatus] | None,
        typer.Option(
            "--status", "-s", metavar="STATUS", help=f"Only tasks that are {_or(TaskStatus)}; may be repeated."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=MOST_ROWS, help="Number of tasks to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the tasks, newest first."""
    with opened(choice_of(ctx)) as (project, store):
        tasks = store.tasks.select(status or None, limit=limit)
        if as_json:
            print_json(tasks)
        elif tasks:
            clock = Clock(store, runs=daemon_pid(project.paths.state) is not None)
            out.print(task_table(store, tasks, clock), crop=False)  # the table fits; to check each line takes long
            counts = store.tasks.count_by_status()
            left = sum(counts[each] for each in status or counts) - len(tasks)
            if left > 0:
                out.print(f"… and {left} more (--limit)")
        else:
            none = f"No task is {' or '.join(map(status_word, status))}." if status else "No tasks yet."
            out.print(f'{none} Add one with: {caller()} task add "WHAT TO DO"', markup=False, soft_wrap=True)


@commands.command("show")
def show(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Show everything about one task: what happened to it in order, commits, costs, why it failed, what you can do."""
    with opened(choice_of(ctx)) as (project, store):
        task = store.tasks.find(task_id)
        if as_json:
            details = task.model_dump(mode="json")
            details["attempts"] = [attempt.model_dump(mode="json") for attempt in store.evidence.attempts(task.id)]
            details["verdicts"] = [verdict.model_dump(mode="json") for verdict in store.evidence.verdicts(task.id)]
            details["decisions"] = [
                decision.model_dump(mode="json") for decision in store.journal.decisions(task_id=task.id)
            ]
            details["thread"] = [entry.model_dump(mode="json") for entry in thread_of(store, task)]
            details["waits_for"] = [
                needed.model_dump(mode="json") for needed in store.tasks.unmet([task.id]).get(task.id, [])
            ]
            details["parts"] = [part.id for part in store.tasks.select(parent_id=task.id)]
            details["usage"] = [row.model_dump(mode="json") for row in store.ledger.usage("model", task_ids=[task.id])]
            print_json(details)
        else:
            out.print(task_details(store, task, Clock(store, runs=daemon_pid(project.paths.state) is not None)))
            for row in stopped_of(store, [task]):
                out.print("\nIt waits for you. What you can do:")
                for line in choice_lines(row):
                    out.print(line, soft_wrap=True)


@commands.command("logs")
def task_logs(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Show what happened to one task, in order."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        activities = store.journal.activity(task_id=task.id, limit=1000)
    if as_json:
        print_json(activities)
        return
    out.print(Text(f"{task.id}  {one_line(task.title)}", style="bold"), soft_wrap=True)
    for activity in activities:  # they are all about this task, so that only those that begin with it name it
        show_activity(activity)


@commands.command("diff")
def diff(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Show the change a task made: its landed commits, or its branch while it is in progress."""
    from orchestrator.services import make_git  # git is not needed by the other commands

    with opened(choice_of(ctx)) as (project, store):
        task = store.tasks.find(task_id)
        text = make_git(project.settings, project.paths).landing.task_diff(task.id)
    if as_json:
        print_json({"task": task.id, "title": task.title, "status": task.status, "diff": text})
        return
    if not text:
        raise fail(f"{task.id} has not changed anything yet")
    show_diff(text)


@commands.command("report")
def report(ctx: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Print what a task without code has come to, as Markdown: a report, an opinion, a decision."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
    sections = artifact_of(task)
    if as_json:
        print_json({"task": task.id, "title": task.title, "status": task.status, "sections": sections})
        return
    if not sections:
        raise fail(f"{task.id} has no report{': its result is a change, task diff shows it' * (task.type == 'code')}")
    out.print(as_markdown(task, sections), markup=False, highlight=False, soft_wrap=True, end="")


@commands.command("cancel")
def cancel(ctx: typer.Context, task_id: TaskId) -> None:
    """Stop a task, or put a failed or blocked one aside. What has landed stays."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.cancel(store, task), task)


@commands.command("retry")
def retry(
    ctx: typer.Context,
    task_id: TaskId,
    stage: Annotated[
        RetryStage | None,
        typer.Option(
            "--from", metavar="STAGE", help="A stage it reached: tests, code or review; what is before stays."
        ),
    ] = None,
) -> None:
    """Start a failed, blocked or cancelled task again, from the beginning or from a stage."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.retry(store, task, stage=stage), task)
    if stage:
        err.print(f"{actions.KEPT[stage]}; if its worktree is gone, all of it is", markup=False)


@commands.command("replan")
def replan(
    ctx: typer.Context,
    task_id: TaskId,
    note: Annotated[
        str,
        typer.Option(
            "--note", "-n", metavar="TEXT", help="What is to be otherwise; it becomes part of the goal's words."
        ),
    ],
) -> None:
    """Have a goal planned again in other words. Tasks of the plan that have not begun are cancelled."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        told(actions.replan(store, task, note), task)


@commands.command("approve")
def approve(ctx: typer.Context, task_id: TaskId) -> None:
    """Let a task that waits at a gate go on (testing.auto_run or git.auto_commit is false)."""
    with opened(choice_of(ctx)) as (_, store):
        task = store.tasks.find(task_id)
        if task.status is not TaskStatus.WAITING_APPROVAL:
            raise fail(f"{task.id} is {task.status}; it does not wait for approval")
        told(actions.approve(store, task), task)


def _given_tests(file: Path, project: Project) -> tuple[str, str]:
    """Where the owner's test file belongs in the repository, and its text."""
    from file_system import SyntaxProblem, check_syntax, is_javascript

    text = _text_of(file)
    try:
        check_syntax(file.name, text)
    except SyntaxProblem as problem:
        raise fail(f"{file} cannot be read, line {problem.line}: {problem.problem}", EXIT_USAGE) from None
    place, repository = file.resolve(), Path(project.settings.git.repository_url).resolve()
    inside = repository.is_dir() and place.is_relative_to(repository)
    path = (
        place.relative_to(repository).as_posix()
        if inside
        else f"{'test' if is_javascript(file.name) else 'tests'}/{file.name}"
    )
    actions.must_be_a_test(str(file))
    if not text.strip() or len(text) > MOST_TESTS:
        raise fail(f"{file} has {len(text):,} characters; between 1 and {MOST_TESTS:,} are possible", EXIT_USAGE)
    return path, text


def _read(file: Path, description: str) -> str:
    if description:
        raise fail("give --description or --file, not both", EXIT_USAGE)
    return sys.stdin.read() if str(file) == "-" else _text_of(file)


def _text_of(file: Path) -> str:
    if not file.is_file():
        raise fail(f"{file}: no such file", EXIT_USAGE)
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise fail(f"{file} is not text in UTF-8 that can be read: {problem}", EXIT_USAGE) from None


def told(command: str, task: Task) -> None:
    """Say that the daemon was left a command."""
    err.print(f"{command} {task.id}: the daemon does this within a second, or at its next start", markup=False)
