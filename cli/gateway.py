"""`gateway …`: the process that owns the services of `durable_objects`, as a service of its own, and what it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.options import AsJson, Commands, choice_of, fail, out
from cli.project import load, print_json
from config import DurableObjectsEnvironment
from config.program import ROOT
from deployment import DeploymentError
from deployment.gateway import client

commands = Commands(help="The process that owns the services of durable_objects.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="Its folder (default: `gateway` of the environments)."),
]


@commands.command("run")
def run(ctx: typer.Context, folder: Folder = None) -> None:
    """Run a gateway until it is told to end, for a service of systemd of its own; it starts what it ran before."""
    for place in _chosen(ctx, folder)[:1]:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "deployment.gateway", str(place)])  # noqa: S606 - no shell


@commands.command("status")
def status(ctx: typer.Context, folder: Folder = None, as_json: AsJson = False) -> None:
    """Show the services of the gateway, what is live in each, and how their calls of each other went."""
    shown: list[dict[str, Any]] = []
    for place in _chosen(ctx, folder):
        try:
            found = client.ask(place, "status")
            calls = client.ask(place, "calls")["pairs"]
        except DeploymentError as problem:
            raise fail(str(problem), problem.exits_with) from None
        shown.append({"folder": str(place), **found, "calls": calls})
    if as_json:
        print_json({"gateways": shown})
        return
    for each in shown:
        out.print(Text(f"gateway {each['folder']} (pid {each['pid']})", style="bold"), soft_wrap=True)
        for one in each["services"]:
            out.print(_line(one), soft_wrap=True)
        for pair in each["calls"]:
            told = f"  {pair['from']} -> {pair['to']}: {pair['calls']} calls, {pair['failed']} failed, "
            out.print(f"{told}p50 {pair['p50_ms']:g} ms, p95 {pair['p95_ms']:g} ms", markup=False, soft_wrap=True)


def _line(one: dict[str, Any]) -> Text:
    live, line = one["live"], Text(f"  {one['service']}: ")
    if live is None:
        return line.append("nothing is live")
    line.append(f"{live['commit'][:12]} at {live['listen']}, ")
    line.append(f"pid {one['pid']}" if one["runs"] else "is down", style="green" if one["runs"] else "red")
    if one["phase"]:
        line.append(f", not settled yet ({one['phase']})")
    return line.append(f", started again {one['restarts']} times" if one["restarts"] else "")


def _chosen(ctx: typer.Context, folder: Path | None) -> list[Path]:
    """The folders that are meant."""
    if folder:
        return [folder.absolute()]
    environments = load(choice_of(ctx)).settings.deployment.environments.values()
    ours = (each for each in environments if isinstance(each, DurableObjectsEnvironment))
    found = dict.fromkeys(each.gateway.absolute() for each in ours if each.provider == "workerd")
    if not found:
        raise fail("no environment of durable_objects with workerd is set; name a gateway with --folder", 2)
    return [*found]
