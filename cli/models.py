"""`agents …` and `model …`: which models the team asks, what these can do, and the embedded model that needs no key."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from cli.project import EXIT_USAGE, AsJson, Commands, Project, choice_of, err, fail, load, opened, out, print_json
from config import ReasoningLevel
from llm import (
    LLMClient,
    LLMError,
    LocalModelServer,
    ModelProfile,
    NotConfigured,
    abilities,
    fetch_model,
    model_status,
)
from memory import MemoryStore

agents_commands = Commands(help="Who is on the team, and what their models can do.", no_args_is_help=True)

model_commands = typer.Typer(help="The embedded model that works without any key.", no_args_is_help=True)


class AgentModel(BaseModel):
    """One agent's model, or one it may escalate to."""

    agent: str
    model: str
    escalation: bool
    abilities: dict[str, bool | int]
    reasoning: ReasoningLevel | None
    """None: the model is not told how much to reason."""
    source: str
    """known | probed | guessed"""
    by_owner: list[str]
    """The abilities that the configuration sets."""


@agents_commands.command("list")
def list_agents(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List each agent's model, its abilities, and how they are known. No model is called."""
    with opened(choice_of(ctx), any_project=True) as (project, store):
        rows = _rows(project, store)
    if as_json:
        print_json(rows)
    else:
        out.print(_table(rows))
        if any(row.source == "guessed" for row in rows) and project.settings.llm.profile == "auto":
            out.print("Guessed abilities are tested with four small calls when the model is first needed.", style="dim")


def _rows(project: Project, store: MemoryStore) -> list[AgentModel]:
    from orchestrator.services import Team  # most of the start-up time; few commands need it

    settings = project.settings
    try:
        llm = LLMClient(settings.llm, settings.agents, store, LocalModelServer(settings.llm.local_model_path))
    except NotConfigured as problem:
        raise fail(str(problem), EXIT_USAGE) from None
    try:
        return [
            _row(
                agent.name,
                llm.profile(agent.name, model, ask=False),
                llm.reasoning(agent.name, model),
                escalation=model is not None,
            )
            for agent in Team(llm)
            for model in (None, *llm.escalations(agent.name))
        ]
    finally:
        llm.close()


def _row(agent: str, profile: ModelProfile, reasoning: ReasoningLevel | None, *, escalation: bool) -> AgentModel:
    return AgentModel(
        agent=agent,
        model=f"{profile.provider}:{profile.model}",
        escalation=escalation,
        abilities=abilities(profile),
        reasoning=reasoning,
        source=profile.source,
        by_owner=list(profile.by_owner),
    )


def _table(rows: list[AgentModel]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("agent", "model", "can", "reasoning", "context", "how this is known"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        able = [name.replace("_", " ") for name, value in row.abilities.items() if value is True]
        told = f"; set by you: {', '.join(row.by_owner)}" if row.by_owner else ""
        table.add_row(
            f"{row.agent}{' (then)' if row.escalation else ''}",
            escape(row.model),
            ", ".join(able) or "-",
            row.reasoning or "-",
            f"{row.abilities['context_tokens']:,}",
            row.source + told,
        )
    return table


@model_commands.command("fetch")
def fetch(
    ctx: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Download the embedded model (1.1 GB) once and verify its digest. An interrupted download is resumed."""
    load(choice_of(ctx))
    fetch_with_progress(quiet=quiet)
    status = model_status()
    out.print(f"The embedded model is ready: {status.path}", markup=False, soft_wrap=True)


@model_commands.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show whether the embedded model is there, and which server would run it."""
    project = load(choice_of(ctx))
    found = model_status(project.settings.llm.local_model_path)
    if as_json:
        print_json(found)
        return
    out.print(f"model   {found.name}", markup=False)
    out.print(f"file    {found.path}  {'ready' if found.ready else 'not there; run: python main.py model fetch'}",
              markup=False, soft_wrap=True)  # fmt: skip
    out.print(f"server  {found.server or 'none; install xllamacpp or put llama-server on the PATH'}", markup=False)


def fetch_with_progress(*, quiet: bool = False) -> None:
    """Download the model with a progress bar; one line and exit code 1 if that fails."""
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
