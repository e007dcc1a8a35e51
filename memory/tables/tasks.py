"""Tasks: what is to be done, in what order, and how far each one is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from pydantic import JsonValue

from memory.database.database import Database, Query
from memory.database.schema import task_dependencies, tasks
from memory.errors import AmbiguousTask, IllegalTransition, UnknownTask
from memory.task_models import DEADLINE_LADDER, Dependency, RetryStage, Task, TaskStatus, TaskType, utc_now
from monitoring.errors import FailureReason
from monitoring.tracing import end_trace, is_tracing

RETRIABLE = frozenset({TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED})
"""A task with one of these statuses can be put back to pending as a new run."""

ENDED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED})
"""Nothing more happens to a task with one of these statuses, unless the owner retries it or puts it aside."""

OPEN = frozenset({TaskStatus.PENDING, TaskStatus.IN_PROGRESS, TaskStatus.WAITING_APPROVAL})
"""The task goes on by itself, or at the owner's word."""

SOURCES: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: OPEN - {TaskStatus.PENDING},
    TaskStatus.IN_PROGRESS: OPEN - {TaskStatus.IN_PROGRESS},
    TaskStatus.WAITING_APPROVAL: OPEN - {TaskStatus.WAITING_APPROVAL} | {TaskStatus.BLOCKED},
    TaskStatus.COMPLETED: frozenset({TaskStatus.IN_PROGRESS, TaskStatus.WAITING_APPROVAL}),
    TaskStatus.FAILED: OPEN | {TaskStatus.BLOCKED},
    TaskStatus.BLOCKED: OPEN,
    TaskStatus.CANCELLED: OPEN | {TaskStatus.BLOCKED, TaskStatus.FAILED},
}
"""The life of a task: from which statuses each one can be reached. Only `retry` leads back from an end; a failed
task may be cancelled, so that it is no longer listed among those the owner can do something about."""

_DEAD = (TaskStatus.FAILED, TaskStatus.CANCELLED)
_SHOWN_CANDIDATES = 5


class TaskChanges(TypedDict, total=False):
    """What may change beside the status."""

    title: str
    description: str
    kind: str
    priority: int
    deadline: datetime | None
    assigned_agents: list[str]
    stage: str
    result: dict[str, JsonValue]


class TaskTable:
    """The tables `tasks` and `task_dependencies`. Every change of status is one compare-and-set."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, task: Task) -> bool:
        """Store a new task; False if there is one with its id, which is left as it is.

        Raises `UnknownTask` if its parent or a task it depends on does not exist; so there are no cycles.
        """
        row = task.model_dump(exclude={"depends_on"})
        with self._database.write() as connection:
            if not _missing(connection, [task.id]):
                return False
            needed = [*task.depends_on, *([task.parent_id] if task.parent_id else [])]
            if missing := _missing(connection, needed):
                raise UnknownTask(*missing)
            insert = self._database.insert(tasks).values(row).on_conflict_do_nothing(index_elements=["id"])
            added = connection.execute(insert.returning(tasks.c.id)).first() is not None
            if added and task.depends_on:
                edges = [{"task_id": task.id, "depends_on_id": needed_id} for needed_id in task.depends_on]
                connection.execute(task_dependencies.insert(), edges)
            return added

    def get(self, task_id: str) -> Task:
        """The task with exactly this id. Raises `UnknownTask`."""
        with self._database.read() as connection:
            found = _load(connection, _TASKS.where(tasks.c.id == task_id))
        if not found:
            raise UnknownTask(task_id)
        return found[0]

    def find(self, prefix: str) -> Task:
        """The one task whose id begins with `prefix`. Raises `UnknownTask` or `AmbiguousTask`."""
        if not prefix or not prefix.isascii():  # an unset variable of a shell must not mean the only task
            raise UnknownTask(prefix)
        query = _TASKS.where(tasks.c.id.startswith(prefix, autoescape=True)).order_by(tasks.c.id)
        with self._database.read() as connection:
            found = _load(connection, query.limit(_SHOWN_CANDIDATES))
        exact = [task for task in found if task.id == prefix]
        if not found:
            raise UnknownTask(prefix)
        if len(found) > 1 and not exact:
            raise AmbiguousTask(prefix, [task.id for task in found])
        return (exact or found)[0]

    def select(
        self,
        status: Collection[TaskStatus] | None = None,
        *,
        type: TaskType | None = None,
        parent_id: str | None = None,
        source: str | None = None,
        limit: int = 100,
    ) -> list[Task]:
        """Newest first, at most `limit`."""
        query = _TASKS.order_by(tasks.c.created_at.desc(), tasks.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(tasks.c.status.in_(status))
        if type is not None:
            query = query.where(tasks.c.type == type)
        if parent_id is not None:
            query = query.where(tasks.c.parent_id == parent_id)
        if source is not None:
            query = query.where(tasks.c.source == source)
        with self._database.read() as connection:
            return _load(connection, query)

    def ready(self, limit: int = 100, *, now: datetime | None = None) -> list[Task]:
        """Pending tasks whose dependencies are all completed: the most urgent first, then the oldest."""
        query = _TASKS.where(tasks.c.status == TaskStatus.PENDING, ~_waits()).limit(limit)
        with self._database.read() as connection:
            return _load(connection, query.order_by(*_urgency(now)))

    def workable(self, limit: int = 100, *, now: datetime | None = None) -> list[Task]:
        """The tasks in progress, then what `ready` gives.

        It is one statement, so that a task that is begun meanwhile, or becomes ready because another one ends, is in
        one half or the other.
        """
        begun = tasks.c.status == TaskStatus.IN_PROGRESS
        query = _TASKS.where(tasks.c.status.in_((TaskStatus.IN_PROGRESS, TaskStatus.PENDING)), begun | ~_waits())
        with self._database.read() as connection:
            return _load(connection, query.order_by(sa.case((begun, 0), else_=1), *_urgency(now)).limit(limit))

    def stranded(self, limit: int = 100) -> list[Task]:
        """Pending tasks that can never start, because a dependency failed or was cancelled; oldest first."""
        query = (
            _TASKS.where(tasks.c.status == TaskStatus.PENDING, _has_dependency(tasks.c.id, *_DEAD))
            .order_by(tasks.c.created_at, tasks.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return _load(connection, query)

    def dead_dependencies(self, task: Task) -> list[Task]:
        """Those dependencies of `task` that failed or were cancelled."""
        edges = sa.select(task_dependencies.c.depends_on_id).where(task_dependencies.c.task_id == task.id)
        query = _TASKS.where(tasks.c.id.in_(edges), tasks.c.status.in_(_DEAD)).order_by(tasks.c.id)
        with self._database.read() as connection:
            return _load(connection, query)

    def revivable(self, limit: int = 100) -> list[Task]:
        """Tasks that are blocked for a dependency alone and have none that is failed or cancelled now; oldest first."""
        blocked = sa.and_(tasks.c.status == TaskStatus.BLOCKED, tasks.c.reason == FailureReason.DEPENDENCY)
        query = _TASKS.where(blocked, ~_has_dependency(tasks.c.id, *_DEAD)).order_by(tasks.c.created_at, tasks.c.id)
        with self._database.read() as connection:
            return _load(connection, query.limit(limit))

    def unmet(self, task_ids: Collection[str] | None = None) -> dict[str, list[Dependency]]:
        """What each of these tasks, or each pending one, still waits for; those that wait for nothing are left out."""
        needed = tasks.alias("needed")
        asked = sa.select(tasks.c.id).where(tasks.c.status == TaskStatus.PENDING) if task_ids is None else task_ids
        query = (
            sa.select(task_dependencies.c.task_id, needed.c.id, needed.c.title, needed.c.status)
            .select_from(task_dependencies.join(needed, needed.c.id == task_dependencies.c.depends_on_id))
            .where(needed.c.status != TaskStatus.COMPLETED, task_dependencies.c.task_id.in_(asked))
            .order_by(needed.c.created_at, needed.c.id)
        )
        found: dict[str, list[Dependency]] = {}
        with self._database.read() as connection:
            for task_id, *values in connection.execute(query):
                found.setdefault(task_id, []).append(Dependency(id=values[0], title=values[1], status=values[2]))
        return found

    def count_by_status(self, *, without: Collection[str] = ()) -> dict[TaskStatus, int]:
        """How many tasks have each status, also when there are none; those of the types `without` are left out."""
        query = sa.select(tasks.c.status, sa.func.count()).group_by(tasks.c.status)
        if without:  # else the index alone answers it
            query = query.where(tasks.c.type.not_in(without))
        with self._database.read() as connection:
            counts: dict[TaskStatus, int] = dict(connection.execute(query).all())
        return {status: counts.get(status, 0) for status in TaskStatus}

    def update(self, task_id: str, **changes: Unpack[TaskChanges]) -> None:
        """Change a task beside its status. Raises `UnknownTask`."""
        with self._database.write() as connection:
            found = _load(connection, _TASKS.where(tasks.c.id == task_id).with_for_update(of=tasks))
            if not found:
                raise UnknownTask(task_id)
            changed = Task.model_validate(found[0].model_dump() | changes | {"updated_at": utc_now()})
            values = changed.model_dump(include={*changes, "updated_at"})
            connection.execute(tasks.update().where(tasks.c.id == task_id).values(values))

    def transition(
        self,
        task_id: str,
        to: TaskStatus,
        *,
        expect: Collection[TaskStatus] | None = None,
        run: int | None = None,
        reason: FailureReason | None = None,
        detail: str = "",
        stage: str | None = None,
        result: dict[str, JsonValue] | None = None,
    ) -> bool:
        """Compare-and-set of the status; True if this call changed it.

        `expect` are the statuses the task may have now (default: any from which `to` can be reached; `to` itself may
        be named, so that a repeated step succeeds). `run` keeps out late work of an earlier run. `reason` and `detail`
        replace the old ones; `started_at` is set at the first start, `finished_at` at an end.
        Raises `UnknownTask`, and `IllegalTransition` for a change that is not allowed.
        """
        if to is TaskStatus.FAILED and reason is None:
            raise IllegalTransition(f"task {task_id} cannot be failed without a reason; pass a FailureReason")
        expected = _expected(task_id, to, expect)
        values: dict[str, object] = _status_values(to) | {"reason": reason, "reason_detail": detail}
        if stage is not None:
            values["stage"] = stage
        if result is not None:
            values["result"] = result
        with self._database.write() as connection:
            moved = _compare_and_set(connection, task_id, expected, run, values)
        if moved and to in ENDED and is_tracing():
            task = self.get(task_id)
            end_trace(
                task.trace, f"task {task.type}", task.started_at, task.finished_at, task=task.id, kind=task.kind,
                run=task.run, status=task.status, error__type=task.reason,
            )  # fmt: skip
        return moved

    def retry(self, task_id: str) -> bool:
        """Put a failed, blocked or cancelled task back to pending as a new run; False if it has another status.

        From then on it does without those dependencies that failed or were cancelled.
        """
        with self._database.write() as connection:
            return _restart(connection, task_id, RETRIABLE, None, {}) and _let_go_of_the_dead(connection, task_id)

    def retry_from(self, task_id: str, stage: RetryStage, result: dict[str, JsonValue]) -> bool:
        """The same, but it goes on with a stage, in its present run, from what `result` says of the stages before."""
        values: dict[str, object] = {"run": tasks.c.run, "stage": stage, "result": result}
        with self._database.write() as connection:
            return _restart(connection, task_id, RETRIABLE, None, values) and _let_go_of_the_dead(connection, task_id)

    def replan(self, task_id: str) -> bool:
        """Start a completed plan again: its tasks that have not begun are cancelled. False if it is not completed."""
        with self._database.write() as connection:
            if not _restart(connection, task_id, [TaskStatus.COMPLETED], None, {}):
                return False
            unbegun = tasks.update().where(tasks.c.parent_id == task_id, tasks.c.status == TaskStatus.PENDING)
            told = {"reason_detail": f"the owner has {task_id} planned again"}
            connection.execute(unbegun.values(_status_values(TaskStatus.CANCELLED) | told))
            return True

    def reword(self, task_id: str, run: int, title: str, description: str) -> bool:
        """Restart a task in progress in other words; False if that `run` of it is no longer in progress."""
        words: dict[str, object] = {"title": title, "description": description}
        with self._database.write() as connection:
            return _restart(connection, task_id, [TaskStatus.IN_PROGRESS], run, words)

    def split(self, task_id: str, run: int, parts: Sequence[Task]) -> bool:
        """Restart a task in progress once `parts`, new tasks without dependencies, are completed.

        False if that `run` of it is no longer in progress; then nothing is added.
        """
        with self._database.write() as connection:
            if not _restart(connection, task_id, [TaskStatus.IN_PROGRESS], run, {}):
                return False
            connection.execute(tasks.insert(), [part.model_dump(exclude={"depends_on"}) for part in parts])
            edges = [{"task_id": task_id, "depends_on_id": part.id} for part in parts]
            connection.execute(task_dependencies.insert(), edges)
            return True


# Ids hold no comma, so one column can carry them all.
_TASKS = sa.select(
    tasks,
    sa.select(sa.func.aggregate_strings(task_dependencies.c.depends_on_id, ","))
    .where(task_dependencies.c.task_id == tasks.c.id)
    .scalar_subquery()
    .label("depends_on"),
)


def _load(connection: sa.Connection, query: Query) -> list[Task]:
    rows = connection.execute(query).mappings()
    return [
        Task.model_validate({**row, "depends_on": row["depends_on"].split(",") if row["depends_on"] else []})
        for row in rows
    ]


def _urgency(now: datetime | None) -> tuple[sa.ColumnElement[Any], ...]:
    """The order in which tasks are begun: by `effective_priority` as SQL (a test compares the two), then by age."""
    moment, own = now or utc_now(), tasks.c.priority
    demanded = sa.case(*((tasks.c.deadline <= moment + limit, urgent) for limit, urgent in DEADLINE_LADDER), else_=own)
    return sa.case((demanded < own, demanded), else_=own), tasks.c.created_at, tasks.c.id


def _waits() -> sa.ColumnElement[bool]:
    """Whether a dependency of the task is not completed yet."""
    return _has_dependency(tasks.c.id, *OPEN, *RETRIABLE)


def _has_dependency(task_id: sa.ColumnElement[str], *statuses: TaskStatus) -> sa.ColumnElement[bool]:
    """Whether the task has a dependency in one of `statuses`."""
    needed = tasks.alias("needed")
    return (
        sa.select(sa.literal(1))
        .select_from(task_dependencies.join(needed, needed.c.id == task_dependencies.c.depends_on_id))
        .where(task_dependencies.c.task_id == task_id, needed.c.status.in_(statuses))
        .exists()
    )


def _missing(connection: sa.Connection, task_ids: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(task_ids))
    found = set(connection.execute(sa.select(tasks.c.id).where(tasks.c.id.in_(wanted))).scalars())
    return [task_id for task_id in wanted if task_id not in found]


def _expected(task_id: str, to: TaskStatus, expect: Collection[TaskStatus] | None) -> Collection[TaskStatus]:
    possible = SOURCES[to] | {to}
    if expect is None:
        return SOURCES[to]
    if impossible := sorted(set(expect) - possible):
        raise IllegalTransition(
            f"task {task_id} cannot go from {', '.join(impossible)} to {to}; only from "
            f"{', '.join(sorted(SOURCES[to]))} (`task retry` puts an ended task back)"
        )
    return expect


def _status_values(to: TaskStatus) -> dict[str, object]:
    now = utc_now()
    values: dict[str, object] = {"status": to, "updated_at": now, "finished_at": None}
    if to in ENDED:
        values["finished_at"] = sa.case((tasks.c.status == to, tasks.c.finished_at), else_=now)
    if to is TaskStatus.IN_PROGRESS:
        values["started_at"] = sa.func.coalesce(tasks.c.started_at, now)
    return values


def _compare_and_set(
    connection: sa.Connection,
    task_id: str,
    expected: Collection[TaskStatus],
    run: int | None,
    values: dict[str, object],
) -> bool:
    update = tasks.update().where(tasks.c.id == task_id, tasks.c.status.in_(expected)).values(values)
    if run is not None:
        update = update.where(tasks.c.run == run)
    if connection.execute(update).rowcount == 1:
        return True
    if _missing(connection, [task_id]):
        raise UnknownTask(task_id)
    return False


def _let_go_of_the_dead(connection: sa.Connection, task_id: str) -> bool:
    """Take away the dependencies that failed or were cancelled."""
    edges, dead = task_dependencies, sa.select(tasks.c.id).where(tasks.c.status.in_(_DEAD))
    connection.execute(edges.delete().where(edges.c.task_id == task_id, edges.c.depends_on_id.in_(dead)))
    return True


def _restart(
    connection: sa.Connection,
    task_id: str,
    expected: Collection[TaskStatus],
    run: int | None,
    words: dict[str, object],
) -> bool:
    values: dict[str, object] = {
        "status": TaskStatus.PENDING,
        "run": tasks.c.run + 1,
        "reason": None,
        "reason_detail": "",
        "stage": "",
        "result": {},
        "started_at": None,
        "finished_at": None,
        "updated_at": utc_now(),
    }
    return _compare_and_set(connection, task_id, expected, run, values | words)
