"""What is registered by name: the roles there are, and the names in `config.yaml` that a registry decides on.

To add a role, write its class in a file of this folder, register it here, and give it a stage in a flow. Its name, its
title and its duty stand in the class. Names are checked here, when a command loads the configuration, because `config/`
knows no registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agents.base import BaseAgent
from agents.ceo import CEOAgent
from agents.developer import DeveloperAgent
from agents.product import ProductAgent
from agents.qa import QAAgent
from agents.tech_lead import TechLeadAgent
from config import ConfigError, ConfigProblem, Settings
from testing import FRAMEWORKS

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


@dataclass(frozen=True)
class NameCheck:
    """A setting whose values, or keys, are names from a registry."""

    path: str
    """Where the names stand in `config.yaml`, such as `agents` or `llm.provider`."""
    given: Callable[[Settings], Iterable[str]]
    """The names that the owner wrote."""
    allowed: Callable[[], Sequence[str]]
    """The names that are registered."""
    keys: bool = False
    """Whether the names are the keys of the section `path`."""

    def problems(self, settings: Settings) -> list[ConfigProblem]:
        """One for each name that is not registered."""
        allowed = list(self.allowed())
        words = f"unknown name; allowed: {', '.join(map(repr, allowed))}"
        unknown = [name for name in self.given(settings) if name not in allowed]
        if self.keys:
            return [ConfigProblem(f"{self.path}.{name}", "", words) for name in unknown]
        return [ConfigProblem(self.path, repr(name), words) for name in unknown]


NAME_CHECKS: list[NameCheck] = [
    NameCheck("agents", lambda settings: settings.agents, agent_names, keys=True),
    NameCheck("testing.framework", lambda settings: [settings.testing.framework], lambda: ["auto", *FRAMEWORKS]),
]


def check_names(settings: Settings, source: str) -> None:
    """Raise `ConfigError` for `source`, the configuration file, when `settings` name what is not registered."""
    problems = [problem for check in NAME_CHECKS for problem in check.problems(settings)]
    if problems:
        raise ConfigError(source, problems)


def registered_keys() -> dict[str, Sequence[str]]:
    """Section -> the keys that are allowed in it, for the schema that editors use."""
    return {check.path: check.allowed() for check in NAME_CHECKS if check.keys}
