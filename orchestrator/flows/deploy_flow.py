"""The life of a deployment: what is to go where, the owner's word, build and upload, the switch, the proof of health.

What fails before the switch changes nothing; what fails after it is taken back. Each effect is one step, and the target
can repeat it, so a daemon that was killed in any of them goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from pydantic import BaseModel

from deployment import PIPELINE, CiCd, EnvironmentBusy, Plan
from memory import DeploymentKind, FailureReason, Task, TaskKind, TaskType
from orchestrator.cut_short import owner_is_over
from orchestrator.errors import StageFailed
from orchestrator.flow import Done, Flow, FlowState, Next, Outcome, Stage, StageContext, Wait

DEPLOY_GATE = "deploy"
_AGENT = "devops"
_SHORT = 12
_LOOK_AGAIN = 1.0
"""Seconds between two looks at an environment that another deployment holds."""


class DeployState(FlowState):
    """How far a deployment is."""

    environment: str = ""
    kind: DeploymentKind = "deploy"
    commit: str = ""
    artifact: dict[str, str] = {}
    """What is there of it already, when it goes back to an earlier version."""
    number: int = 0
    """Of the deployment; 0 before it has begun."""
    waited: int = 0
    """How often it found the environment taken."""
    trouble: str = ""
    """Why it is taken back."""
    pipeline_failed: bool = False
    """It is taken back because the forge's pipeline failed: the developer gets what it printed."""
    health: str = ""
    """The proof that it is live."""


class _Asked(BaseModel):
    """What a deployment is to do, as a step gives it."""

    environment: str
    kind: DeploymentKind
    commit: str
    artifact: dict[str, str]
    needs_approval: bool


class _Checked(BaseModel):
    """How a check of health ended, as a step gives it."""

    healthy: bool
    detail: str


def begin(ctx: StageContext) -> Outcome:
    """[devops] Which commit is to go where; where the environment wants it, the owner's word is waited for."""
    state = DeployState.model_validate(ctx.task.result)
    asked = ctx.step("plan", _Asked, partial(_planned, ctx))
    state.environment, state.kind, state.commit = asked.environment, asked.kind, asked.commit
    state.artifact = asked.artifact
    if asked.needs_approval and DEPLOY_GATE not in state.approved:
        return Wait(DEPLOY_GATE, "prepare", state)
    return Next("prepare", state)


def prepare(ctx: StageContext) -> Outcome:
    """[devops] Take the environment, then build and upload, with no effect on what is live."""
    state = DeployState.model_validate(ctx.task.result)
    number = ctx.step("take", int, partial(_take, ctx, state))
    if not number:
        ctx.step("wait for the environment", bool, _rest)
        state.waited += 1
        return Next("prepare", state)
    state.number = number
    manager = ctx.services.deployment
    try:
        ctx.step("prepare", bool, _does(manager.prepare, number))
    except StageFailed as failure:
        ctx.step("give up", bool, _does(manager.give_up, number, failure.detail))
        ctx.step("note", bool, partial(_tell, ctx, state, "deployment failed", failure.detail))
        raise
    return Next("activate", state)


def activate(ctx: StageContext) -> Outcome:
    """[devops] Make it live."""
    state = DeployState.model_validate(ctx.task.result)
    try:
        ctx.step("activate", bool, _does(ctx.services.deployment.activate, state.number))
    except StageFailed as failure:
        state.trouble = failure.detail
        settings = ctx.services.deployment.settings_of(state.environment)
        state.pipeline_failed = settings.target == CiCd.name and failure.detail.startswith(PIPELINE)
        return Next("roll_back", state)
    return Next("verify", state)


def verify(ctx: StageContext) -> Outcome:
    """[devops] Wait for healthy answers with this version; then it is live, and what it replaces is stopped."""
    state = DeployState.model_validate(ctx.task.result)
    manager = ctx.services.deployment
    try:
        health = ctx.step("health", _Checked, partial(_check, ctx, state))
    except StageFailed as failure:
        health = _Checked(healthy=False, detail=failure.detail)
    if not health.healthy:
        state.trouble = health.detail
        return Next("roll_back", state)
    state.health = health.detail
    ctx.step("finish", bool, _does(manager.finish, state.number, health.detail))
    ctx.step("note", bool, partial(_tell, ctx, state, "deployed", health.detail))
    return Done(state)


def roll_back(ctx: StageContext) -> Outcome:
    """[devops] Return to the version before, and see that it is healthy."""
    state = DeployState.model_validate(ctx.task.result)
    ending = ctx.step("roll back", str, lambda: ctx.services.deployment.roll_back(state.number, state.trouble))
    detail = ctx.step("read the end", str, lambda: ctx.services.store.deployments.get(state.number).detail)
    ctx.step("note", bool, partial(_tell, ctx, state, f"deployment {ending.replace('_', ' ')}", state.trouble))
    if state.pipeline_failed:
        ctx.step("task for the developer", bool, partial(_have_it_mended, ctx, state))
    raise StageFailed(FailureReason.DEPLOYMENT_FAILED, f"{ending.replace('_', ' ')}: {detail}")


DEPLOY_FLOW = Flow(
    TaskType.DEPLOY,
    (
        Stage("begin", _AGENT, begin),
        Stage("prepare", _AGENT, prepare),
        Stage("activate", _AGENT, activate),
        Stage("verify", _AGENT, verify),
        Stage("roll_back", _AGENT, roll_back),
    ),
)


def deploy_landed(ctx: StageContext, environment: str, commit: str) -> str:
    """Have a landed commit deployed; the id of the task that does it. One that waits takes the newer commit instead.

    Repeating it changes nothing.
    """
    store, by = ctx.services.store, "landing"
    task_id = f"{ctx.task.id}-{ctx.task.run}-deploy"[:64]
    if store.deployments.request_of(task_id) is None:
        waiting = store.deployments.redirect(environment, by, commit)
        if waiting and waiting.task_id:
            return waiting.task_id
        store.deployments.request(task_id, environment, commit=commit, by=by)
    task = Task(
        id=task_id,
        title=f"Deploy {commit[:_SHORT]} to {environment}",
        type=TaskType.DEPLOY,
        priority=ctx.task.priority,
        parent_id=ctx.task.id,
        source="landing",
    )
    if store.tasks.add(task):
        store.journal.log("orchestrator", "task added", task.id, title=task.title, source=task.source)
    return task_id


def _planned(ctx: StageContext) -> _Asked:
    """Settle what is deployed: what has landed or was asked for since then is for another deployment."""
    asked = ctx.services.store.deployments.planned(ctx.task.id)
    if asked is None:
        raise StageFailed(FailureReason.INVALID_OUTPUT, "nothing says what to deploy; use `deploy ENVIRONMENT`")
    manager = ctx.services.deployment
    plan = manager.plan(asked.environment, asked.kind, asked.commit, asked.goes_back_to)
    return _Asked(
        environment=plan.environment,
        kind=plan.kind,
        commit=plan.commit,
        artifact=plan.artifact,
        needs_approval=manager.settings_of(plan.environment).approval,
    )


def _take(ctx: StageContext, state: DeployState) -> int:
    """The number of the deployment once the environment is taken; 0 while another task holds it."""
    store, manager = ctx.services.store, ctx.services.deployment
    plan, owner = Plan(state.environment, state.kind, state.commit, state.artifact), f"{ctx.task.id}.{ctx.task.run}"
    while True:
        try:
            number = manager.begin(plan, owner, ctx.task.id)
        except EnvironmentBusy as busy:
            if owner_is_over(store, busy.owner):
                store.deployments.unlock(state.environment, busy.owner)
                continue
            if state.waited * _LOOK_AGAIN > manager.settings_of(state.environment).patience:
                raise
            return 0
        ctx.note("deployment begins", number=number, environment=state.environment, commit=state.commit)
        return number


def _have_it_mended(ctx: StageContext, state: DeployState) -> bool:
    """Make a task of a failed pipeline; False if there is one. What it printed is no word of the owner's."""
    task = Task(
        id=f"{ctx.task.id}-{ctx.task.run}-mend"[:64],
        title=f"Mend what fails in the pipeline of {state.environment}",
        description=(
            f"Commit {state.commit} was deployed to {state.environment} by pushing it, and the pipeline failed. Find "
            f"the cause in the repository and mend it; the version before is live again.\n\n{state.trouble}"
        ),
        type=TaskType.CODE,
        kind=TaskKind.BUGFIX.value,
        priority=ctx.task.priority,
        parent_id=ctx.task.id,
        source="pipeline",
    )
    store = ctx.services.store
    added = store.tasks.add(task)
    if added:
        store.journal.log(ctx.agent, "task added", task.id, title=task.title, source=task.source)
    return added


def _check(ctx: StageContext, state: DeployState) -> _Checked:
    health = ctx.services.deployment.verify(state.number)
    return _Checked(healthy=health.healthy, detail=health.detail)


def _tell(ctx: StageContext, state: DeployState, activity: str, detail: str) -> bool:
    ctx.note(
        activity,
        number=state.number,
        environment=state.environment,
        commit=state.commit,
        kind=state.kind,
        detail=detail,
    )
    return True


def _rest() -> bool:
    time.sleep(_LOOK_AGAIN)
    return True


def _does(action: Callable[..., None], *given: object) -> Callable[[], bool]:
    """An action that gives nothing, as one of a step."""

    def done() -> bool:
        action(*given)
        return True

    return done
