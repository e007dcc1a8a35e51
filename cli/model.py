"""`model …`: the embedded model that works without any key."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cli.project import err, fail, load, out, print_json
from cli.tasks import AsJson, _choice
from llm import LLMError, fetch_model, model_status

commands = typer.Typer(help="The embedded model that works without any key.", no_args_is_help=True)


@commands.command("fetch")
def fetch(
    ctx: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Download the embedded model (1.1 GB) once, resuming what was begun, and verify its digest."""
    load(_choice(ctx))
    fetch_with_progress(quiet=quiet)
    status = model_status()
    out.print(f"The embedded model is ready: {status.path}", markup=False, soft_wrap=True)


@commands.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Is the embedded model there, and which server would run it."""
    project = load(_choice(ctx))
    found = model_status(project.settings.llm.local_model_path)
    if as_json:
        print_json(found)
        return
    out.print(f"model   {found.name}", markup=False)
    out.print(f"file    {found.path}  {'ready' if found.ready else 'not there; run: python main.py model fetch'}",
              markup=False, soft_wrap=True)  # fmt: skip
    out.print(f"server  {found.server or 'none; install xllamacpp or put llama-server on the PATH'}", markup=False)


def fetch_with_progress(*, quiet: bool = False) -> None:
    """Fetch the model with a bar on the terminal; one line and exit code 1 when it cannot be had."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=err, disable=quiet) as progress:
            bar = progress.add_task("embedded model", total=None)
            fetch_model(lambda done, total: progress.update(bar, completed=done, total=total))
    except (LLMError, OSError) as problem:
        raise fail(str(problem)) from None
