"""What each agent does now, told from facts: running steps, calls that are awaited, the queue. Never from a state that
somebody has to keep up to date."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from agents import ROLES, agent_names
from agents.rows import Role, rows_of
from api.room import Room
from config import Settings
from llm import Lineup, NotConfigured
from memory import Task, UsageRow, utc_now
from monitoring import redact
from orchestrator import UnknownFlow
from orchestrator.flows import FLOWS
from orchestrator.flows.task_queue import flow_of
from owner.history import midnight
from owner.stream import awaited_line, waiting_lines
from owner.words import at_work_on

_MOST_TASKS = 200
_SUCCESS_DAYS = 30


class QueuedTask(BaseModel):
    """A task that waits for its agent."""

    id: str
    title: str
    stage: str
    priority: int


class AgentNow(BaseModel):
    """An agent at this moment."""

    name: str = Field(examples=["developer"])
    role: str
    duty: str
    model: str = Field(description="Empty: none is configured.", examples=["openai:gpt-5"])
    state: Literal["paused", "working", "waiting", "queued", "idle"] = Field(
        description="paused: held back, it only ends its step; working: a step of it runs; waiting: a call of it may "
        "not be made now; queued: it has work that has not begun; idle: it has none."
    )
    task: str | None = Field(description="The task it works on.")
    doing: str = Field(description="The same as a sentence; empty when it does nothing.")
    since: datetime | None = Field(description="Since when the task has been at this stage.")
    paused_since: datetime | None = Field(description="null: it is not paused.")
    awaits: list[str] = Field(description="Model calls without an answer yet, each with its time.")
    why_waiting: list[str]
    queue: list[QueuedTask] = Field(description="What comes next, the most urgent first.")
    attempts: int = Field(description=f"How often its work was tested within {_SUCCESS_DAYS} days.")
    passed: int = Field(description="How often it passed.")
    today: UsageRow | None = Field(description="What it used since midnight UTC; null: nothing.")


def team_of(room: Room) -> list[AgentNow]:
    """All agents, in the order of the registry."""
    running = frozenset(room.running())
    return room.seen.of(("team", running), lambda: _team_of(room, running))


def _team_of(room: Room, running: Collection[str]) -> list[AgentNow]:
    store, now = room.store, utc_now()
    workable = store.tasks.workable(_MOST_TASKS)
    queues: dict[str, list[Task]] = {name: [] for name in room.roles}
    for task in workable:
        queues.setdefault(agent_of(task), []).append(task)
    calls, waiting = store.budgets.calls_in_flight(), store.budgets.waiting_calls()
    usage = {row.key: row for row in room.history.usage("agent", midnight(now))}
    paused = store.paused.since()
    rests = store.paused.rest(room.settings.orchestrator.quiet, now) is not None
    tried = room.history.attempts(midnight(now) - timedelta(days=_SUCCESS_DAYS))
    found = []
    for name, kind in room.roles.items():
        at_work = next((task for task in queues[name] if task.id in running), None)
        mine = [call for call in calls if call.agent == name]
        held = [call for call in waiting if call.agent == name]
        outcomes = _outcomes(tried, name)
        queue = [task for task in queues[name] if at_work is None or task.id != at_work.id]
        working = at_work is not None or bool(mine)
        found.append(
            AgentNow(
                name=name, role=kind.title, duty=kind.duty, model=room.models.get(name, ""),
                state="paused" if rests or name in paused
                else "waiting" if held else "working" if working else "queued" if queue else "idle",
                task=at_work.id if at_work else None,
                doing=at_work_on(at_work) if at_work else "",
                since=at_work.updated_at if at_work else None,
                paused_since=paused.get(name),
                awaits=[redact(awaited_line(call)) for call in mine],
                why_waiting=[redact(line) for line in waiting_lines(held)],
                queue=[
                    QueuedTask(id=task.id, title=task.title, stage=task.stage, priority=task.priority)
                    for task in queue[:50]
                ],
                attempts=sum(outcomes.values()), passed=outcomes.get("passed", 0), today=usage.get(name),
            )
        )  # fmt: skip
    return found


def roles_of(settings: Settings) -> dict[str, Role]:
    """Everybody on the team, in the order in which lists show them. Raises `ConfigError` for a prompt file that cannot
    be read."""
    classes = {name: Role(name, kind.role, kind.duty) for name, kind in ROLES.items()}
    return classes | {name: row for name, row in rows_of(settings.agents).items() if name not in ROLES}


def agent_of(task: Task) -> str:
    """Whose queue the task is in; empty where nobody knows its type."""
    try:
        flow = flow_of(task)
    except UnknownFlow:
        return ""
    return flow.agent_for(flow.stage(task.stage), task)


def _outcomes(tried: dict[str, dict[str, int]], agent: str) -> dict[str, int]:
    """How the attempts at the stages of this agent ended."""
    stages = {stage.name for flow in FLOWS.values() for stage in flow.stages if stage.agent == agent}
    found: dict[str, int] = {}
    for stage in stages:
        for outcome, number in tried.get(stage, {}).items():
            found[outcome] = found.get(outcome, 0) + number
    return found


def models_of(settings: Settings) -> dict[str, str]:
    """The model of each agent, as `provider:name`; those without one are left out."""
    try:
        lineup = Lineup(settings.llm, settings.agents)
        found = {name: lineup.of(name) for name in agent_names(settings.agents)}
    except NotConfigured:
        return {}
    return {name: f"{model.provider}:{model.name}" for name, model in found.items()}
