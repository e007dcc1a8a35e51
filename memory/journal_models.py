"""What the journal holds: memories, activities, decisions, and commands to the daemon."""

from __future__ import annotations

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


class ControlCommand(Row):
    """A command of another process to the daemon."""

    id: int
    command: str
    argument: str
