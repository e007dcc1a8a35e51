"""All commands, and the options before them. A command's module is imported when it is called."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.options import Choice, Commands, Repo, chosen


@dataclass(frozen=True)
class _Entry:
    """Where a command, or a group of them, is written, and the first sentence of its help."""

    place: str
    """The module and the name in it: of a function, or of `Commands`."""
    summary: str


COMMANDS = {
    "run": _Entry("running:run", "Start the daemon."),
    "init": _Entry("init:init", "Set up: which repository, which model, what it may spend."),
    "demo": _Entry(
        "running:demo", "Let the team work on a sample repository until its backlog is done or the time is up."
    ),
    "doctor": _Entry(
        "doctor:doctor",
        "Check git, sandbox, safety, toolchains, model or key, budget, repository, forge, database, disk, ports, "
        "alerts.",
    ),
    "status": _Entry(
        "status:status",
        "Show whether the daemon runs, which models it awaits, what comes next, and what only you can get going again.",
    ),
    "inbox": _Entry("inbox:inbox_commands", "Show everything that waits for you, and answer it."),
    "tell": _Entry("talk:tell", "Tell an agent something: it stands in its next prompt as your word, and is answered."),
    "chat": _Entry(
        "talk:chat",
        "Talk with an agent, line by line, until Ctrl-D; or show what was said, to all of them where none is named.",
    ),
    "pause": _Entry("pausing:pause", "Have nobody begin anything more."),
    "resume": _Entry("pausing:resume", "Let everything go on where it was; in quiet hours, too, until they end."),
    "open": _Entry("room:open_room", "Open the control room in the browser, signed in."),
    "logs": _Entry("reading:logs", "Show what the team did, the latest last."),
    "report": _Entry(
        "reading:report",
        "Show what a day brought: what landed, what was decided and why, what it cost, what is stuck, what is next.",
    ),
    "strategy": _Entry(
        "reading:strategy", "Show what the CEO goes by: its goals, what it counts on, and what was learnt."
    ),
    "facts": _Entry(
        "facts:facts", "List what could become work: failing tests, TODOs, untested functions, lint, types, docstrings."
    ),
    "costs": _Entry(
        "reading:costs",
        "Show model calls, tokens and money; with --by limit, how much of each budget limit is used and reserved.",
    ),
    "backup": _Entry("backup:backup", "Write the databases, git refs and config.yaml (without secrets) to one file."),
    "restore": _Entry("backup:restore", "Restore a project from a backup."),
    "migrate": _Entry(
        "backup:migrate", "Migrate the database to this version of the program; tasks in progress continue."
    ),
    "task": _Entry("tasks:commands", "Give the team work, look at it, stop it, retry it."),
    "project": _Entry(
        "project_facts:project_commands", "Make a project of a text, and see what the team knows of the repository."
    ),
    "deploy": _Entry("deployments:deploy", "Have the daemon deploy to an environment; `task show` tells how it goes."),
    "deployments": _Entry(
        "deployments:deployments_commands", "What is live where, and what became of each deployment."
    ),
    "forge": _Entry("forge:forge_commands", "The forge: its issues that became tasks, and the requests of the team."),
    "gateway": _Entry("gateway:commands", "The process that owns the services of durable_objects."),
    "approvals": _Entry(
        "owner:approvals_commands", "What waits for your decision: tasks at a gate, blocked tasks and failed ones."
    ),
    "agents": _Entry("models:agents_commands", "Who is on the team, and what their models can do."),
    "model": _Entry("models:model_commands", "The embedded models that work without any key."),
    "alerts": _Entry("owner:alerts_commands", "How you are alerted when you are needed."),
    "service": _Entry("service:commands", "Run the daemon as a service of systemd."),
    "config": _Entry("configuration:config_commands", "Show, change and check the configuration."),
}
"""In the order of the help."""


class _Lazy(TyperGroup):
    """A group that imports a command when it is called; for the list of all, their summaries are enough."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            self.commands = dict.fromkeys(COMMANDS, TyperCommand(None))  # by their names the nearest one is suggested
            return None
        return TyperCommand(cmd_name, help=entry.summary) if self._listing else command_of(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def command_of(name: str) -> Any:
    """The command, or group of commands, of that name."""
    module, _, written = COMMANDS[name].place.partition(":")
    found = getattr(import_module(f"cli.{module}"), written)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        alone = Commands(add_completion=False)
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    command.name = name
    return command


app = Commands(
    cls=_Lazy,
    help="An autonomous software team: a goal and a repository in, verified commits out.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from config import NAME, VERSION

        typer.echo(f"{NAME} {VERSION}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="The configuration file (default: see `config path`).",
        ),
    ] = None,
    repo: Repo = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Without a command, `python main.py` starts the daemon; the installed program shows what there is."""
    if not gc.isenabled():  # see main.py; the command is imported by now, and what was imported stays
        gc.freeze()
        gc.enable()
    ctx.obj = chosen(Choice(config), repo)
    if ctx.invoked_subcommand is None:
        from config import command, is_installed

        if not is_installed():
            from cli import running

            return running.run(ctx)
        typer.echo(ctx.get_help())
        from cli.project import load
        from cli.status import status

        if load(ctx.obj).settings.git.repository_url:
            return status(ctx)
        typer.echo(f"No repository is set up yet. Begin with: {command()} init")
