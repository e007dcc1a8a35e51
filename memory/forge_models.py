"""What is remembered of an issue or a request at the forge."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, Field

from memory.task_models import Row, UtcTime

ForgeKind: TypeAlias = Literal["issue", "request"]
ForgeStatus: TypeAlias = Literal["stranger", "taken", "over", "open", "merged", "closed"]
"""Of an issue: `stranger` (whoever wrote it may not give the team work), `taken`, `over` (it was closed, or its label
taken away). Of a request: `open`, `merged`, `closed`."""


class Feedback(BaseModel):
    """Something about a request that became work on its task."""

    id: str
    by: str = ""
    """Who wrote it; empty for continuous integration, or for the forge itself."""
    place: str = ""
    """The file and line it is about."""
    text: str


class ThreadState(BaseModel):
    """How far an issue or a request was read, and what was written below it."""

    run: int = 0
    """Of a request: the run of the task whose work it is."""
    label: str = ""
    """The label by which the issue was taken up."""
    words: str = ""
    """A digest of the issue's words as they became the task."""
    updated: str = ""
    """When the forge said that it changed last, as of the last time its comments were read."""
    seen: str = ""
    """That time, as of the last look: forges count in seconds, so only a second look in another one is sure."""
    heard: list[str] = []
    """Comments that were read."""
    said: list[str] = []
    """What was written below it."""
    checked: str = ""
    """The commit whose failed checks became work."""
    merged_as: str = ""
    """The commit on the base branch."""
    feedback: list[Feedback] = []


class ForgeThread(Row):
    """One issue, or one request to merge something."""

    place: str
    """The repository at its forge: elsewhere the same numbers mean other things."""
    kind: ForgeKind
    number: int
    status: ForgeStatus
    task_id: str | None = None
    title: str = ""
    author: str = ""
    url: str = ""
    state: ThreadState = Field(default_factory=ThreadState)
    created_at: UtcTime
    updated_at: UtcTime
