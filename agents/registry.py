"""The roles there are. To add one: write its class in a file of this folder, register it here, give it a stage in a
flow. Its name, its title and its duty stand in the class.
"""

from __future__ import annotations

from agents.base import BaseAgent
from agents.ceo import CEOAgent
from agents.developer import DeveloperAgent
from agents.product import ProductAgent
from agents.qa import QAAgent
from agents.tech_lead import TechLeadAgent

ROLES: dict[str, type[BaseAgent]] = {
    CEOAgent.name: CEOAgent,
    ProductAgent.name: ProductAgent,
    QAAgent.name: QAAgent,
    DeveloperAgent.name: DeveloperAgent,
    TechLeadAgent.name: TechLeadAgent,
}
"""Name -> class, in the order in which lists show them."""

PLANNED_ROLES = ("cfo", "risk", "legal", "security")
"""Names of the decision flow. They have no class yet; `config.yaml` may already have settings for them."""


def agent_names() -> list[str]:
    """The names that may stand under `agents:` in `config.yaml`."""
    return list(dict.fromkeys([*ROLES, *PLANNED_ROLES]))
