"""The durable engine: named jobs on one priority queue per agent, whose finished steps are never run again.

The only module that knows DBOS. SQLite must be in WAL mode, the application version must be fixed, results are stored
as JSON, and an agent's queue is a partition of one engine queue, so that an idle daemon polls once for all agents.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, Queue, SetEnqueueOptions, SetWorkflowID
from dbos._error import DBOSAwaitedWorkflowCancelledError, DBOSUnexpectedStepError
from pydantic import JsonValue, TypeAdapter
from sqlalchemy import make_url

from memory import check_writable, compact
from monitoring import AlertKind, alert, bound, get_logger, mask_known, whole_text
from monitoring.tracing import span
from orchestrator.engine.failures import outlast
from orchestrator.errors import StageFailed, StepsChanged, Stopping

log = get_logger(__name__)

Result = TypeVar("Result")

_VERSION = "1"
"""Fixed: DBOS's default, a hash of our source, would strand every queued job at each edit. Raise it only together
with a migration of the jobs in flight."""
_QUEUE = "agents"
_MAX_RECOVERIES = 1000
"""How often a job may be recovered. Every restart of the daemon counts, so this is no guard against crash loops."""
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_AT_ONCE = 500
"""Jobs that are deleted in one transaction."""
_AWAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
_AWAY |= {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_BUSY_POLL, _IDLE_POLL = 0.1, 1.0
"""Seconds between polls of the queue: 0.1 s keeps a stage change short, 1 s idles at under 1 % of a core (measured)."""


@dataclass(frozen=True)
class Job:
    """A piece of work for an agent's queue. The id is its identity: the same id is never run twice."""

    id: str
    agent: str
    kind: str
    payload: dict[str, JsonValue]
    priority: int
    """Lower goes first; never 0, which means `unset` to the engine."""
    lane: str = ""
    """A queue of the agent's beside its own, so that a short job does not wait for a long one."""


class Steps(Protocol):
    """How a job does anything that costs or has an effect."""

    job: Job

    def step(self, name: str, returns: type[Result], action: Callable[[], Result]) -> Result:
        """Run `action` once under `name`; after a restart its stored result is returned instead.

        Names must come in the same order in every run of the job, else `StepsChanged` is raised. A `StageFailed` is
        stored and raised again. The action is repeated while a temporary problem lasts, so it must be repeatable.
        """


Handler = Callable[[Steps], None]
_running: Engine | None = None
"""There is one DBOS per process, and its workflow is a module-level function, which finds the engine here."""


class Engine:
    """Runs jobs, one at a time per agent, until stopped. One per process and, on SQLite, one per file.

    `still_here` is called whenever the store cannot be used and is going to be tried again, without limit.
    """

    def __init__(self, url: str, handlers: dict[str, Handler], still_here: Callable[[], None] = lambda: None) -> None:
        self._url = make_url(url)
        self._stopping = threading.Event()
        self._gate = _Gate(self._stopping)
        self._busy = True
        self._queue: Queue | None = None
        self.file = str(self._url.database) if self._url.get_backend_name() == "sqlite" else None
        self.still_here = still_here
        self._handlers = dict(handlers)
        self._waiting: set[int] = set()
        self._at_work: dict[str, Job] = {}

    def start(self, patience: float = 0) -> None:
        """Open the store, which the caller has claimed, and run what is queued, also by a killed daemon.

        Waits for a store that is locked or read-only, `patience` seconds at most. Raises `DatabaseUnusable`.
        """
        global _running  # noqa: PLW0603  # see there
        _running = self
        if self.file is not None:
            outlast(lambda: check_writable(Path(str(self.file))), limit=patience)
        DBOS(
            config={
                "name": "ai-agents",
                "system_database_url": self._url.render_as_string(hide_password=False),
                "executor_id": "local",
                "application_version": _VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )
        _log_as_ours()
        DBOS.listen_queues([_QUEUE])
        DBOS.launch()
        self._queue = DBOS.register_queue(
            _QUEUE, partition_worker_concurrency=1, polling_interval_sec=_BUSY_POLL, on_conflict="always_update"
        )

    def enqueue(self, job: Job) -> None:
        """Put `job` on its agent's queue, unless its id is known."""
        payload: dict[str, JsonValue] = {"agent": job.agent, "priority": job.priority, "payload": job.payload}
        with (
            SetWorkflowID(job.id),
            SetEnqueueOptions(priority=job.priority, queue_partition_key=f"{job.agent} {job.lane}".strip()),
        ):
            DBOS.enqueue_workflow(_QUEUE, _run_job, job.kind, payload)

    def cancel(self, job_id: str) -> None:
        """Stop a job at its next step; one that has not begun never begins."""
        DBOS.cancel_workflow(job_id)

    def status(self, job_id: str) -> str | None:
        """The engine's status of a job (ENQUEUED, PENDING, SUCCESS, ERROR, CANCELLED); None if the job is unknown."""
        status = DBOS.get_workflow_status(job_id)
        return status.status if status else None

    def forget(self, before: datetime, spared: Callable[[str], bool]) -> int:
        """Delete ended jobs that were created before that moment and are not `spared`, with their steps; how many."""
        old = DBOS.list_workflows(status=_ENDED, end_time=before.isoformat(), load_input=False, load_output=False)
        names = [job.workflow_id for job in old if not spared(job.workflow_id)]
        for start in range(0, len(names), _AT_ONCE):
            DBOS.delete_workflows(names[start : start + _AT_ONCE])
        return len(names)

    def compact(self) -> int:
        """Return the space of deleted jobs to the disk, if it is worth the effort; the number of bytes."""
        return compact(Path(self.file)) if self.file is not None else 0

    def at_work(self) -> list[Job]:
        """The jobs that are run at this moment, one for each agent at most; the others wait for their turn."""
        return list(self._at_work.values())

    def waits(self) -> bool:
        """Whether a step is waiting for a temporary problem to pass; no task is to blame for that time."""
        return bool(self._waiting)

    def hold(self, agents: Collection[str]) -> None:
        """From now on no step of these agents begins, and those of all others do; may be called before `start`."""
        self._gate.hold(agents)

    def pace(self, *, busy: bool) -> None:
        """Poll the queue often while there is work, rarely when there is none."""
        if self._queue is not None and busy != self._busy:
            self._queue.set_polling_interval_sec(_BUSY_POLL if busy else _IDLE_POLL)
            self._busy = busy

    def stop(self, grace: float) -> bool:
        """Begin no further step; wait up to `grace` seconds for running ones. True if all of them ended.

        Unfinished jobs stay in the store and continue at the next start. The caller then ends the process: the
        engine's own threads are not daemonic.
        """
        self._stopping.set()
        return self._gate.wait_until_quiet(grace)

    def run_job(self, job: Job) -> None:
        """Run a job with the handler of its kind."""
        self._at_work[job.id] = job
        try:
            self._handlers[job.kind](_DurableSteps(job, self._gate, self._waiting))
        finally:
            self._at_work.pop(job.id, None)


def _log_as_ours() -> None:
    """Have the engine's own messages go where all others go; that a job was cancelled while it ran is no error."""
    messages = logging.getLogger("dbos")
    messages.handlers, messages.propagate = [], True
    if not any(isinstance(each, _NoErrors) for each in messages.filters):
        messages.addFilter(_NoErrors())


class _NoErrors(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], DBOSAwaitedWorkflowCancelledError))


def forget_jobs(url: str, prefixes: Sequence[str]) -> int:
    """Delete all jobs whose id begins with one of `prefixes`, ended or not, from a store that no daemon uses."""
    if not prefixes:
        return 0
    client = DBOSClient(system_database_url=url, serializer=DBOSPortableJSONSerializer())
    try:
        found = client.list_workflows(workflow_id_prefix=list(prefixes), load_input=False, load_output=False)
        names = [job.workflow_id for job in found]
        for start in range(0, len(names), _AT_ONCE):
            client.delete_workflows(names[start : start + _AT_ONCE])
    finally:
        client.destroy()
    return len(names)


class StoreAway(Exception):
    """The engine's store cannot be written at the moment.

    DBOS retries without limit for one reason only, which it recognizes by the words of the error: a locked database.
    A full or read-only disk is just as temporary, so this error uses the same words.
    """

    def __init__(self, problem: object) -> None:
        super().__init__(f"{problem} (waited for as when the database is locked)")


@sa.event.listens_for(sa.engine.Engine, "handle_error")
def _wait_for_store(context: sa.engine.ExceptionContext) -> None:
    """Turn temporary errors into one that DBOS waits for, and alert the owner."""
    if _running:
        _running.still_here()
    store = _running.file if _running else None
    if context.engine is None or store is None or context.engine.url.database != store:
        return
    cause = context.original_exception
    if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _AWAY:
        alert(AlertKind.DATABASE, "engine store", f"work waits: database {store}: {cause}")
        raise StoreAway(cause) from cause


class _Gate:
    """Counts running steps, and lets none begin once the engine stops, nor those of agents that are held back."""

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self._changed = threading.Condition()
        self._inside = 0
        self._held: frozenset[str] = frozenset()

    def hold(self, agents: Collection[str]) -> None:
        with self._changed:
            self._held = frozenset(agents)
            self._changed.notify_all()

    def wait_for(self, agent: str) -> None:
        """Wait while an agent is held back. Raises `Stopping` if the engine stops meanwhile."""
        with self._changed:
            while agent in self._held:
                if self.stopping.is_set():
                    raise Stopping
                self._changed.wait()

    def __enter__(self) -> None:
        with self._changed:
            if self.stopping.is_set():
                raise Stopping
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def wait_until_quiet(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with self._changed:
            self._changed.notify_all()  # who is held back ends, too
            while self._inside and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._inside


class _DurableSteps:
    def __init__(self, job: Job, gate: _Gate, waiting: set[int]) -> None:
        self.job = job
        self._gate = gate
        self._waiting = waiting

    def step(self, name: str, returns: type[Result], action: Callable[[], Result]) -> Result:
        adapter: TypeAdapter[Result] = TypeAdapter(returns)

        def guarded() -> dict[str, Any]:
            # A failure is a result like any other: stored, so that a replay decides as the first run did.
            with self._gate, span(name, agent=self.job.agent):
                try:
                    result = outlast(action, self._gate.stopping, waiting=self._waiting)
                    return _stored(_masked(adapter.dump_python(result, mode="json")))
                except StageFailed as failure:
                    return {"failed": _masked(failure.as_json())}

        self._gate.wait_for(self.job.agent)  # outside of the step: a job that is cancelled meanwhile does not begin it
        try:
            outcome: dict[str, Any] = DBOS.run_step({"name": name}, guarded)
        except DBOSUnexpectedStepError as error:
            raise StepsChanged(f"job {self.job.id} was begun by another version of this program: {error}") from error
        if "failed" in outcome:
            raise StageFailed.from_json(outcome["failed"])
        return adapter.validate_python(json.loads(outcome["json"]) if "json" in outcome else outcome["value"])


def _stored(value: Any) -> dict[str, Any]:
    """A step's result as the store takes it. Half characters, which names of files that are no UTF-8 hold, are escaped,
    since they have to come back as they were."""
    text = json.dumps(value, ensure_ascii=False)
    return {"value": value} if whole_text(text) == text else {"json": json.dumps(value)}


def _masked(value: Any) -> Any:
    """A step's result as it is stored: the output of a model or a test may contain a secret of the daemon."""
    if isinstance(value, str):
        return mask_known(value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value


@DBOS.workflow(name="run_job", max_recovery_attempts=_MAX_RECOVERIES)
def _run_job(kind: str, job: dict[str, Any]) -> None:
    agent = str(job["agent"])
    thread = threading.current_thread()
    before, thread.name = thread.name, f"agent-{agent}"
    workflow_id = DBOS.workflow_id or ""
    try:
        with bound(agent=agent):
            assert _running is not None
            _running.run_job(Job(workflow_id, agent, kind, job["payload"], int(job["priority"])))
    finally:
        thread.name = before
