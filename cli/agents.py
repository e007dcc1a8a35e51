"""`agents …`: who is on the team, which models they ask, and what these can do."""

from __future__ import annotations

import typer
from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table

from cli.project import EXIT_USAGE, Project, fail, opened, out, print_json
from cli.tasks import AsJson, _choice
from llm import LLMClient, LocalModelServer, ModelProfile, NotConfigured, abilities
from memory import MemoryStore
from orchestrator.team import Team

commands = typer.Typer(help="Who is on the team, and what their models can do.", no_args_is_help=True)


class AgentModel(BaseModel):
    """One agent's model, or one it may escalate to."""

    agent: str
    model: str
    escalation: bool
    abilities: dict[str, bool | int]
    source: str
    """known | probed | guessed"""
    by_owner: list[str]
    """The abilities that the configuration tells."""


@commands.command("list")
def list_agents(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Each agent's model, what it is taken to be able to do, and how that is known. Asks no model."""
    with opened(_choice(ctx)) as (project, store):
        rows = _rows(project, store)
    if as_json:
        print_json(rows)
    else:
        out.print(_table(rows))
        if any(row.source == "guessed" for row in rows) and project.settings.llm.profile == "auto":
            out.print("A model that is guessed is tried out when it is first needed, by four small calls.", style="dim")


def _rows(project: Project, store: MemoryStore) -> list[AgentModel]:
    settings = project.settings
    try:
        llm = LLMClient(settings.llm, settings.agents, store, LocalModelServer(settings.llm.local_model_path))
    except NotConfigured as problem:
        raise fail(str(problem), EXIT_USAGE) from None
    try:
        return [
            _row(agent.name, llm.profile(agent.name, model, ask=False), escalation=model is not None)
            for agent in Team(llm)
            for model in (None, *llm.escalations(agent.name))
        ]
    finally:
        llm.close()


def _row(agent: str, profile: ModelProfile, *, escalation: bool) -> AgentModel:
    return AgentModel(
        agent=agent,
        model=f"{profile.provider}:{profile.model}",
        escalation=escalation,
        abilities=abilities(profile),
        source=profile.source,
        by_owner=list(profile.by_owner),
    )


def _table(rows: list[AgentModel]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("agent", "model", "can", "context", "how this is known"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        able = [name.replace("_", " ") for name, value in row.abilities.items() if value is True]
        told = f"; told by you: {', '.join(row.by_owner)}" if row.by_owner else ""
        table.add_row(
            f"{row.agent}{' (then)' if row.escalation else ''}",
            escape(row.model),
            ", ".join(able) or "-",
            f"{row.abilities['context_tokens']:,}",
            row.source + told,
        )
    return table
