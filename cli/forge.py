"""`forge …`: what is known of the forge, and one look at it at once. Works while the daemon runs."""

from __future__ import annotations

import typer
from rich.text import Text

from cli.options import AsJson, Commands, choice_of, fail, out
from cli.project import opened, print_json
from cli.tables import Column, FittedTable
from forge import ForgeError
from memory import ForgeThread
from owner.forge_runner import forge_now, forge_of, sync
from owner.words import count, one_line

forge_commands = Commands(
    help="The forge: its issues that became tasks, and the requests of the team.", no_args_is_help=True
)
_STYLES = {"stranger": "yellow", "taken": "green", "open": "green", "merged": "magenta"}


@forge_commands.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show what is known of the forge: the last look at it, issues with their tasks, requests."""
    with opened(choice_of(ctx)) as (project, store):
        now = forge_now(store, project.settings)
    if as_json:
        print_json(now)
        return
    if not now.provider:
        out.print("No forge is set; see docs/FORGE.md.")
        return
    facts = {
        "forge": f"{now.repository} ({now.provider})",
        "label": now.label,
        "landing": "one request for each task" if now.lands_by_request else "",
        "last look": f"{now.looked_at.astimezone():%Y-%m-%d %H:%M:%S}" if now.looked_at else "none yet",
        "problem": now.problem,
    }
    for name, value in facts.items():
        if value:
            style = "red" if name == "problem" else ""
            out.print(Text(f"{name}: ", style="bold").append(value, style=style), soft_wrap=True)
    for heading, rows in (("issue", now.issues), ("request", now.requests)):
        if rows:
            out.print(_table(heading, rows))


@forge_commands.command("sync")
def sync_now(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look at the forge at once: take up issues, hear answers, write what the team says, follow requests."""
    with opened(choice_of(ctx), names_project=True, writes=True) as (project, store):
        forge = forge_of(project.settings)
        try:
            done = sync(project.settings, store, project.paths.state, lambda: None, forge)
        except ForgeError as problem:
            raise fail(str(problem), problem.exits_with) from None
        finally:
            forge.close()
    if as_json:
        print_json(done)
        return
    out.print(
        f"{count(done.issues, 'open issue')} with the label; {count(done.tasks, 'new task')}, "
        f"{count(done.answers, 'answer')} heard, {count(done.comments, 'comment')} written, "
        f"{count(done.requests, 'request')} opened, {done.ended} ended, {count(done.reworks, 'remark')} for the team."
    )


def _table(heading: str, rows: list[ForgeThread]) -> FittedTable:
    columns = [Column(heading, right=True), Column("status"), Column("task"), Column("title", 20), Column("by", rank=1)]
    return FittedTable(
        columns,
        [
            (str(row.number), Text(row.status, style=_STYLES.get(row.status, "")), row.task_id or "",
             one_line(row.title, 200), one_line(row.author, 40))
            for row in rows
        ],
    )  # fmt: skip
