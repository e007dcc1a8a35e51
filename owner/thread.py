"""The life of one task: what was said, tried, judged and decided about it, in the order in which it happened."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, JsonValue

from memory import Activity, Decision, MemoryStore, Task
from owner.sentences import sentence
from owner.words import agent_name, one_line

_MOST_LINES = 2_000
MOST_OF_A_MESSAGE = 4_000
"""Characters of what agents write to each other: a thread has it whole."""
_GOOD, _BAD = ("landed", "task completed", "pushed"), ("task failed", "task blocked")


class Entry(BaseModel):
    """Something that happened to a task."""

    at: datetime
    kind: Literal["activity", "attempt", "verdict", "decision"]
    agent: str
    text: str
    """One sentence."""
    stage: str = ""
    run: int | None = None
    """Which run of the task it belongs to; None where nobody wrote it down."""
    details: dict[str, JsonValue] = {}

    @property
    def mark(self) -> Literal["good", "bad", ""]:
        """How it ended; empty for what tells of no end."""
        told = self.details.get("activity")
        match self.kind:
            case "attempt":
                ended = self.details.get("outcome") == "passed"
            case "verdict":
                ended = bool(self.details.get("approved"))
            case "activity" if told in _GOOD or told in _BAD:
                ended = told in _GOOD
            case _:
                return ""
        return "good" if ended else "bad"


def thread_of(store: MemoryStore, task: Task) -> list[Entry]:
    """The thread of a task, the oldest entry first. Of its activity, the latest lines."""
    attempts = [
        Entry(
            at=attempt.created_at, kind="attempt", agent="developer" if attempt.stage == "code" else "",
            text=f"Attempt {attempt.number} of approach {attempt.approach}: {attempt.outcome}, "
            f"{attempt.tests_passed} passed, {attempt.tests_failed} failed",
            stage=attempt.stage, run=attempt.run, details=attempt.model_dump(mode="json", exclude={"task_id"}),
        )
        for attempt in store.evidence.attempts(task.id)
    ]  # fmt: skip
    verdicts = [
        Entry(
            at=verdict.created_at, kind="verdict", agent=verdict.agent,
            text=f"{agent_name(verdict.agent, first=True)} {'accepts' if verdict.approved else 'does not accept'} it "
            f"({verdict.score:g} of 10)" + (f": {'; '.join(map(one_line, verdict.issues))}" if verdict.issues else ""),
            stage=verdict.stage, run=verdict.run, details=verdict.model_dump(mode="json", exclude={"task_id"}),
        )
        for verdict in store.evidence.verdicts(task.id)
    ]  # fmt: skip
    decisions = [
        Entry(
            at=decision.timestamp, kind="decision", agent=decision.agent_name,
            text=f"{agent_name(decision.agent_name, first=True)} decided: {decided(decision)}",
            details=decision.decision_data,
        )
        for decision in store.journal.decisions(task_id=task.id)
    ]  # fmt: skip
    told = {entry.kind for entry in (*attempts, *verdicts)}
    lines = [
        Entry(at=line.timestamp, kind="activity", agent=line.agent_name, text=_told(line),
              details={"activity": line.activity, "id": line.id, **line.details})
        for line in store.journal.latest(_MOST_LINES, task_id=task.id)
        if line.activity not in told and line.activity != "idea decided"  # its row says more
    ]  # fmt: skip
    return sorted([*attempts, *verdicts, *decisions, *lines], key=lambda entry: entry.at)


def _told(line: Activity) -> str:
    return sentence(line, most=MOST_OF_A_MESSAGE) if line.activity == "message" else sentence(line)


def decided(decision: Decision) -> str:
    """What was decided, and why."""
    data = decision.decision_data
    kind = "new task" if decision.decision_type == "task" else decision.decision_type
    what = one_line(data.get("action") or data.get("decision") or kind).replace("_", " ")
    return f"{what}. {one_line(data.get('reason') or data.get('reasons') or '')}".strip()
