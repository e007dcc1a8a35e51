"""Who is on the team, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agents.rows import ROWS
from config import AgentSettings

PLACES = {
    "ceo": "agents.ceo:CEOAgent",
    "product": "agents.product:ProductAgent",
    "qa": "agents.qa:QAAgent",
    "developer": "agents.developer:DeveloperAgent",
    "tech_lead": "agents.tech_lead:TechLeadAgent",
}
"""Name -> module and class of the roles that have one, in the order in which lists show them."""


def agent_names(own: Mapping[str, AgentSettings] | None = None) -> list[str]:
    """Everybody on the team: roles with a class, roles that are data, and those that an owner adds (`agents` in
    `config.yaml`)."""
    added: Iterable[str] = (name for name, settings in (own or {}).items() if settings.duty)
    return list(dict.fromkeys([*PLACES, *ROWS, *added]))
