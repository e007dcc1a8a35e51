"""`alerts …`: is the owner reached when he is needed?"""

from __future__ import annotations

import typer
from pydantic import BaseModel

from cli.project import EXIT_FAILED, EXIT_USAGE, Project, fail, load, out, print_json
from cli.tasks import AsJson, _choice
from monitoring import AlertSender, get_logger, open_channels, receive_alerts

log = get_logger(__name__)

commands = typer.Typer(help="Who is told when the owner is needed.", no_args_is_help=True)


class Tried(BaseModel):
    """How the test of one service ended; without `problem` the message was taken."""

    service: str
    problem: str


@commands.command("test")
def test(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Send one message to each of `monitoring.alerts.urls` and tell what happened. Exit code 1 when one failed."""
    project = load(_choice(ctx))
    channels, problems = open_channels(project.settings.monitoring.alerts.urls)
    if not channels and not problems:
        raise fail("no address is set; put one into monitoring.alerts.urls (https://appriseit.com)", EXIT_USAGE)
    tried = [
        Tried(service=channel.name, problem=channel.send(_whose(project), "a test; no action is needed"))
        for channel in channels
    ]
    if as_json:
        print_json([*tried, *(Tried(service="", problem=problem) for problem in problems)])
    else:
        for one in tried:
            out.print(f"{one.service}: {one.problem or 'sent'}", markup=False)
        for problem in problems:
            out.print(problem, markup=False)
    if problems or any(one.problem for one in tried):
        raise typer.Exit(EXIT_FAILED)


def start_alerts(project: Project) -> AlertSender | None:
    """From now on alerts are sent to whom the configuration names; None when it names nobody."""
    settings = project.settings.monitoring.alerts
    channels, problems = open_channels(settings.urls)
    for problem in problems:
        log.error("alerts cannot be sent there", problem=problem)
    if not channels:
        return None
    project.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    sender = AlertSender(settings, channels, project.paths.state / "alerts.json", title=_whose(project))
    receive_alerts(sender)
    return sender


def _whose(project: Project) -> str:
    return f"({project.paths.state.name})"
