"""The task queue: tasks enter through it, and it lists the pending and active ones.

Tasks of a plan are added by the step of its flow.

Any process may use it, the daemon and the command line alike: the queue is in the database.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agents import routed
from config import AgentSettings
from memory import MemoryStore, Task, TaskStatus
from orchestrator.engine.engine import Job
from orchestrator.errors import UnknownFlow
from orchestrator.flow import Flow, FlowState
from orchestrator.flows import FLOWS

MOST_TASKS = 1000
"""Open tasks that one round handles; the others wait."""


class TaskQueue:
    """The tasks of one project."""

    def __init__(
        self,
        store: MemoryStore,
        wake: threading.Event | None = None,
        own: Mapping[str, AgentSettings] = MappingProxyType({}),
    ) -> None:
        """`wake` is set for each change: it wakes the main loop of a daemon in this process. `own`: what the owner says
        of roles (`agents` in the configuration)."""
        self._store = store
        self._own = own
        self._wake = wake or threading.Event()

    def submit_task(self, task: Task, by: str) -> bool:
        """Add a task that `by`, an agent or the owner, submits; False if its id is known.

        Raises `UnknownFlow` for a type that no flow handles, and `UnknownTask` for a missing dependency.
        """
        chosen = None
        if not task.assigned_agents and flow_of(task).stages[0].agent is None:
            chosen = routed(task.type, f"{task.title}\n{task.description}", self._own)
            task = task.model_copy(update={"assigned_agents": [*filter(None, [chosen.agent, chosen.reviewer])]})
        added = self._store.tasks.add(task)
        if added:
            self._store.journal.log(by, "task added", task.id, title=task.title, source=task.source)
        if added and chosen:
            self._store.journal.log(
                "orchestrator", "task routed", task.id, to=chosen.agent, reviewer=chosen.reviewer, reason=chosen.reason
            )
        self._wake.set()
        return added

    def submit_parts(self, task: Task, parts: Sequence[Task]) -> bool:
        """Add the tasks that `task`, which is in progress, is split into; it starts again once they are completed.

        All or nothing: False, with nothing added, if this run of the task is no longer in progress.
        """
        for part in parts:
            flow_of(part)
        begun = self._store.tasks.split(task.id, task.run, parts)
        self._wake.set()
        return begun

    def get_active_tasks(self) -> list[Task]:
        """Tasks in progress."""
        return self._store.tasks.select([TaskStatus.IN_PROGRESS], limit=MOST_TASKS)

    def get_pending_tasks(self, limit: int = MOST_TASKS) -> list[Task]:
        """Tasks that may begin, the most urgent first; those that depend on open tasks are left out."""
        return self._store.tasks.ready(limit)

    def get_workable_tasks(self) -> list[Task]:
        """The active tasks, then the pending ones, in one query: a task that moves meanwhile is not missed."""
        return self._store.tasks.workable(limit=MOST_TASKS)


def flow_of(task: Task) -> Flow:
    """The flow that handles `task`. Raises `UnknownFlow`."""
    if task.type not in FLOWS:
        raise UnknownFlow(f"no flow handles tasks of type {task.type}; there are: {', '.join(sorted(FLOWS))}")
    return FLOWS[task.type]


def flow_has_lane(task: Task) -> bool:
    """Whether a task stands beside the agents' other work, so that it takes up no room among it."""
    return task.type in FLOWS and bool(FLOWS[task.type].lane)


def stage_job(task: Task, priority: int) -> Job:
    """The job of the task's present stage. Its id contains run, visit and stage, so none is ever run twice."""
    flow = flow_of(task)
    stage = flow.stage(task.stage)
    visit = FlowState.model_validate(task.result).visit
    return Job(
        id=f"{task.id}.{task.run}.{visit}.{stage.name}",
        agent=flow.agent_for(stage, task),
        kind="stage",
        payload={"task": task.id, "run": task.run, "visit": visit, "stage": stage.name},
        priority=priority,
        lane=flow.lane,
    )
