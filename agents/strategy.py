"""What the CEO knows when it looks at its strategy, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

_Line = Annotated[str, Field(min_length=3, max_length=300)]


class Rejudged(BaseModel):
    """Another priority for a task."""

    task: str = Field(max_length=64)
    priority: Literal["high", "medium", "low"]
    reason: str = Field(min_length=5, max_length=300)


class StrategyReview(BaseModel):
    """The strategy in its new words."""

    goals: list[_Line] = Field(max_length=5, description="What is to be reached next, in order.")
    bets: list[_Line] = Field(max_length=5, description="What you count on though nobody knows yet, and how it shows.")
    learnt: list[_Line] = Field(max_length=8, description="What the past has taught, that changes what you do.")
    priorities: list[Rejudged] = Field(default_factory=list, max_length=20)


@dataclass(frozen=True)
class Outlook:
    """What the CEO knows when it looks at its strategy."""

    goal: str
    strategy: Sequence[str]
    """As it was until now, line by line."""
    own: Sequence[str]
    """Open tasks whose priority it may change."""
    others: Sequence[str]
    """Open tasks of the owner."""
    past: Sequence[str]
    decided: Sequence[str]
