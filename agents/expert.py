"""A role that is data."""

from __future__ import annotations

from typing import Self

from agents.base import BaseAgent
from agents.rows import Role
from llm import LLMClient


class Expert(BaseAgent):
    """An agent whose role is a row: what it answers, every role can answer."""

    def __init__(self, llm: LLMClient, row: Role, model: str | None = None) -> None:
        super().__init__(llm, model)
        self.row = row
        self.name = row.name
        self.role = row.title
        self.duty = f"{row.duty}\n{row.prompt}".strip()
        self.vetoes = row.vetoes

    def with_model(self, model: str) -> Self:
        return type(self)(self.llm, self.row, model or None)
