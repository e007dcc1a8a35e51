"""`project start`: give the team a text from which it makes a specification, an architecture and tasks."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import EXIT_USAGE, AsJson, caller, choice_of, err, fail, out
from cli.project import opened, print_json, start_command
from memory import OWNER, Priority, Task, TaskType, new_task_id
from monitoring import daemon_pid
from owner.words import one_line

MOST = 40_000
"""Characters of a text: what the team is shown with each question must fit into a model's window."""
_LEAST_WORDS = 3
_MOST_BYTES = 4 * MOST
_MOST_TITLE = 100
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


class _PriorityName(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def start(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A text or Markdown file that says what is to be made; - is stdin.")
    ],
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="What to call it (default: its first heading or line).")
    ] = "",
    priority: Annotated[
        _PriorityName, typer.Option("--priority", "-p", metavar="HOW", help="How urgent it is: high, medium or low.")
    ] = _PriorityName.MEDIUM,
    as_json: AsJson = False,
) -> None:
    """Make a project of a text: a specification, a discussion, an architecture note, and tasks. Also in an empty
    repository."""
    text = _text_of(file)
    task = Task(
        id=new_task_id(),
        title=title.strip() or _title_of(text),
        description=text,
        type=TaskType.PROJECT,
        priority=Priority[priority.name],
        source=OWNER,
    )
    choice = choice_of(ctx)
    with opened(choice, names_project=True, writes=True) as (project, store):
        store.tasks.add(task)
        store.journal.log(OWNER, "task added", task.id, title=task.title, source=task.source)
    pid, begin = daemon_pid(project.paths.state), start_command(project, choice)
    if as_json:
        place = {"repository": project.settings.git.repository_url, "running": pid is not None, "pid": pid}
        print_json(task.model_dump(mode="json") | place | ({} if pid else {"start": begin}))
        return
    out.print(f"{task.id}  {task.title}", markup=False)
    told = f"the daemon there (pid {pid}) takes it up" if pid else f"no daemon runs there; start it with: {begin}"
    err.print(f"begun in {project.name}: {told}", style="dim", markup=False, soft_wrap=True)
    err.print(f"what becomes of it: {caller()} project show", style="dim", markup=False, soft_wrap=True)


def _text_of(file: Path) -> str:
    """The text; ends the command for what is none."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            if file.is_dir():
                raise fail(f"{name} is a folder; give a text file", EXIT_USAGE)
            with file.open("rb") as opened_file:
                data = opened_file.read(_MOST_BYTES + 1)
    except OSError as problem:
        raise fail(f"{name} cannot be read: {problem.strerror or problem}; give a text file", EXIT_USAGE) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if len(data) <= _MOST_BYTES or problem.start < _MOST_BYTES - 4:  # the end may be half a character
            told = f"{name} is no text in UTF-8 (byte {problem.start + 1}); save it as plain text or Markdown"
            raise fail(told, EXIT_USAGE) from None
        text = ""
    if "\x00" in text:
        raise fail(f"{name} is a binary file; save what it says as plain text or Markdown", EXIT_USAGE)
    if len(data) > _MOST_BYTES or len(text) > MOST:
        told = f"{name} is longer than {MOST:,} characters; give the part that comes first, and the others later"
        raise fail(told, EXIT_USAGE)
    text = text.replace("\r\n", "\n").strip()
    if len(re.findall(r"\w+", text)) < _LEAST_WORDS:
        what = "says too little" if text else "is empty"
        raise fail(f"{name} {what}; say in a few sentences what is to be made, and for whom", EXIT_USAGE)
    return text


def _title_of(text: str) -> str:
    heading = _HEADING.search(text)
    first = heading[1] if heading else next(line for line in text.splitlines() if re.search(r"\w", line))
    return one_line(first.strip("*_`> "), _MOST_TITLE)
