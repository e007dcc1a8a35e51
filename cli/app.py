"""All commands, and the options before them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import backup, doctor, models, owner, project_facts, reading, running, tasks
from cli.project import Choice, Commands, Repo, chosen
from config import DEFAULT_CONFIG

app = Commands(
    help="An autonomous software team: a goal and a repository in, verified commits out.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help=f"The configuration file (default: {DEFAULT_CONFIG}).")
    ] = None,
    repo: Repo = None,
) -> None:
    """Without a command, start the daemon."""
    ctx.obj = chosen(Choice(config), repo)
    if ctx.invoked_subcommand is None:
        running.run(ctx)


app.command("run")(running.run)
app.command("demo")(running.demo)
app.command("doctor")(doctor.doctor)
app.command("status")(reading.status)
app.command("logs")(reading.logs)
app.command("facts")(reading.facts)
app.command("costs")(reading.costs)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(backup.migrate)
app.add_typer(tasks.commands, name="task")
app.add_typer(project_facts.project_commands, name="project")
app.add_typer(owner.approvals_commands, name="approvals")
app.add_typer(models.agents_commands, name="agents")
app.add_typer(models.model_commands, name="model")
app.add_typer(owner.alerts_commands, name="alerts")
app.add_typer(reading.config_commands, name="config")
