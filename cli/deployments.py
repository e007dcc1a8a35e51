"""`deploy` and `deployments …`: have the daemon deploy, and see what is live where. Works while the daemon runs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli.options import MOST_ROWS, AsJson, Commands, caller, choice_of, err, fail, out
from cli.project import Project, opened, print_json, start_command
from cli.tables import Column, FittedTable
from deployment import DeploymentError
from memory import Deployment
from monitoring import daemon_pid, redact
from owner import deploying
from owner.deploying import EnvironmentNow, Requested
from owner.measured import compared_words, figures_words, findings, measured
from owner.words import deployment_word, one_line

deployments_commands = Commands(help="What is live where, and what became of each deployment.", no_args_is_help=True)

Environment = Annotated[
    str,
    typer.Argument(metavar="[ENVIRONMENT]", help="A name of deployment.environments (default: that of on_landing)."),
]
_SHORT = 12
_STYLES = {"live": "green", "failed": "red", "rolled_back": "yellow", "rollback_failed": "bold red"}


def deploy(
    ctx: typer.Context,
    environment: Environment = "",
    commit: Annotated[
        str, typer.Option("--commit", metavar="COMMIT", help="A commit, branch or tag (default: what has landed).")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Have the daemon deploy to an environment; `task show` tells how it goes."""
    with opened(choice_of(ctx), names_project=True, writes=True) as (project, store):
        asked = deploying.deploy(store, project.settings.deployment, environment, commit)
    _told(project, asked, ctx, as_json)


@deployments_commands.command("list")
def list_deployments(
    ctx: typer.Context,
    environment: Environment = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=MOST_ROWS, help="Number of deployments to show.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the environments with what is live in each, and the latest deployments, newest first."""
    with opened(choice_of(ctx)) as (project, store):
        settings = project.settings.deployment
        if environment:
            environment = deploying.chosen_environment(settings, environment)
        places = [each for each in deploying.environments_of(store, settings) if environment in ("", each.name)]
        rows = deploying.history(store, environment or None, limit)
    if as_json:
        print_json({"environments": places, "deployments": rows})
        return
    for place in places:
        out.print(_line(place), soft_wrap=True)
    if not places:
        out.print("No environment is set; see docs/DEPLOYING.md.")
    if rows:
        out.print(_table(rows))


@deployments_commands.command("show")
def show(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number, as `deployments list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show everything about one deployment."""
    with opened(choice_of(ctx)) as (_, store):
        row = deploying.as_seen(store, store.deployments.get(number))
        found = findings(store, number)
    if as_json:
        print_json(row.model_dump(mode="json") | {"found": found})
        return
    facts = {
        "deployment": str(row.id),
        "what": "a return to an earlier version" if row.kind == "rollback" else "a deployment",
        "environment": f"{row.environment} ({row.target or 'not begun'})",
        "commit": row.commit or "the newest landed work",
        "status": deployment_word(row.status),
        "asked for": f"{row.created_at.astimezone():%Y-%m-%d %H:%M:%S}" + (f" by {row.by}" if row.by else ""),
        "ended": f"{row.finished_at.astimezone():%Y-%m-%d %H:%M:%S}" if row.finished_at else "",
        "made": ", ".join(f"{key} {value}" for key, value in row.artifact.items()),
        "task": row.task_id or "",
        "detail": redact(row.detail),
        "measured": "; ".join(found),
    }
    for name, value in facts.items():
        if value:
            out.print(Text(f"{name}: ", style="bold").append(value, style=""), soft_wrap=True)


@deployments_commands.command("rollback")
def rollback(
    ctx: typer.Context,
    environment: Environment = "",
    to: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="NUMBER", min=1, help="The deployment whose version comes back (default: the last)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have the daemon bring back the version that was live before."""
    with opened(choice_of(ctx), names_project=True, writes=True) as (project, store):
        asked = deploying.rollback(store, project.settings.deployment, environment, to)
    _told(project, asked, ctx, as_json)


@deployments_commands.command("promote")
def promote(
    ctx: typer.Context,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Where to; it has a promote_from.")],
    as_json: AsJson = False,
) -> None:
    """Have the daemon deploy what is live in the environment before this one, such as from staging to production."""
    with opened(choice_of(ctx), names_project=True, writes=True) as (project, store):
        asked = deploying.promote(store, project.settings.deployment, environment)
    _told(project, asked, ctx, as_json)


@deployments_commands.command("metrics")
def metrics(ctx: typer.Context, environment: Environment = "", as_json: AsJson = False) -> None:
    """Show what was measured of what is live, beside the version before, and how they compare."""
    with opened(choice_of(ctx)) as (project, store):
        found = measured(store, project.settings.deployment, environment)
    if as_json:
        print_json(found)
        return
    if found.live is None:
        out.print(f"Nothing is live in {found.environment}.", markup=False)
        return
    before = f", before it {found.before.commit[:_SHORT]}" if found.before else ""
    out.print(f"{found.environment}: {found.live.commit[:_SHORT]} is live{before}", markup=False)
    if not found.series:
        why = "the daemon measures while it runs" if found.interval else "watch.interval is 0"
        out.print(f"Nothing was measured of it yet: {why}; see docs/CIRCLE.md.", markup=False)
        return
    columns = [Column("what"), Column("compared"), Column("now"), Column("before", rank=1)]
    rows = [
        (
            f"{series.metric} {series.of}".strip(),
            compared_words(series.compared),
            figures_words(series.metric, series.now),
            figures_words(series.metric, series.before),
        )
        for series in found.series
    ]
    out.print(FittedTable(columns, rows))


@deployments_commands.command("logs")
def logs(
    ctx: typer.Context,
    environment: Environment = "",
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=1, max=10_000, help="Number of latest lines.")
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what the running service wrote. This asks the host."""
    with opened(choice_of(ctx)) as (project, store):
        try:
            text = redact(deploying.log_of(store, project.settings.deployment, environment, lines))
        except DeploymentError as problem:
            raise fail(str(problem), problem.exits_with) from None
    if as_json:
        print_json({"lines": text.splitlines()})
    else:
        out.print(Text(text.rstrip("\n")), soft_wrap=True)


def _short(commit: str) -> str:
    """A commit's hash in short; the name of a branch or tag as it is, if it is not too long."""
    is_hash = len(commit) >= _SHORT and all(letter in "0123456789abcdef" for letter in commit)
    return commit[:_SHORT] if is_hash else one_line(commit, 40)


def _told(project: Project, asked: Requested, ctx: typer.Context, as_json: bool) -> None:
    pid, start = daemon_pid(project.paths.state), start_command(project, choice_of(ctx))
    if as_json:
        print_json(asked.model_dump(mode="json") | {"running": pid is not None} | ({} if pid else {"start": start}))
        return
    what = "back to" if asked.kind == "rollback" else "gets"
    commit = _short(asked.commit) or "what has landed"
    out.print(f"{asked.task}  {asked.environment} {what} {commit}", markup=False)
    told = f"the daemon (pid {pid}) does it" if pid else f"no daemon runs; start it with: {start}"
    err.print(f"{told}; see: {caller()} deployments show {asked.deployment}", style="dim", markup=False, soft_wrap=True)


def _line(place: EnvironmentNow) -> Text:
    line = Text(f"{place.name} ", style="bold").append(f"({place.target}): ", style="dim")
    live = place.live
    if live is None:
        line.append("nothing is live")
    else:
        line.append(f"{live.commit[:_SHORT]} is live", style="green")
        if live.finished_at:
            line.append(f" since {live.finished_at.astimezone():%Y-%m-%d %H:%M}")
    if place.deploying:
        line.append(f"; {_short(place.deploying.commit) or 'another'}: {deployment_word(place.deploying.status)}")
    return line


def _table(rows: list[Deployment]) -> FittedTable:
    columns = [
        Column("no", right=True), Column("environment"), Column("commit"), Column("status"),
        Column("when", rank=1), Column("detail", 20, rank=2),
    ]  # fmt: skip
    return FittedTable(
        columns,
        [
            (
                str(row.id),
                row.environment,
                _short(row.commit) + (" (back)" if row.kind == "rollback" else ""),
                Text(deployment_word(row.status), style=_STYLES.get(row.status, "")),
                f"{(row.finished_at or row.updated_at).astimezone():%m-%d %H:%M}",
                one_line(redact(row.detail), 200),
            )
            for row in rows
        ],
    )
