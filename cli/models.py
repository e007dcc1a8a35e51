"""`agents …` and `model …`: which models the team asks, what these can do, and the embedded model that needs no key."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.markup import escape

from agents import agent_names
from cli.options import EXIT_USAGE, AsJson, Commands, caller, choice_of, err, fail, help_markup, out
from cli.project import Project, load, opened, print_json
from cli.tables import Column, FittedTable
from config import ReasoningLevel
from llm import (
    LLMClient,
    LLMError,
    LocalModel,
    LocalModelServer,
    Machine,
    ModelProfile,
    ModelStatus,
    NotConfigured,
    abilities,
    fetch_model,
    find_local_model,
    largest_for,
    local_model,
    local_models,
    model_status,
    this_machine,
)
from llm.embedded.local_models import served_model
from llm.providers.openai_compatible import EMBEDDED
from memory import MemoryStore
from owner import actions
from owner.words import count

agents_commands = Commands(help="Who is on the team, and what their models can do.", no_args_is_help=True)

model_commands = typer.Typer(
    help="The embedded models that work without any key.", no_args_is_help=True, rich_markup_mode=help_markup()
)


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
    paused: bool


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


Name = Annotated[str, typer.Argument(metavar="NAME", help="An agent, as `agents list` names it.")]


@agents_commands.command("pause")
def pause(ctx: typer.Context, name: Name) -> None:
    """Have an agent begin nothing more. The step it is in is finished; the pause outlasts restarts."""
    with opened(choice_of(ctx), writes=True) as (project, store):
        actions.pause(store, name, agent_names(project.settings.agents))
    err.print(f"{name} is paused; to let it go on: {caller()} agents resume {name}", markup=False, soft_wrap=True)


@agents_commands.command("resume")
def resume(ctx: typer.Context, name: Name) -> None:
    """Let a paused agent go on where it was."""
    with opened(choice_of(ctx), writes=True) as (project, store):
        actions.resume(store, name, agent_names(project.settings.agents))
    err.print(f"{name} goes on", markup=False)


_SOURCES = {"known": "published", "probed": "tested", "guessed": "a guess"}


def _rows(project: Project, store: MemoryStore) -> list[AgentModel]:
    settings, paused = project.settings, store.paused.since()
    try:
        llm = LLMClient(settings.llm, settings.agents, store, LocalModelServer(local_model(settings.llm)))
    except NotConfigured as problem:
        raise fail(str(problem), EXIT_USAGE) from None
    try:
        return [
            _row(
                agent,
                llm.profile(agent, model, ask=False),
                llm.reasoning(agent, model),
                escalation=model is not None,
                paused=agent in paused,
            )
            for agent in agent_names(settings.agents)
            for model in (None, *llm.escalations(agent))
        ]
    finally:
        llm.close()


def _row(
    agent: str, profile: ModelProfile, reasoning: ReasoningLevel | None, *, escalation: bool, paused: bool
) -> AgentModel:
    return AgentModel(
        agent=agent,
        model=f"{profile.provider}:{profile.model}",
        escalation=escalation,
        abilities=abilities(profile),
        reasoning=reasoning,
        source=profile.source,
        by_owner=list(profile.by_owner),
        paused=paused,
    )


def _table(rows: list[AgentModel]) -> FittedTable:
    columns = [
        Column("agent"), Column("model", least=14), Column("can", least=12, rank=2), Column("reasoning", rank=4),
        Column("context", rank=3, right=True), Column("says who", least=10, rank=1),
    ]  # fmt: skip
    cells = []
    for row in rows:
        able = [name.replace("_", " ") for name, value in row.abilities.items() if value is True]
        told = f"; set by you: {', '.join(row.by_owner)}" if row.by_owner else ""
        local = _embedded(row.model)
        cells.append(
            [
                f"{row.agent}{' (then)' if row.escalation else ' (paused)' if row.paused else ''}",
                row.model,
                ", ".join(able) or "-",
                row.reasoning or "-",
                f"{row.abilities['context_tokens']:,}",
                _SOURCES.get(row.source, row.source) + (f", as {local.name}" if local else "") + told,
            ]
        )
    return FittedTable(columns, cells)


def _embedded(model: str) -> LocalModel | None:
    """The entry of the table of embedded models, for one of them."""
    provider, _, name = model.partition(":")
    return served_model(name) if provider == EMBEDDED.name else None


class ListedModel(BaseModel):
    """A model that can be run here, or that this machine is too small for."""

    name: str
    repository: str
    file: str
    gigabytes: float
    memory_gb: float
    cores: int
    context_tokens: int
    profile: str
    fits: bool
    lacks: str
    """What this machine has too little of."""
    downloaded: bool
    is_auto: bool
    """`llm.local_model: auto` takes it."""
    is_chosen: bool
    """`llm.local_model` of this project means it."""


class ModelList(BaseModel):
    """The models, and the machine that they would run on."""

    memory_gb: float
    cores: int
    models: list[ListedModel]


class ChosenModel(ModelStatus):
    """The state of the model that `llm.local_model` means."""

    local_model: str
    """The setting."""


@model_commands.command("list")
def list_models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the embedded models: what each needs, which fit this machine, are downloaded, and are chosen."""
    settings = load(choice_of(ctx)).settings.llm
    found = _listed(local_model(settings), this_machine())
    if as_json:
        print_json(found)
        return
    columns = [
        Column("model"), Column("file", rank=2, right=True), Column("needs", rank=1),
        Column("context", rank=4, right=True), Column("works as", rank=3), Column("fits", least=12),
        Column("downloaded"), Column("note", rank=1),
    ]  # fmt: skip
    rows = [
        [
            row.name,
            f"{row.gigabytes:g} GB" if row.gigabytes else "?",
            f"{row.memory_gb:g} GB, {count(row.cores, 'core')}" if row.memory_gb else "?",
            f"{row.context_tokens:,}",
            row.profile,
            row.lacks or "yes",
            "yes" if row.downloaded else "no",
            ", ".join(mark for mark, holds in (("auto", row.is_auto), ("chosen", row.is_chosen)) if holds),
        ]
        for row in found.models
    ]
    out.print(FittedTable(columns, rows))
    out.print(f"This machine: {found.memory_gb:.0f} GB of memory, {count(found.cores, 'core')}. The setting "
              "llm.local_model chooses the model.", style="dim", markup=False)  # fmt: skip
    if missing := [row for row in found.models if row.fits and not row.downloaded]:
        wanted = next((row.name for row in missing if row.is_chosen), missing[-1].name)
        out.print(f"To download one: {caller()} model fetch {wanted}", style="dim", markup=False, soft_wrap=True)


def _listed(chosen: LocalModel, machine: Machine) -> ModelList:
    known = [model.name for model in local_models()]
    others = [] if chosen.name in known else [chosen]
    auto = largest_for(machine)
    return ModelList(
        memory_gb=round(machine.memory_gb, 1),
        cores=machine.cores,
        models=[
            ListedModel(
                **model.model_dump(include=set(ListedModel.model_fields)),
                fits=not model.lacks(machine),
                lacks=model.lacks(machine),
                downloaded=_is_ready(model),
                is_auto=model.name == auto.name,
                is_chosen=model.name == chosen.name,
            )
            for model in [*local_models(), *others]
        ],
    )


def _is_ready(model: LocalModel) -> bool:
    try:
        return model_status(model).ready
    except LLMError:  # its pin is damaged; `model status` and `model fetch` say so
        return False


@model_commands.command("fetch")
def fetch(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A model of `model list` or hf:owner/repository/file.gguf; by default llm.local_model."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Download an embedded model once and verify its digest. An interrupted download is resumed."""
    settings = load(choice_of(ctx)).settings.llm
    try:
        model = find_local_model(name) if name else local_model(settings)
    except NotConfigured as problem:
        raise fail(str(problem), EXIT_USAGE) from None
    fetch_with_progress(model, quiet=quiet)
    out.print(f"The embedded model {model.name} is ready: {model.path}", markup=False, soft_wrap=True)
    if model.served_name != local_model(settings).served_name:
        out.print(f"To use it, set in config.yaml: llm.local_model: {model.name}", markup=False, soft_wrap=True)


@model_commands.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show which embedded model is chosen, whether it is there, and which server would run it."""
    settings = load(choice_of(ctx)).settings.llm
    try:
        state = model_status(local_model(settings))
    except LLMError as problem:
        raise fail(str(problem)) from None
    if as_json:
        print_json(ChosenModel(local_model=settings.local_model, **state.model_dump()))
        return
    how = f" (llm.local_model: {settings.local_model})" if settings.local_model != state.name else ""
    out.print(f"model   {state.name}{how}", markup=False, soft_wrap=True)
    there = "ready" if state.ready else f"not there; fetch it with: {caller()} model fetch"
    out.print(f"file    {state.path}  {there}", markup=False, soft_wrap=True)
    if state.ready:
        out.print(f"digest  {state.sha256 or 'not known: nobody but you has checked this file'}", markup=False)
    out.print(f"server  {state.server or 'none; install xllamacpp or put llama-server on the PATH'}", markup=False)


def fetch_with_progress(model: LocalModel, *, quiet: bool = False) -> None:
    """Download the model with a progress bar; one line and exit code 1 if that fails."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=err, disable=quiet) as progress:
            bar = progress.add_task(escape(model.name), total=None)
            fetch_model(model, lambda done, total: progress.update(bar, completed=done, total=total))
    except (LLMError, OSError) as problem:
        raise fail(str(problem)) from None
