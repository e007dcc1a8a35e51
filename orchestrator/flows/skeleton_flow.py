"""The life of a skeleton: what an empty repository begins with is written by code, tested, and lands first."""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel

from agents import Architecture, Skeleton
from memory import FailureReason, TaskType
from orchestrator.baseline import Baseline
from orchestrator.errors import StageFailed
from orchestrator.flow import LAND_GATE, RUN_GATE, Done, Flow, LandingState, Next, Outcome, Stage, StageContext, Wait
from orchestrator.flows.landing import land_commit
from orchestrator.workbench.skeleton import files_of_skeleton, is_empty
from orchestrator.workbench.workbench import Opened

_STAGE, _LAND = "make_skeleton", "land_skeleton"


class SkeletonState(LandingState):
    """The skeleton on its way."""

    tests_ids: list[str] = []


class Made(BaseModel):
    """A commit with the skeleton."""

    commit: str
    passed: list[str]


def make_skeleton(ctx: StageContext) -> Outcome:
    """[devops] Write it, run its tests, commit it. Packages that it needs are for the owner to approve."""
    state = SkeletonState.model_validate(ctx.task.result)
    settings = ctx.services.settings
    if not settings.testing.auto_run and RUN_GATE not in state.approved:
        return Wait(RUN_GATE, _STAGE, state)
    skeleton = ctx.step("read the design", Skeleton, partial(_wanted, ctx))
    opened = ctx.step("open worktree", Opened, ctx.bench.open)
    made = ctx.step("make it", Made, partial(_make, ctx, skeleton, opened.base))
    state.code_commit, state.tests_ids = made.commit, made.passed
    if (skeleton.dependencies or ctx.waits_to_land()) and LAND_GATE not in state.approved:
        return Wait(LAND_GATE, _LAND, state, is_suggestion=not skeleton.dependencies and ctx.only_suggests())
    return Next(_LAND, state)


def land_skeleton(ctx: StageContext) -> Outcome:
    """[devops] Land it; where the branch has moved on, it is made anew."""
    state = SkeletonState.model_validate(ctx.task.result)
    landed = land_commit(ctx, state, state.tests_ids)
    if not landed.commit:
        return Next(_STAGE, state)
    ctx.step("clean up", bool, lambda: ctx.bench.close(landed))
    return Done(state)


SKELETON_FLOW = Flow(TaskType.SKELETON, (Stage(_STAGE, "devops", make_skeleton), Stage(_LAND, "devops", land_skeleton)))


def _wanted(ctx: StageContext) -> Skeleton:
    """The skeleton that the project's architecture names."""
    project = ctx.services.store.tasks.get(ctx.task.parent_id) if ctx.task.parent_id else ctx.task
    design = project.result.get("architecture")
    skeleton = Architecture.model_validate(design).skeleton if design else None
    if skeleton is None or skeleton.language == "other":
        told = "a task of this type belongs to a project whose architecture names a skeleton; see `project start`"
        raise StageFailed(FailureReason.NEEDS_OWNER, told, blocked=True)
    return skeleton


def _make(ctx: StageContext, skeleton: Skeleton, base: str) -> Made:
    deployment = ctx.services.settings.deployment
    there = ctx.commits.paths(base)
    if not is_empty(there):
        told = "the repository is not empty any more, so it gets no skeleton; cancel this task if it is not needed"
        raise StageFailed(FailureReason.CONFLICT, told, blocked=True)
    files = files_of_skeleton(skeleton, there, "" if deployment.type == "none" else deployment.ci_cd_provider)
    tree = ctx.bench.tree_with(base, files)
    message = f"Begin {skeleton.package}: package, tests, continuous integration"
    commit = ctx.commits.commit_code(tree, base, message, ctx.agent)
    found: Baseline = ctx.bench.baseline(commit)
    if found.failed or not found.passed:
        told = "; ".join(failure.evidence for failure in found.failures) or "no test was collected"
        raise StageFailed(FailureReason.TESTS_FAILED, f"the tests of the skeleton do not pass: {told}", blocked=True)
    return Made(commit=commit, passed=found.passed)
