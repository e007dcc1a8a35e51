"""The agents, made once and found by name."""

from __future__ import annotations

from collections.abc import Iterator

from agents import BaseAgent, CEOAgent, DeveloperAgent, ProductAgent, QAAgent, TechLeadAgent
from llm import LLMClient


class Team:
    """Who works here. To add an agent: write its class in `agents/`, add it here, give it a stage in a flow."""

    def __init__(self, llm: LLMClient) -> None:
        self.ceo = CEOAgent(llm)
        self.product = ProductAgent(llm)
        self.qa = QAAgent(llm)
        self.developer = DeveloperAgent(llm)
        self.tech_lead = TechLeadAgent(llm)

    def __iter__(self) -> Iterator[BaseAgent]:
        yield from (self.ceo, self.product, self.qa, self.developer, self.tech_lead)

    def by_name(self, name: str) -> BaseAgent:
        """The agent of that name. Raises `KeyError` with the names there are."""
        for member in self:
            if member.name == name:
                return member
        raise KeyError(f"no agent {name!r}; there are: {', '.join(member.name for member in self)}")
