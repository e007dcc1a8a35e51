"""Runs one stage of one task as a job of the engine, and advances the task when it ends."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from config import caller
from memory import ANSWER_GATE, FailureReason, Task, TaskStatus, utc_now
from monitoring import AlertKind, alert, bound, get_logger
from monitoring.tracing import end_trace, span, trace
from orchestrator.engine.engine import Job, Steps
from orchestrator.engine.failures import outlast
from orchestrator.errors import StageFailed, StepsChanged
from orchestrator.flows import Anew, Done, Flow, FlowState, Next, OwnerAsked, StageContext, Wait
from orchestrator.flows.documents import commit_document
from orchestrator.flows.escalation import STAGE as ESCALATE
from orchestrator.flows.escalation import escalated, is_for_tech_lead, lesson_of_blocked
from orchestrator.flows.task_queue import TaskQueue, flow_of
from orchestrator.services import Services

log = get_logger(__name__)

WORKABLE = (TaskStatus.PENDING, TaskStatus.IN_PROGRESS)
_MOST_ALERTED = 400
"""Characters of a question in an alert."""


class StageRunner:
    """The engine's handler for jobs of the kind `stage`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._queue = TaskQueue(services.store, services.wake)

    def __call__(self, steps: Steps) -> None:
        payload = steps.job.payload
        task = outlast(lambda: self._services.store.tasks.get(str(payload["task"])))
        if not self._is_current(task, steps.job):
            return
        flow = flow_of(task)
        stage = str(payload["stage"])
        with (
            bound(task=task.id, flow=flow.type, stage=stage, attempt=task.run + 1),
            trace(task.trace),
            span(f"stage {stage}", agent=steps.job.agent, task=task.id, flow=flow.type, run=task.run),
        ):
            try:
                self._run_or_fail(flow, task, stage, steps)
            except StepsChanged as changed:
                self._begin_stage_again(task, stage, changed)

    def _is_current(self, task: Task, job: Job) -> bool:
        """False for an outdated job: the task was cancelled or retried, or had advanced before a kill."""
        at = (task.run, FlowState.model_validate(task.result).visit)
        return task.status in WORKABLE and at == (job.payload["run"], job.payload["visit"])

    def _run_or_fail(self, flow: Flow, task: Task, name: str, steps: Steps) -> None:
        """Raises `StepsChanged`, also from the step that records a failure."""
        try:
            self._run(flow, task, name, steps)
        except StepsChanged:
            raise
        except StageFailed as failure:
            steps.step("fail", bool, partial(self._fail, flow, task, name, failure))
        except Exception as error:  # outermost: a bug in a stage must not end the worker
            log.exception("stage failed")
            alert(AlertKind.CRITICAL, f"stage {name}: {type(error).__name__}", f"a bug in the program: {error}")
            broken = StageFailed(FailureReason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
            steps.step("fail", bool, partial(self._fail, flow, task, name, broken))

    def _run(self, flow: Flow, task: Task, name: str, steps: Steps) -> None:
        steps.step("begin", bool, partial(self._begin, task, name))
        context = StageContext(task, name, self._services, steps)
        try:
            outcome = flow.stage(name).run(context)
        except OwnerAsked as asked:
            outcome = Wait(ANSWER_GATE, name, asked.state)
        if isinstance(outcome, Anew):
            steps.step("begin anew", bool, partial(self._begin_anew, task, outcome))
            return
        if isinstance(outcome, Done):
            commit_document(context, outcome.state)
        outcome.state.visit += 1
        if isinstance(outcome, Wait):
            outcome.state.waiting_for = outcome.gate
        steps.step("advance", bool, partial(self._advance, task, name, outcome))

    def _begin_stage_again(self, task: Task, stage: str, changed: StepsChanged) -> None:
        """The stored steps of this job do not fit this version, so the stage begins again as another job.

        Its steps are idempotent: at worst some model calls are made twice.
        """
        log.warning("stage begins again", problem=str(changed))
        visit = FlowState.model_validate(task.result).visit + 1
        result = {**task.result, "visit": visit}
        self._services.store.tasks.transition(
            task.id, TaskStatus.IN_PROGRESS, expect=WORKABLE, run=task.run, stage=stage, result=result
        )
        self._services.wake.set()

    def _begin(self, task: Task, stage: str) -> bool:
        log.info("stage begins", title=task.title)
        return self._services.store.tasks.transition(
            task.id, TaskStatus.IN_PROGRESS, expect=WORKABLE, run=task.run, stage=stage
        )

    def _advance(self, task: Task, stage: str, outcome: Next | Done | Wait) -> bool:
        store, result = self._services.store, outcome.state.model_dump(mode="json")
        if isinstance(outcome, Next):
            moved = store.tasks.transition(
                task.id,
                TaskStatus.IN_PROGRESS,
                expect=[TaskStatus.IN_PROGRESS],
                run=task.run,
                stage=outcome.stage,
                result=result,
            )
        elif isinstance(outcome, Done):
            moved = store.tasks.transition(task.id, TaskStatus.COMPLETED, run=task.run, stage=stage, result=result)
            store.journal.log("orchestrator", "task completed", task.id, title=task.title)
        else:
            question = outcome.state.question if outcome.gate == ANSWER_GATE else ""
            days = self._services.settings.orchestrator.approval_days
            until = utc_now() + timedelta(days=days) if days and not (question or outcome.is_suggestion) else None
            result |= {"expires_at": until.isoformat() if until else "", "suggested": outcome.is_suggestion}
            told = f"waits for the owner: `{caller()} task approve {task.id}`"
            moved = store.tasks.transition(
                task.id,
                TaskStatus.WAITING_APPROVAL,
                run=task.run,
                stage=outcome.stage,
                result=result,
                detail=question or told,
            )
            store.journal.log("orchestrator", "waiting for approval", task.id, gate=outcome.gate, question=question)
            typed = f'inbox answer {task.id} "…"' if question else f"approvals approve {task.id}"
            remedy = f"`{caller()} {typed}`"
            asked = " ".join(question.split())[:_MOST_ALERTED]
            told = f"{asked} Answer with {remedy}" if question else f"waits for {remedy}"
            told += f", until {until:%Y-%m-%d %H:%M} UTC" if until else ""
            if not outcome.is_suggestion:
                alert(AlertKind.OWNER, task.id, f"{task.title}: {told}", task=task.id)
        log.info("stage ends", next=getattr(outcome, "stage", "completed"))
        self._services.wake.set()
        return moved

    def _begin_anew(self, task: Task, outcome: Anew) -> bool:
        if outcome.parts:
            begun = self._queue.submit_parts(task, outcome.parts)
        else:
            begun = self._services.store.tasks.reword(task.id, task.run, outcome.title, outcome.description)
        end_trace(task.trace, f"task {task.type}", task.started_at, utc_now(), task=task.id, run=task.run, anew=True)
        log.info("task begins anew", parts=[part.id for part in outcome.parts])
        self._services.wake.set()
        return begun

    def _fail(self, flow: Flow, task: Task, stage: str, failure: StageFailed) -> bool:
        """End the task, or escalate it to the tech lead first; a blocked task is left to the owner."""
        store = self._services.store
        if is_for_tech_lead(store, flow, task, stage, failure):
            log.info("task is escalated", reason=failure.reason.value, detail=failure.detail)
            result = escalated(task, failure)
            store.tasks.transition(
                task.id, TaskStatus.IN_PROGRESS, expect=WORKABLE, run=task.run, stage=ESCALATE, result=result
            )
            self._services.wake.set()
            return True
        to = TaskStatus.BLOCKED if failure.blocked else TaskStatus.FAILED
        store.tasks.transition(task.id, to, run=task.run, reason=failure.reason, detail=failure.detail)
        store.journal.log(
            "orchestrator", f"task {to}", task.id, title=task.title, reason=failure.reason, detail=failure.detail
        )
        log.warning("task ended", status=to.value, reason=failure.reason.value, detail=failure.detail)
        if failure.blocked:
            self._hand_to_owner(task, failure)
        self._services.wake.set()
        return True

    def _hand_to_owner(self, task: Task, failure: StageFailed) -> None:
        attempts = self._services.store.evidence.attempts(task.id, run=task.run)
        self._services.context.add_lesson(lesson_of_blocked(task, failure.reason, failure.detail, attempts), task.id)
        told = failure.detail.partition("\n")[0].rstrip(":")
        kind = AlertKind.LOOP if failure.reason is FailureReason.LOOP_DETECTED else AlertKind.OWNER
        alert(
            kind,
            task.id,
            f"{task.title} is blocked, {failure.reason}: {told} (`{caller()} approvals list`)",
            task=task.id,
        )
