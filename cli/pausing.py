"""`pause` and `resume`: the whole team rests, and goes on."""

from __future__ import annotations

import typer

from cli.options import caller, choice_of, err
from cli.project import opened
from owner import actions


def pause(ctx: typer.Context) -> None:
    """Have nobody begin anything more. Steps that run are finished; the pause outlasts restarts."""
    with opened(choice_of(ctx), writes=True) as (_, store):
        actions.pause_everything(store)
    err.print(f"Everything is paused; to let it go on: {caller()} resume", markup=False, soft_wrap=True)


def resume(ctx: typer.Context) -> None:
    """Let everything go on where it was; in quiet hours, too, until they end. Agents paused by name stay so."""
    with opened(choice_of(ctx), writes=True) as (project, store):
        quiet = project.settings.orchestrator.quiet
        until = actions.resume_everything(store, quiet)
    zone = quiet.zone if quiet else None
    told = f", through the quiet hours until {until.astimezone(zone):%H:%M}" if until else ""
    err.print(f"The team goes on{told}.", markup=False)
