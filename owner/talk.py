"""What the owner tells an agent, what it answers, and the thread of both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from memory import OWNER, MemoryStore, OwnersWord, Priority, Task, TaskStatus, TaskType, new_task_id
from owner import actions
from owner.errors import NotNow, NotPossible
from owner.words import agent_name, one_line

_MOST_OPEN = 20
"""Messages to one agent that are not answered."""
_MOST_KNOWN = 1000
_UNANSWERED = (TaskStatus.PENDING, TaskStatus.IN_PROGRESS)


class Exchange(BaseModel):
    """Something that the owner told an agent, and its answer."""

    id: str
    """The task by which the agent answers."""
    agent: str
    at: datetime
    said: str
    task: str | None
    """The task that it is about."""
    answer: str
    """Empty: not there yet."""
    answered_at: datetime | None
    status: TaskStatus
    problem: str
    """Why there is no answer."""
    holds: bool
    """Whether it stands in the agent's prompts."""


class Spoken(BaseModel):
    """What came of telling an agent something."""

    message: str = ""
    """The id of the message; empty where it was the answer that a task waited for, or made one be tried again."""
    command: str = ""
    """What the daemon was told to do then."""
    task: str | None = None


def tell(
    store: MemoryStore, agent: str, text: str, team: Sequence[str], about: Task | None = None, by: str = ""
) -> Spoken:
    """Tell an agent something, about one task or about all of its work. Raises `OwnerError`.

    It stands in the agent's next prompt, and is answered. About a task that waits for an answer it is the answer, and
    about one that is blocked or failed it is what it lacked: that task is tried again, as by `inbox answer`.
    """
    actions.must_be_on_the_team(agent, team)
    said = actions.bounded(text)
    if not said:
        raise NotPossible("there is nothing to tell: the text is empty")
    if about is not None and (about.question or about.status in (TaskStatus.BLOCKED, TaskStatus.FAILED)):
        return Spoken(command=actions.approve(store, about, said, by), task=about.id)
    if len([one for one in thread_of(store, agent) if one.status in _UNANSWERED]) >= _MOST_OPEN:
        raise NotNow(f"{agent_name(agent)} has {_MOST_OPEN} messages to answer first", f"chat {agent} --history")
    about_id = about.id if about else None
    task = Task(
        id=new_task_id(), title=one_line(said, 80), description=said, type=TaskType.MESSAGE,
        priority=Priority.HIGH, assigned_agents=[agent], parent_id=about_id,
    )  # fmt: skip
    store.words.keep(agent, OwnersWord(id=task.id, at=task.created_at, text=said, task=about_id or ""))
    store.tasks.add(task)
    store.journal.log(OWNER, "told an agent", task.id, to=agent, said=said, by=by)
    return Spoken(message=task.id, task=about_id)


def thread_of(store: MemoryStore, agent: str = "", limit: int = _MOST_KNOWN) -> list[Exchange]:
    """What was said between the owner and an agent, or all of them, the oldest first; at most the `limit` latest."""
    found = [
        task
        for task in store.tasks.select(type=TaskType.MESSAGE, limit=_MOST_KNOWN)
        if not agent or task.assigned_agents == [agent]
    ]
    held = {name: {word.id for word in store.words.of(name)} for name in {task.assigned_agents[0] for task in found}}
    return [_exchange(task, held[task.assigned_agents[0]]) for task in found[:limit][::-1]]


def exchange(store: MemoryStore, message: str) -> Exchange:
    """One of them by the id of the message."""
    task = store.tasks.get(message)
    return _exchange(task, {word.id for word in store.words.of(task.assigned_agents[0])})


def _exchange(task: Task, held: set[str]) -> Exchange:
    return Exchange(
        id=task.id, agent=task.assigned_agents[0], at=task.created_at, said=task.description, task=task.parent_id,
        answer=str(task.result.get("answer") or ""), answered_at=task.finished_at, status=task.status,
        problem=task.reason_detail, holds=task.id in held,
    )  # fmt: skip


def forget(store: MemoryStore, agent: str, team: Sequence[str], by: str = "") -> int:
    """Take back all that an agent was told; gives how much. The thread stays."""
    actions.must_be_on_the_team(agent, team)
    forgotten = store.words.forget(agent)
    if forgotten:
        store.journal.log(OWNER, "took back what an agent was told", None, to=agent, by=by)
    return forgotten
