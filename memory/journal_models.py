"""What the journal holds: memories, activities, decisions, and commands to the daemon."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from memory.task_models import Row, UtcTime


class Memory(Row):
    """One thing an agent remembers."""

    agent: str
    key: str
    value: JsonValue
    created_at: UtcTime
    updated_at: UtcTime


class Activity(Row):
    """One line of the stream that the command line, the API and the dashboard read."""

    id: int
    agent_name: str
    activity: str
    task_id: str | None
    details: dict[str, JsonValue]
    timestamp: UtcTime


class Decision(Row):
    """A decision and what led to it."""

    id: int
    agent_name: str
    decision_type: str
    decision_data: dict[str, JsonValue]
    timestamp: UtcTime


class Rest(Row):
    """Why nobody on the team begins anything."""

    kind: Literal["paused", "quiet"]
    """paused: by the owner, until they say otherwise; quiet: by the hours of the configuration."""
    since: UtcTime | None = None
    until: UtcTime | None = None


class Strategy(Row):
    """What the CEO goes by, and when it looks at that again."""

    goals: list[str] = []
    """What is to be reached next, in order."""
    bets: list[str] = []
    """What it counts on though nobody knows yet."""
    learnt: list[str] = []
    number: int = 0
    """How often it was looked at."""
    reviewed_at: UtcTime | None = None
    next_at: float = 0.0
    """Unix time before which it is not looked at again."""
    situation: str = ""
    """Digest of what it was made from."""
    setbacks: str = ""
    """Digest of what went wrong until then: when more does, priorities are judged anew earlier."""

    @property
    def lines(self) -> list[str]:
        """All of it, line by line; none before the first review."""
        named = (("goal", self.goals), ("bet", self.bets), ("learnt", self.learnt))
        return [f"{name}: {text}" for name, texts in named for text in texts]


class OwnersWord(Row):
    """Something that the owner told an agent and that still holds."""

    id: str
    """That of the task by which the agent answers."""
    at: UtcTime
    text: str
    task: str = ""
    """The task that it is about; empty: all of the agent's work."""


class ControlCommand(Row):
    """A command of another process to the daemon."""

    id: int
    command: str
    argument: str
