"""The agents, made once and found by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from agents import ROLES, BaseAgent, CEOAgent, DeveloperAgent, ProductAgent, QAAgent, TechLeadAgent
from llm import LLMClient

_Agent = TypeVar("_Agent", bound=BaseAgent)


class Team:
    """Who works here: one agent for each registered role. Those that flows call by their own methods have a field."""

    def __init__(self, llm: LLMClient) -> None:
        self._members = {name: agent(llm) for name, agent in ROLES.items()}
        self.ceo = self._member(CEOAgent)
        self.product = self._member(ProductAgent)
        self.qa = self._member(QAAgent)
        self.developer = self._member(DeveloperAgent)
        self.tech_lead = self._member(TechLeadAgent)

    def __iter__(self) -> Iterator[BaseAgent]:
        yield from self._members.values()

    def by_name(self, name: str) -> BaseAgent:
        """The agent of that name. Raises `KeyError` with the names there are."""
        if name not in self._members:
            raise KeyError(f"no agent {name!r}; there are: {', '.join(self._members)}")
        return self._members[name]

    def _member(self, kind: type[_Agent]) -> _Agent:
        member = self._members[kind.name]
        assert isinstance(member, kind)
        return member
