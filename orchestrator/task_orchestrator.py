"""The daemon's main loop: puts tasks on the agents' queues, watches them, applies commands and wakes the idle CEO."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agents import agent_names
from config import caller
from memory import (
    ANSWER_GATE,
    FailureReason,
    MemoryStore,
    Rest,
    Task,
    TaskStatus,
    TaskType,
    effective_priority,
    queue_priority,
    utc_now,
)
from monitoring import AlertKind, Supervisor, alert, get_logger
from orchestrator.coding.state import CodeState
from orchestrator.engine.engine import Engine, Handler
from orchestrator.engine.failures import LONGEST_PAUSE, passing_trouble, tell
from orchestrator.errors import UnknownFlow
from orchestrator.flows import FlowState
from orchestrator.flows.code_flow import back_to
from orchestrator.flows.stage_runner import WORKABLE, StageRunner
from orchestrator.flows.task_queue import MOST_TASKS, TaskQueue, flow_has_lane, flow_of, stage_job
from orchestrator.flows.waiting import expire_approvals, put_again
from orchestrator.housekeeping import Housekeeping, note_start
from orchestrator.idle.ceo_loop import CEOLoop
from orchestrator.idle.strategy import StrategyReviews
from orchestrator.services import Services

log = get_logger(__name__)

_TICK = 1.0
"""Seconds between two checks for tasks and commands from other processes."""
_LOOK_AGAIN = 30.0
"""Seconds after which the tasks are looked at though the database has not changed: deadlines come nearer."""
_CEO_TICK = 0.1
"""The same while the CEO's job runs, whose end does not wake the loop."""
_STOP_SECONDS = 60.0
"""Seconds that it may take, beside `shutdown_grace`, to stop the model server and to send the last alerts."""
_BROKEN = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED")
"""The engine's words for a job that ended without its result."""


class TaskOrchestrator:
    """Works on all tasks of one project. `run` returns when it is told to stop, or, with `until_idle`, when idle."""

    def __init__(
        self,
        services: Services,
        *,
        until_idle: bool = False,
        supervisor: Supervisor | None = None,
        daily: Callable[[], object] | None = None,
    ) -> None:
        """`daily`: what is done once a day, beside the work."""
        self._services = services
        self._store: MemoryStore = services.store
        self._queue = TaskQueue(services.store, services.wake, services.settings.agents)
        self._until_idle = until_idle
        self._ceo = CEOLoop(services, until_idle=until_idle)
        self._reviews = StrategyReviews(services)
        self._supervisor = supervisor or Supervisor({})
        handlers: dict[str, Handler] = {"stage": StageRunner(services), "ceo": self._ceo, "strategy": self._reviews}
        self._engine = Engine(services.paths.engine_url, handlers, self._supervisor.beat)
        self._housekeeping = Housekeeping(services, self._engine, daily)
        self._queued: set[str] = set()
        self._paused: frozenset[str] = frozenset()
        self._quiet = services.settings.orchestrator.quiet
        self._everybody = frozenset(agent_names(services.settings.agents))
        self._rest: Rest | None = None
        self._is_quiet = False
        self._seen, self._next_look = "", 0.0
        self._workable = 0
        self._begun: list[Task] = []
        self._ceo_job: str | None = None
        self._stopping = threading.Event()
        self._next_check = 0.0
        self._active_since: dict[tuple[str, int], float] = {}
        self._looked_at = time.monotonic()
        self._resting = False

    # -- the public face -------------------------------------------------------------------------------------

    def idle_problem(self) -> str:
        """Why the CEO could not look for work in its last round; empty if it could."""
        return self._ceo.state().problem

    def running(self) -> set[str]:
        """The ids of the tasks that an agent works on now; the others in progress wait for their agent's turn."""
        return {str(job.payload["task"]) for job in self._engine.at_work() if job.kind == "stage"}

    def start(self, patience: float = 0) -> None:
        """Open the engine; jobs that a killed daemon left continue at once. `patience`: see `open_services`."""
        note_start(self._store, self._services.settings)
        self._hold_paused()
        self._engine.start(patience)

    def run(self) -> bool:
        """The main loop: every error is logged, none ends it. True if it ends because nothing is left to do, False if
        it was told to stop. The supervisor's watchdog hears of each round, so that a loop that hangs is noticed.
        """
        self._supervisor.ready()
        woken, pause = True, 0.0
        while not self._stopping.is_set():
            self._services.wake.clear()
            self._supervisor.beat()
            busy = True
            try:
                busy = self._round(woken)
                pause = 0.0
            except Exception as error:  # no error of one round may end the loop
                pause = min(max(_TICK, pause * 2), LONGEST_PAUSE)  # longer with each failure
                self._supervisor.says(f"waits: {error}")
                if kind := passing_trouble(error):
                    self._active_since.clear()
                    tell(kind, error)
                else:
                    log.exception("main loop")
                    alert(AlertKind.CRITICAL, f"main loop: {type(error).__name__}", f"the main loop: {error}")
            if self._until_idle and not busy and self._finished():
                return True
            if pause:
                woken = not self._supervisor.rest(self._stopping, pause)
            else:
                woken = self._services.wake.wait(_CEO_TICK if self._ceo_job and not self._resting else _TICK)
        return False

    def request_stop(self) -> None:
        """Ask the main loop to end; safe in a signal handler."""
        self._stopping.set()
        self._services.wake.set()

    def stop(self) -> bool:
        """Let running steps end within the grace period; True if they did. The rest continues at the next start.

        Model calls that wait for a budget or a provider are abandoned.
        """
        grace = self._services.settings.orchestrator.shutdown_grace
        self._supervisor.stopping(grace + _STOP_SECONDS)
        self._services.llm.stop_waiting()
        return self._engine.stop(grace)

    # -- one round -------------------------------------------------------------------------------------------

    def _round(self, woken: bool) -> bool:
        """Apply commands and dispatch, if anything has changed; at every check interval also handle hung tasks. True
        while there is work."""
        state, now = self._store.state(), time.monotonic()
        if state != self._seen or now >= self._next_look or self._hours_change():
            self._apply_commands()
            self._hold_paused()
            self._workable = self._dispatch()
            self._seen, self._next_look = state, now + _LOOK_AGAIN  # at the end: what failed is done again
        active = self._workable
        checking = time.monotonic() >= self._next_check
        if checking:
            self._next_check = time.monotonic() + self._services.settings.orchestrator.check_interval
            self._stop_hung_tasks()
            self._revive()
            expire_approvals(self._store)
            self._review_strategy()
        if self._ceo_job and (status := self._engine.status(self._ceo_job)) not in ("ENQUEUED", "PENDING"):
            if status in _BROKEN:
                self._ceo.give_up(self._ceo_job)
            self._ceo_job = None
        if not active and self._ceo_job is None and (checking or woken) and "ceo" not in self._paused:
            self._wake_ceo()
        busy = bool(active) or self._ceo_job is not None
        self._resting = busy and self._all_wait()
        self._engine.pace(busy=busy and not self._resting)
        self._supervisor.says(self._in_words(active))
        if checking:
            self._housekeeping.look(busy=busy)
        return busy

    def _in_words(self, tasks: int) -> str:
        if self._rest:
            until = self._rest.until
            return f"quiet hours until {until:%H:%M} UTC" if until else "paused until you resume"
        if self._resting:
            return "waits for a budget, a provider of models, or until you resume an agent"
        if tasks:
            return f"{tasks} {'task' if tasks == 1 else 'tasks'} to do"
        return "looks for work" if self._ceo_job else "nothing to do"

    def _all_wait(self) -> bool:
        """Whether every agent with work is paused or waits for a budget or a provider; the loop may then slow down.
        Tasks for which there is no room yet are nobody's work."""
        waiting = self._services.llm.waiting() | self._paused
        if not waiting:
            return False
        agents = {stage_job(task, 1).agent for task in self._begun} | ({"ceo"} if self._ceo_job else set())
        return agents <= waiting

    def _hold_paused(self) -> None:
        """Take nothing new up for agents that the owner has paused, nor for anybody in quiet hours."""
        self._rest = self._store.paused.rest(self._quiet, utc_now())
        self._paused = self._everybody if self._rest else frozenset(self._store.paused.since())
        self._engine.hold(self._paused)

    def _hours_change(self) -> bool:
        """Whether quiet hours have begun or ended since the last round."""
        until = self._quiet.until(utc_now()) if self._quiet else None
        if (until is not None) is self._is_quiet:
            return False
        self._is_quiet = until is not None
        if until and self._quiet:
            told = f"{until.astimezone(self._quiet.zone):%H:%M}"
            self._store.journal.log("orchestrator", "quiet hours begin", None, until=told)
        else:
            self._store.journal.log("orchestrator", "quiet hours end")
        return True

    def _dispatch(self) -> int:
        """Put the present stage of every task that may be worked on on its agent's queue; how many are workable."""
        for task in self._store.tasks.stranded():
            dead = ", ".join(f"{needed.id} ({needed.status})" for needed in self._store.tasks.dead_dependencies(task))
            told = f"depends on {dead}"
            self._store.tasks.transition(task.id, TaskStatus.BLOCKED, reason=FailureReason.DEPENDENCY, detail=told)
            message = f"{task.title} is blocked: it {told} (`{caller()} approvals list`)"
            alert(AlertKind.OWNER, task.id, message, task=task.id)
        for task in self._store.tasks.revivable():
            self._retry(task, "")
        workable = self._queue.get_workable_tasks()
        active = [task for task in workable if task.status is TaskStatus.IN_PROGRESS]
        pending = [task for task in workable if task.status is TaskStatus.PENDING]
        self._begun = [*active, *self._to_begin(active, pending)]
        for place, task in enumerate(sorted(self._begun, key=lambda task: task.created_at)):
            self._enqueue(task, place)
        return len(workable)

    def _to_begin(self, active: list[Task], pending: list[Task]) -> list[Task]:
        """The `pending` tasks, the most urgent first, that may begin beside the `active` ones: as many as there is room
        for, and all that are more urgent than every active one."""
        now, work = utc_now(), [task for task in pending if not flow_has_lane(task)]
        active = [task for task in active if not flow_has_lane(task)]
        room = max(self._services.settings.orchestrator.max_open_tasks - len(active), 0)
        most_urgent = min((effective_priority(task, now) for task in active), default=0)
        begun = [task for place, task in enumerate(work) if place < room or effective_priority(task, now) < most_urgent]
        return [*begun, *(task for task in pending if flow_has_lane(task))]

    def _enqueue(self, task: Task, place: int) -> None:
        """`place` among the open tasks, oldest first, breaks ties: the engine's clock is too coarse for that."""
        try:
            flow = flow_of(task)
        except UnknownFlow as unknown:
            self._store.tasks.transition(
                task.id, TaskStatus.FAILED, reason=FailureReason.INVALID_OUTPUT, detail=str(unknown)
            )
            return
        position = flow.position(task.stage)
        behind = FlowState.model_validate(task.result).behind
        priority = queue_priority(task, position, len(flow.stages), behind=behind) * MOST_TASKS
        job = stage_job(task, priority + min(place, MOST_TASKS - 1))
        if job.id not in self._queued and job.agent not in self._paused:
            self._engine.enqueue(job)
            self._queued.add(job.id)

    def _wake_ceo(self) -> None:
        job = self._ceo.due()
        if job is not None:
            self._engine.enqueue(job)
            self._ceo_job = job.id

    def _review_strategy(self) -> None:
        job = None if self._until_idle or "ceo" in self._paused else self._reviews.due()
        if job is None:
            return
        if self._engine.status(job.id) in _BROKEN:
            self._reviews.give_up(job.id)
        else:
            self._engine.enqueue(job)

    def _finished(self) -> bool:
        return self._ceo_job is None and self._ceo.exhausted()

    # -- looking after tasks ---------------------------------------------------------------------------------

    def _stop_hung_tasks(self) -> None:
        """Fail tasks that have been active for too long.

        Time without a daemon does not count, nor time spent waiting for the owner, a disk, a database or the task's
        turn, nor time in which the task or its agent waits for a budget or a provider, or its agent is paused.
        """
        if self._engine.waits():
            self._active_since.clear()
        limit, now = self._services.settings.orchestrator.task_timeout, time.monotonic()
        active = {(task.id, task.run): task for task in self._queue.get_active_tasks()}
        waited, pause = self._services.llm.waited(), now - self._looked_at
        self._looked_at = now
        self._active_since = {key: self._active_since.get(key, now) for key in active}
        for key, task in active.items():
            job = stage_job(task, 1)
            if {task.id, job.agent} & (waited | self._paused) or self._engine.status(job.id) == "ENQUEUED":
                self._active_since[key] = min(self._active_since[key] + pause, now)
            if now - self._active_since[key] > limit:
                log.warning("task over its time", task=task.id, limit_seconds=limit)
                self._end(task, TaskStatus.FAILED, FailureReason.TIMEOUT, f"in progress for over {limit:.0f} seconds")

    def _revive(self) -> None:
        """Fail tasks whose job ended without advancing them; they would wait for ever."""
        for task in self._queue.get_active_tasks():
            job = stage_job(task, 1)
            if self._engine.status(job.id) in _BROKEN:
                detail = f"the job {job.id} ended without a result; see the log"
                self._end(task, TaskStatus.FAILED, FailureReason.INTERNAL_ERROR, detail)

    def _end(self, task: Task, to: TaskStatus, reason: FailureReason | None, detail: str) -> bool:
        """End a task from outside: its job stops at the next step, its test runs and model calls at once."""
        moved = self._store.tasks.transition(task.id, to, reason=reason, detail=detail)
        if task.status in WORKABLE:
            self._engine.cancel(stage_job(task, 1).id)
        self._services.sandbox.kill(task.id)
        self._services.llm.give_up(task.id)
        if moved:
            self._store.journal.log("orchestrator", f"task {to}", task.id, title=task.title, detail=detail)
        return moved

    # -- commands from other processes --------------------------------------------------------------------------

    def _apply_commands(self) -> None:
        """Apply the owner's commands. After a kill, or while the database is unavailable, a command stays stored: each
        of them may be applied twice."""
        commands: dict[str, Callable[[Task, str], None]] = {
            "cancel": self._cancel,
            "retry": self._retry,
            "approve": self._approve,
            "replan": self._replan,
        }
        for control in self._store.commands.pending():
            log.info("command", command=control.command, argument=control.argument)
            try:
                if control.command in commands:
                    task_id, _, seen = control.argument.partition(" ")
                    commands[control.command](self._store.tasks.get(task_id), seen)
            except Exception as error:  # a bug must not block the commands behind it
                if passing_trouble(error):
                    raise
                log.exception("command")
                alert(AlertKind.CRITICAL, f"command: {type(error).__name__}", f"{control.command}: {error}")
            self._store.commands.drop(control.id)

    def _cancel(self, task: Task, _: str) -> None:
        self._end(task, TaskStatus.CANCELLED, None, "cancelled by the owner")

    def _retry(self, task: Task, asked: str) -> None:
        if not asked and put_again(self._services, task):
            return
        stage = next((stage for stage in task.reached if stage == asked), None)
        if stage and self._services.git.worktrees.holds(task.id):
            flow = flow_of(task)
            for agent in {flow.agent_for(later, task) for later in flow.stages[flow.position(stage) :]}:
                self._store.evidence.keep_conversation(task.id, task.run, agent, [])
            result = back_to(CodeState.of(task), stage).model_dump(mode="json")
            if self._store.tasks.retry_from(task.id, stage, result):
                self._store.journal.log("orchestrator", "task retried", task.id, title=task.title, stage=stage)
        elif self._store.tasks.retry(task.id):
            self._store.journal.log("orchestrator", "task retried", task.id, title=task.title)

    def _replan(self, task: Task, _: str) -> None:
        if task.type == TaskType.PLAN and self._store.tasks.replan(task.id):
            self._store.journal.log("orchestrator", "planned again", task.id, title=task.title)

    def _approve(self, task: Task, said: str) -> None:
        """Open the gate that the owner saw; `said` names it, with the answer behind it if a question waits there."""
        seen, _, answer = said.partition(" ")
        if task.status is not TaskStatus.WAITING_APPROVAL or (seen and seen != task.approval_key):
            log.info("approval ignored: the task has moved on since", task=task.id, status=task.status.value)
            return
        state = FlowState.model_validate(task.result)
        result = task.result | {"waiting_for": ""}
        if state.waiting_for != ANSWER_GATE:
            result["approved"] = [*state.approved, state.waiting_for]
        elif answer:
            result["owners_answer"] = answer
            self._store.tasks.update(task.id, description=task.answered(state.question, answer))
        else:
            log.info("approval ignored: the task waits for an answer", task=task.id)
            return
        self._store.tasks.transition(
            task.id, TaskStatus.IN_PROGRESS, expect=[TaskStatus.WAITING_APPROVAL], stage=task.stage, result=result
        )
        self._store.journal.log("orchestrator", "approved by the owner", task.id, title=task.title)
