"""A line of the journal, with the parts that sentences about it are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memory import Activity
from owner.words import agent_name, one_line, quoted


class Line:
    """The parts of one sentence."""

    def __init__(self, activity: Activity, title: str) -> None:
        self.details: Mapping[str, Any] = activity.details
        self.kind, self.id = activity.activity, activity.task_id or ""
        self.title = str(self.details.get("title") or title)
        self.who = agent_name(activity.agent_name, first=True)

    @property
    def it(self) -> str:
        """` for "Clamp"`, or nothing when the reader knows the task."""
        return f" for {quoted(self.title)}" if self.title else ""

    @property
    def task(self) -> str:
        """The task as the subject of a sentence, with its id."""
        return f"{quoted(self.title)} ({self.id})" if self.title else f"The task {self.id}".strip()

    @property
    def that_task(self) -> str:
        """The same within a sentence."""
        return self.task if self.title else f"the task {self.id}".strip()

    def text(self, key: str) -> str:
        return one_line(self.details.get(key) or "")

    def names(self, key: str, most: int = 3) -> str:
        found = self.details.get(key)
        values = [one_line(value, 60) for value in found] if isinstance(found, list) else []
        more = f" and {len(values) - most} more" if len(values) > most else ""
        return ", ".join(values[:most]) + more

    def unknown(self) -> str:
        """A kind nobody wrote a sentence for, with all it has to say."""
        told = "; ".join(f"{key.replace('_', ' ')} {one_line(value)}" for key, value in self.details.items() if value)
        about = f" ({self.id})" if self.id else ""
        return f"{self.who}: {one_line(self.kind.replace('_', ' '))}{about}{told and f': {told}'}"


def because(line: Line, key: str = "reason") -> str:
    """The reason as the end of a sentence; nothing where none is given."""
    return f": {line.text(key)}" if line.text(key) else ""
