"""Who is on the team, by name."""

from __future__ import annotations

PLACES = {
    "ceo": "agents.ceo:CEOAgent",
    "product": "agents.product:ProductAgent",
    "qa": "agents.qa:QAAgent",
    "developer": "agents.developer:DeveloperAgent",
    "tech_lead": "agents.tech_lead:TechLeadAgent",
}
"""Name -> module and class, in the order in which lists show them."""

PLANNED_ROLES = ("cfo", "risk", "legal", "security")
"""Names of the decision flow. They have no class yet; `config.yaml` may already have settings for them."""


def agent_names() -> list[str]:
    """The names that may stand under `agents:` in `config.yaml`."""
    return list(dict.fromkeys([*PLACES, *PLANNED_ROLES]))
