"""What is the case: the inbox, the team, the ledger and its limits, the activity stream, decisions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from agents import agent_names
from api.access import AnOperator, AViewer
from api.errors import NotThere
from api.paging import Before, Limit, Page, number_of, paged
from api.problems import problems
from api.room import Room, TheRoom
from api.team import AgentNow, team_of
from config import VERSION
from memory import Activity, Decision, LimitState, Rest, Strategy, TaskStatus, UsageRow, utc_now
from monitoring import daemon_pid
from owner import actions, talk
from owner.inbox import Inbox, inbox_of
from owner.sentences import sentence
from owner.talk import Exchange, Spoken

router = APIRouter(prefix="/api/v1", responses=problems(401, 403, 422, 503))


class Line(Activity):
    """A line of the activity stream, and what it says."""

    sentence: str


class Overview(BaseModel):
    """The state of the project at a glance."""

    version: str
    repository: str
    goal: str
    running: bool = Field(description="Whether the daemon holds the project's lock.")
    pid: int | None
    tasks: dict[TaskStatus, int]
    stopped: int = Field(description="How many tasks wait for you.")
    listeners: int = Field(description="How many streams are open.")
    rest: Rest | None = Field(description="Why nobody begins anything; null: they do.")


@router.get("/status", summary="The state at a glance", tags=["overview"])
def status(room: TheRoom, _: AViewer) -> Overview:
    """Counts of tasks, and whether the daemon runs."""
    counts, pid = room.seen.of("counts", room.store.tasks.count_by_status), daemon_pid(room.paths.state)
    frame = room.frame(counts)
    return Overview(
        version=VERSION, repository=frame.repository, goal=room.settings.project.goal, running=pid is not None, pid=pid,
        tasks=counts, stopped=frame.waiting, listeners=room.hub.listeners,
        rest=room.store.paused.rest(room.settings.orchestrator.quiet, utc_now()),
    )  # fmt: skip


@router.get("/inbox", summary="What waits for you", tags=["overview"])
def inbox(room: TheRoom, _: AViewer, limit: Limit = 50) -> Inbox:
    """Tasks that stopped, each with why, the evidence and what you can do; limits of the budget; outages; landed work
    to merge."""
    return room.seen.of(("inbox", limit), lambda: inbox_of(room.store, room.settings.budget, room.git, limit))


@router.get("/agents", summary="The team", tags=["agents"])
def agents(room: TheRoom, _: AViewer) -> list[AgentNow]:
    """What each agent does now, what waits for it, and how often it succeeds."""
    return team_of(room)


@router.get("/agents/{name}", summary="One agent", tags=["agents"], responses=problems(404))
def agent(name: str, room: TheRoom, _: AViewer) -> AgentNow:
    """The same of one."""
    _must_be_there(name, room)
    return next(each for each in team_of(room) if each.name == name)


@router.post("/agents/{name}/pause", summary="Hold an agent back", tags=["agents"], responses=problems(404, 409))
def pause(name: str, room: TheRoom, visitor: AnOperator) -> AgentNow:
    """It finishes the step it is in and begins nothing more, over restarts, too."""
    _must_be_there(name, room)
    actions.pause(room.store, name, agent_names(room.settings.agents), visitor.name)
    room.wake()
    return agent(name, room, visitor)


@router.post("/agents/{name}/resume", summary="Let an agent go on", tags=["agents"], responses=problems(404, 409))
def resume(name: str, room: TheRoom, visitor: AnOperator) -> AgentNow:
    """It goes on where it was."""
    _must_be_there(name, room)
    actions.resume(room.store, name, agent_names(room.settings.agents), visitor.name)
    room.wake()
    return agent(name, room, visitor)


@router.post("/pause", summary="Hold everybody back", tags=["overview"], responses=problems(409))
def pause_all(room: TheRoom, visitor: AnOperator) -> Overview:
    """Steps that run are finished; nothing new is begun until it is resumed, over restarts, too."""
    actions.pause_everything(room.store, visitor.name)
    room.wake()
    return status(room, visitor)


@router.post("/resume", summary="Let everybody go on", tags=["overview"], responses=problems(409))
def resume_all(room: TheRoom, visitor: AnOperator) -> Overview:
    """In quiet hours, too, until they end. Agents that are paused by name stay so."""
    actions.resume_everything(room.store, room.settings.orchestrator.quiet, visitor.name)
    room.wake()
    return status(room, visitor)


@router.get("/strategy", summary="What the CEO goes by", tags=["activity"])
def strategy(room: TheRoom, _: AViewer) -> Strategy:
    """Its goals, what it counts on, and what was learnt; empty before the first review."""
    return room.store.strategy.read()


class Words(BaseModel):
    """What you tell an agent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Use dataclasses."}]})

    text: str = Field(min_length=1, max_length=actions.MOST_NOTE)
    task: str | None = Field(None, description="The task that it is about; null: all of its work.")


@router.post("/agents/{name}/tell", status_code=202, summary="Tell an agent something", tags=["agents"],
             responses=problems(404, 409))  # fmt: skip
def tell(name: str, words: Words, room: TheRoom, visitor: AnOperator) -> Spoken:
    """It stands in the agent's next prompt as your word, and is answered: the answer is in the thread. About a task
    that waits for your answer it is the answer; one that is blocked or failed is tried again with it."""
    _must_be_there(name, room)
    about = room.store.tasks.get(words.task) if words.task else None
    done = talk.tell(room.store, name, words.text, agent_names(room.settings.agents), about, visitor.name)
    room.wake()
    return done


@router.get("/agents/{name}/thread", summary="What you and an agent said", tags=["agents"], responses=problems(404))
def agent_thread(name: str, room: TheRoom, _: AViewer, limit: Limit = 50) -> list[Exchange]:
    """The latest messages, oldest first, with the answers that are there."""
    _must_be_there(name, room)
    return talk.thread_of(room.store, name, limit)


@router.get("/usage", summary="The ledger", tags=["costs"])
def usage(
    room: TheRoom,
    _: AViewer,
    by: Annotated[Literal["day", "agent", "model", "task"], Query(description="What it is summed up by.")] = "day",
    since: Annotated[date | None, Query(description="From this day (UTC) on.")] = None,
    task: Annotated[str | None, Query(description="Only for this task.")] = None,
) -> list[UsageRow]:
    """Model calls, tokens and money. Days newest first, others by tokens."""
    begin = datetime.combine(since, time(), UTC) if since else None
    if task is not None:
        return room.store.ledger.usage(by, since=begin, task_ids=[task])
    return room.history.usage(by, begin)


@router.get("/limits", summary="Limits of the budget", tags=["costs"])
def limits(room: TheRoom, _: AViewer) -> list[LimitState]:
    """How much of each is used and reserved. Of agents and tasks, those that used any."""
    names = agent_names(room.settings.agents)
    states = room.seen.of("limits", lambda: room.store.budgets.limit_states(room.settings.budget, agents=names))
    return [state for state in states if state.scope != "agent_day" or state.share > 0]


@router.get("/activity", summary="The activity stream", tags=["activity"])
def activity(
    room: TheRoom,
    _: AViewer,
    agent: str | None = None,
    task: str | None = None,
    limit: Limit = 50,
    before: Before = None,
) -> Page[Line]:
    """Newest first; /api/v1/events goes on where it ends."""
    found = room.store.browse.activity(limit + 1, before, agent=agent, task_id=task)
    return paged([Line(**line.model_dump(), sentence=sentence(line)) for line in found], limit, number_of)


@router.get("/decisions", summary="What was decided, and why", tags=["activity"])
def decisions(
    room: TheRoom,
    _: AViewer,
    type: Annotated[str | None, Query(description="Only of this type.")] = None,
    limit: Limit = 50,
    before: Before = None,
) -> Page[Decision]:
    """Newest first."""
    return paged(room.store.browse.decisions(limit + 1, before, kind=type), limit, number_of)


def _must_be_there(name: str, room: Room) -> None:
    if name not in agent_names(room.settings.agents):
        raise NotThere(f"no agent is called {name[:64]!r}; /api/v1/agents lists them")
