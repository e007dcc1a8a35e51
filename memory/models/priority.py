"""Who goes first: a task's own priority, moved up by its deadline, and later stages before earlier ones.

The rule is written twice, for Python and for SQL, from one ladder; a test holds the two against each other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from memory.database.schema import tasks
from memory.models.tasks import Priority, Task, utc_now

DEADLINE_LADDER = (
    (timedelta(0), int(Priority.HIGH)),
    (timedelta(hours=24), 3),
    (timedelta(days=7), int(Priority.MEDIUM)),
)
"""(time left, the priority a task has at least): overdue 1, within a day 3, within a week 5."""

_STAGE_SPAN = 100
"""Room for the stages of a flow between two priorities."""


def effective_priority(task: Task, now: datetime) -> int:
    """1 (first) to 10: the task's priority, or the one its deadline demands if that is more urgent."""
    if task.deadline is None:
        return task.priority
    left = task.deadline - now
    return min([task.priority, *(demanded for limit, demanded in DEADLINE_LADDER if left <= limit)])


def queue_priority(task: Task, stage_index: int, stages: int, now: datetime | None = None, *, behind: int = 0) -> int:
    """The engine's integer priority of a stage, from 1; lower goes first.

    Between tasks of equal effective priority the one with fewer stages left goes first: finish before you start.
    `stage_index` counts from 0, `stages` is how many the flow has (at most 100). `behind` moves the stage back by so
    many places, though never behind a task of a lower priority.
    """
    if not 0 <= stage_index < stages <= _STAGE_SPAN:
        raise ValueError(f"stage {stage_index} of {stages}: the index must lie in 0..{stages - 1}, stages in 1..100")
    place = min(stages - stage_index + max(behind, 0), _STAGE_SPAN)
    return (effective_priority(task, now or utc_now()) - 1) * _STAGE_SPAN + place


def effective_priority_column(now: datetime) -> sa.ColumnElement[int]:
    """`effective_priority` as SQL over the table `tasks`."""
    own = tasks.c.priority
    demanded = sa.case(*((tasks.c.deadline <= now + limit, urgent) for limit, urgent in DEADLINE_LADDER), else_=own)
    return sa.case((demanded < own, demanded), else_=own)
