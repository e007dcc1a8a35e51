"""The life of a plan: the CEO looks into a vague goal with tools, and what it plans becomes tasks.

A goal that states examples is a task already and is not planned. Nothing is written: the conversation ends with a plan
that code has checked, with the goal reached, or with a question to the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel, JsonValue

from agents import FACTS, PlanAssignment, PlanLimits, problems_of, tasks_of
from agents.answers import Choice
from file_system import is_test_path, matching_pattern
from llm import Turn
from memory import ENDED, FailureReason, Task, TaskKind, TaskStatus, TaskType
from monitoring.waits import is_recent
from orchestrator.coding.conversation import Talk, converse
from orchestrator.coding.project_setup import baseline_of
from orchestrator.coding.tests_judged import PROVEN_BY_TESTS
from orchestrator.errors import StageFailed
from orchestrator.flow import PLAN_GATE, RUN_GATE, Done, Flow, FlowState, Outcome, OwnerAsked, Stage, StageContext, Wait
from orchestrator.services import Services
from orchestrator.workbench.protected import protected_paths
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import AskOwner, FinishPlan, GoalReached
from orchestrator.workbench.workbench import Opened

_STAGE = "plan"
_MOST_ASKED_FOR = 12
"""Tasks of a plan that the owner asked for; those of the CEO's own are bounded by `room_for_own_tasks`."""
_KNOWN_TASKS, _SHOWN_TASKS = 2000, 40
_DAY = 24 * 3600.0


class PlannedPart(BaseModel):
    """A task of a plan, as the plan remembers it."""

    id: str
    title: str
    kind: str
    after: list[str] = []
    """Ids of the tasks that it waits for."""


class PlanState(FlowState):
    """What came of the planning."""

    parts: list[PlannedPart] = []
    choices: list[Choice] = []
    """What the goal leaves open, and what was chosen."""
    proposed: FinishPlan | None = None
    """The plan that waits for the owner."""
    reason: str = ""
    """How the plan serves the goal, or why nothing is left to do."""


def plan(ctx: StageContext) -> Outcome:
    """[ceo] Look into the goal with tools until there is a plan, and submit its tasks."""
    state = PlanState.model_validate(ctx.task.result)
    if not ctx.services.settings.testing.auto_run and RUN_GATE not in state.approved:
        return Wait(RUN_GATE, _STAGE, state)
    if not ctx.profile_of(ctx.team.ceo).tools:
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            "the CEO's model does not call tools, so it cannot look into a goal; give it one that does "
            "(agents.ceo.model), or add the work as tasks",
            blocked=True,
        )
    opened = ctx.step("open worktree", Opened, ctx.bench.open)
    baseline_of(ctx, opened.base)
    most = ctx.step("room", int, partial(_room, ctx))
    if not most:
        told = "the CEO has made as many tasks today as project.tasks_per_day allows; try it again tomorrow"
        raise StageFailed(FailureReason.NEEDS_OWNER, told, blocked=True)
    kinds = _provable(ctx)
    rights = Rights(base=opened.base, may_end=partial(_may_end, ctx, most, kinds), overview=ctx.views.map)
    opening = partial(_opening, ctx, opened.base, most, kinds)
    talk = converse(ctx, ctx.team.ceo, rights, _STAGE, opened.base, opening, state.take_answer())
    ctx.step("clean up", bool, ctx.bench.discard)
    said = _said(state, talk)
    state.reason = said.reason
    if isinstance(said, FinishPlan):
        state.choices = said.choices
        if ctx.autonomy() in ("approve_plan", "suggest"):
            state.proposed = said
            return Wait(PLAN_GATE, "carry_out", state, is_suggestion=ctx.autonomy() == "suggest")
        state.parts = ctx.step("submit the plan", list[PlannedPart], partial(_submit, ctx, said))
    ctx.step("record the plan", bool, partial(_record, ctx, state))
    return Done(state)


def carry_out(ctx: StageContext) -> Outcome:
    """[ceo] Submit the tasks of a plan that the owner has approved."""
    state = PlanState.model_validate(ctx.task.result)
    assert state.proposed is not None
    state.parts = ctx.step("submit the plan", list[PlannedPart], partial(_submit, ctx, state.proposed))
    state.proposed = None
    ctx.step("record the plan", bool, partial(_record, ctx, state))
    return Done(state)


PLAN_FLOW = Flow(TaskType.PLAN, (Stage(_STAGE, "ceo", plan), Stage("carry_out", "ceo", carry_out)))


def room_for_own_tasks(services: Services) -> int:
    """How many tasks the CEO may make now without being asked."""
    project, store = services.settings.project, services.store
    recent = [
        task
        for source in (FACTS, "ceo", "product")
        for type in (TaskType.CODE, TaskType.DECISION)
        for task in store.tasks.select(source=source, type=type, limit=project.tasks_per_day)
        if is_recent(task.created_at.timestamp(), _DAY)
    ]
    return max(min(project.tasks_per_round, project.tasks_per_day - len(recent)), 0)


def _room(ctx: StageContext) -> int:
    return room_for_own_tasks(ctx.services) if ctx.task.source == "ceo" else _MOST_ASKED_FOR


def _provable(ctx: StageContext) -> list[TaskKind]:
    """The kinds of work that the team can prove: without tools, those that failing tests prove."""
    by_tools = ctx.profile_of(ctx.team.qa).tools and ctx.profile_of(ctx.team.developer).tools
    return [kind for kind in TaskKind if by_tools or kind in PROVEN_BY_TESTS]


def _opening(ctx: StageContext, base: str, most: int, kinds: Sequence[TaskKind]) -> Turn:
    known, task = _known(ctx)[:_SHOWN_TASKS], ctx.task
    assignment = PlanAssignment(
        goal=task.description if task.source == "ceo" else f"{task.title}\n\n{task.description}".strip(),
        project=ctx.views.project(base),
        open_tasks=[f"{other.title} ({other.status})" for other in known if other.status not in ENDED],
        past_tasks=[f"{other.title} ({other.status})" for other in known if other.status in ENDED],
        most=most,
        kinds=[kind.value for kind in kinds],
        lessons=ctx.services.lessons(f"{task.title}\n{task.description}"),
        strategy=ctx.services.store.strategy.read().lines,
    )
    return ctx.team.ceo.begin(task, assignment)


def _known(ctx: StageContext) -> list[Task]:
    """All work that was ever asked for, newest first, without plans and without what this plan is made anew for."""
    return [
        task
        for task in ctx.services.store.tasks.select(limit=_KNOWN_TASKS)
        if task.type not in (TaskType.PLAN, TaskType.MESSAGE)
        and not (task.parent_id == ctx.task.id and task.status is TaskStatus.CANCELLED)
    ]


def _may_end(
    ctx: StageContext, most: int, kinds: Sequence[TaskKind], _bench: ToolBench, call: BenchTool
) -> dict[str, JsonValue] | str:
    if not isinstance(call, FinishPlan):
        return {}
    limits = PlanLimits(most=most, known=_known(ctx), kinds=kinds, unwritable=partial(_unwritable, ctx))
    problems = problems_of(call.tasks, limits)
    return "the plan does not hold:\n" + "\n".join(f"- {problem}" for problem in problems) if problems else {}


def _unwritable(ctx: StageContext, path: str, kind: TaskKind) -> str:
    settings = ctx.services.settings
    if not is_test_path(path) and (pattern := matching_pattern(path, protected_paths(settings, kind))):
        return f"it matches {pattern}, and nobody on the team changes such files in work of the kind {kind.value}"
    return ""


def _said(state: PlanState, talk: Talk) -> FinishPlan | GoalReached:
    """What the conversation came to. Raises `OwnerAsked` for a question and `StageFailed` if it came to nothing."""
    end = talk.conclusion
    if end is not None and end.tool == FinishPlan.tool:
        return FinishPlan.model_validate(end.arguments)
    if end is not None and end.tool == GoalReached.tool:
        return GoalReached.model_validate(end.arguments)
    if end is not None and end.tool == AskOwner.tool:
        raise OwnerAsked(state, f"the CEO asks: {end.arguments['question']}", talk.tree)
    if talk.reason == "repeated":
        told = f"the planning went round in circles after {talk.calls} messages"
        raise StageFailed(FailureReason.LOOP_DETECTED, told, blocked=True)
    said = f": {talk.said[:2000]}" if talk.said else ""
    told = f"no plan after {talk.calls} messages and {talk.tokens} tokens ({talk.reason}){said}"
    raise StageFailed(FailureReason.INVALID_OUTPUT, told, blocked=True)


def _submit(ctx: StageContext, said: FinishPlan) -> list[PlannedPart]:
    """Add the tasks, each behind those it waits for. Repeating it adds nothing twice."""
    store, tasks = ctx.services.store, tasks_of(ctx.task, said.tasks)
    for task in tasks:
        if store.tasks.add(task):
            store.journal.log("ceo", "task added", task.id, title=task.title, source=task.source)
            decision: dict[str, JsonValue] = {"task": task.id, "title": task.title, "facts": [], "reason": said.reason}
            store.journal.record_decision("ceo", "task", decision)
    return [PlannedPart(id=task.id, title=task.title, kind=task.kind, after=task.depends_on) for task in tasks]


def _record(ctx: StageContext, state: PlanState) -> bool:
    """Record what was decided, once in a run."""
    journal = ctx.services.store.journal
    known = journal.decisions(decision_type="plan", task_id=ctx.task.id)
    if any(decision.decision_data.get("run") == ctx.task.run for decision in known):
        return False
    action = "planned" if state.parts else "goal reached"
    what: dict[str, JsonValue] = state.model_dump(mode="json", include={"parts", "choices", "reason"})
    journal.record_decision("ceo", "plan", {"task": ctx.task.id, "run": ctx.task.run, "action": action, **what})
    ctx.note(action, tasks=[part.id for part in state.parts], reason=state.reason)
    return True
