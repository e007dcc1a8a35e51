"""The life of a project: a text becomes a specification, a discussion settles how it is built, and work comes of it.

The specification is checked by code against the text. The architecture is a note below `docs/` that lands as any change
does; the plan becomes tasks that wait for each other. In an empty repository a skeleton comes before all of them. Where
the project manager's model does not judge, code reads the text, and nothing is discussed.
"""

from __future__ import annotations

import hashlib
from functools import partial

from pydantic import BaseModel, JsonValue

from agents import (
    Architecture,
    PlanLimits,
    ProjectPlan,
    Specification,
    faults_of_architecture,
    faults_of_plan,
    faults_of_specification,
    in_turn,
    tasks_of,
)
from agents.plain_project import architecture_by_code, plan_by_code, specification_by_code
from agents.project_note import described, designed, note_of
from file_system import is_test_path, matching_pattern
from memory import FailureReason, Task, TaskKind, TaskType
from orchestrator.coding.tests_judged import PROVEN_BY_TESTS
from orchestrator.errors import StageFailed
from orchestrator.flow import (
    LAND_GATE,
    PLAN_GATE,
    RUN_GATE,
    Done,
    Flow,
    LandingState,
    Next,
    Outcome,
    OwnerAsked,
    Stage,
    StageContext,
    Wait,
)
from orchestrator.flows.discussion import LEADER, Discussion, Question, discuss, settled
from orchestrator.flows.landing import land_commit
from orchestrator.workbench.protected import protected_by_owner, protected_paths
from orchestrator.workbench.skeleton import is_empty, told_of
from orchestrator.workbench.workbench import Opened

_MOST_ASKED = 2
"""Times that the owner is asked what only they know."""
_MOST_TASKS = 12
_KNOWN_TASKS = 2000
_NO_SKELETON = (
    "the text asks for a language whose skeleton no code here makes, and the team's models call no tools, so they "
    "cannot set a project up: give QA and the developer models that do (agents.qa.model, agents.developer.model), or "
    "commit a package with one test yourself, and try it again"
)


class ProjectState(LandingState):
    """What has come of the text so far."""

    specification: Specification | None = None
    by: str = ""
    """Who made it: a model, or code."""
    asked: int = 0
    empty: bool = False
    """Whether the repository has no code yet."""
    repository: str = ""
    """What there is, in words."""
    discussion: Discussion | None = None
    architecture: Architecture | None = None
    plan: ProjectPlan | None = None
    note: str = ""
    """Path of the architecture note."""
    note_left_out: str = ""
    """Why there is none."""
    parts: list[str] = []
    """Ids of its tasks."""


class Found(BaseModel):
    """The repository at the beginning."""

    empty: bool
    told: str


def intake(ctx: StageContext) -> Outcome:
    """[pm] The text becomes a specification; what only the owner can say is asked, all else is assumed in writing."""
    state = ProjectState.model_validate(ctx.task.result)
    if not ctx.services.settings.testing.auto_run and RUN_GATE not in state.approved:
        return Wait(RUN_GATE, "intake", state)
    state.take_answer()  # it stands in the task's words
    found = ctx.step("look at the repository", Found, partial(_look, ctx))
    state.empty, state.repository = found.empty, found.told
    if not ctx.profile_of(ctx.team.by_name(LEADER)).judges:
        state.specification, state.by = specification_by_code(ctx.task), "code"
        return Next("design", state)
    may_ask = state.asked < _MOST_ASKED
    state.specification = settled(
        ctx,
        Question("specification", "specify", {"repository": state.repository, "may_ask": may_ask}),
        Specification,
        lambda answer: faults_of_specification(answer, _words(ctx.task), may_ask=may_ask),
    )
    state.by = LEADER
    if blocking := state.specification.blocking:
        state.asked += 1
        raise OwnerAsked(state, "\n".join(blocking), "")
    ctx.step("record", bool, partial(_record, ctx, "specified", _in_short(state.specification)))
    return Next("discuss", state)


def discuss_it(ctx: StageContext) -> Outcome:
    """[pm] The agents that it needs write to each other about how it is built."""
    state = ProjectState.model_validate(ctx.task.result)
    specification = _known(state)
    state.discussion = discuss(ctx, specification, described(specification), state.repository)
    return Next("design", state)


def design(ctx: StageContext) -> Outcome:
    """[pm] What holds is written down, and cut into tasks; code looks whether anything was left out."""
    state = ProjectState.model_validate(ctx.task.result)
    specification = _known(state)
    if state.by == "code":
        state.architecture = architecture_by_code(specification, ctx.task, is_empty=state.empty)
        state.plan = plan_by_code(specification, state.architecture)
        return Next("publish", state)
    talk = state.discussion or Discussion()
    given = {"specification": described(specification), "repository": state.repository}
    said = {"agenda": talk.agenda, "messages": [each.line for each in talk.said], "concerns": talk.concerns}
    state.architecture = architecture = settled(
        ctx,
        Question("architecture", "architecture", {**given, **said, "is_empty": state.empty}),
        Architecture,
        lambda answer: faults_of_architecture(answer, talk.concerns, is_empty=state.empty),
    )
    kinds = _provable(ctx)
    skeleton = architecture.skeleton
    if skeleton and skeleton.language == "other" and TaskKind.CONFIGURATION not in kinds:
        raise StageFailed(FailureReason.NEEDS_OWNER, _NO_SKELETON, blocked=True)
    told = told_of(skeleton) if skeleton and skeleton.language != "other" else ""
    room = {"most": _MOST_TASKS, "kinds": [kind.value for kind in kinds]}
    state.plan = settled(
        ctx,
        Question("plan", "plan_project", {**given, "architecture": designed(architecture), "skeleton": told, **room}),
        ProjectPlan,
        lambda answer: faults_of_plan(answer, specification, _limits(ctx, kinds)),
    )
    return Next("publish", state)


def publish(ctx: StageContext) -> Outcome:
    """[pm] The architecture note is committed and lands; where the branch has moved on, it is made anew."""
    state = ProjectState.model_validate(ctx.task.result)
    if LAND_GATE not in state.approved or not state.code_commit:
        opened = ctx.step("open worktree", Opened, ctx.bench.open)
        state.note = ctx.step("path of the note", str, partial(_path_of_note, ctx, opened.base))
        if pattern := matching_pattern(state.note, protected_by_owner(ctx.services.settings)):
            state.note_left_out = f"it would be {state.note}, and nobody on the team may write {pattern}"
            state.note = ""
            ctx.step("clean up", bool, ctx.bench.discard)
            return Next("hand_out", state)
        state.code_commit = ctx.step("commit the note", str, partial(_commit, ctx, state, opened.base))
    if ctx.waits_to_land(TaskKind.DOCUMENTATION) and LAND_GATE not in state.approved:
        return Wait(LAND_GATE, "publish", state, is_suggestion=ctx.only_suggests(TaskKind.DOCUMENTATION))
    landed = land_commit(ctx, state, (), "the note")
    if not landed.commit:
        state.code_commit = ""
        return Next("publish", state)
    ctx.step("close worktree", bool, lambda: ctx.bench.close(landed))
    return Next("hand_out", state)


def hand_out(ctx: StageContext) -> Outcome:
    """[pm] The plan becomes tasks; in an empty repository all of them wait for the skeleton."""
    state = ProjectState.model_validate(ctx.task.result)
    if ctx.autonomy() in ("approve_plan", "suggest") and PLAN_GATE not in state.approved:
        return Wait(PLAN_GATE, "hand_out", state, is_suggestion=ctx.autonomy() == "suggest")
    state.parts = ctx.step("submit the plan", list[str], partial(_submit, ctx, state))
    return Done(state)


PROJECT_FLOW = Flow(
    TaskType.PROJECT,
    (
        Stage("intake", LEADER, intake),
        Stage("discuss", LEADER, discuss_it),
        Stage("design", LEADER, design),
        Stage("publish", LEADER, publish),
        Stage("hand_out", LEADER, hand_out),
    ),
)


def _words(task: Task) -> str:
    return f"{task.title}\n{task.description}"


def _known(state: ProjectState) -> Specification:
    assert state.specification is not None
    return state.specification


def _look(ctx: StageContext) -> Found:
    ctx.services.sync(approved=True)
    paths = ctx.commits.paths(ctx.services.git.branch.tip())
    if not is_empty(paths):
        return Found(empty=False, told=ctx.services.overview(ranked=True, about=_words(ctx.task)))
    return Found(empty=True, told=f"It is empty, apart from {', '.join(paths)}." if paths else "It is empty.")


def _provable(ctx: StageContext) -> list[TaskKind]:
    by_tools = ctx.profile_of(ctx.team.qa).tools and ctx.profile_of(ctx.team.developer).tools
    return [kind for kind in TaskKind if by_tools or kind in PROVEN_BY_TESTS]


def _limits(ctx: StageContext, kinds: list[TaskKind]) -> PlanLimits:
    settings = ctx.services.settings

    def unwritable(path: str, kind: TaskKind) -> str:
        if not is_test_path(path) and (pattern := matching_pattern(path, protected_paths(settings, kind))):
            return f"it matches {pattern}, and nobody on the team changes such files in work of the kind {kind.value}"
        return ""

    known = [
        task
        for task in ctx.services.store.tasks.select(limit=_KNOWN_TASKS)
        if task.type == TaskType.CODE and task.parent_id != ctx.task.id
    ]
    return PlanLimits(most=_MOST_TASKS, known=known, kinds=kinds, unwritable=unwritable)


def _path_of_note(ctx: StageContext, base: str) -> str:
    there = {path.lower() for path in ctx.commits.paths(base)}
    first = "docs/architecture.md"
    return first if first not in there else f"docs/architecture-{_digest(ctx.task.id)}.md"


def _commit(ctx: StageContext, state: ProjectState, base: str) -> str:
    assert state.architecture is not None
    assert state.plan is not None
    text = note_of(_known(state), state.architecture, state.plan)
    tree = ctx.bench.tree_with(base, {state.note: text})
    message = f"Write down the architecture of {_known(state).title}"[:100]
    return ctx.commits.commit_code(tree, base, message, LEADER)


def _submit(ctx: StageContext, state: ProjectState) -> list[str]:
    """Add the tasks, each behind those it waits for. Repeating it adds nothing twice."""
    assert state.architecture is not None
    assert state.plan is not None
    store, first = ctx.services.store, _first(ctx.task, state.architecture)
    tasks = [task.model_copy(update={"source": LEADER}) for task in tasks_of(ctx.task, in_turn(state.plan.tasks))]
    if first:
        tasks = [
            first, *(task.model_copy(update={"depends_on": sorted({*task.depends_on, first.id})}) for task in tasks)
        ]  # fmt: skip
    for task in tasks:
        if store.tasks.add(task):
            store.journal.log(LEADER, "task added", task.id, title=task.title, source=task.source)
    _record(ctx, "planned", {"tasks": [task.id for task in tasks], "reason": state.plan.reason})
    return [task.id for task in tasks]


def _first(project: Task, architecture: Architecture) -> Task | None:
    """The task that makes the skeleton; none for a repository that has code."""
    skeleton = architecture.skeleton
    if skeleton is None:
        return None
    what = f"{skeleton.package}: {skeleton.summary}"
    task = Task(
        id=f"{project.id}-{_digest(f'{project.id} {project.run}')}-skeleton"[:64],
        title="Make the skeleton: package, test command, continuous integration",
        description=what,
        type=TaskType.SKELETON,
        priority=project.priority,
        parent_id=project.id,
        source=LEADER,
    )
    if skeleton.language != "other":
        return task
    told = (
        f"{what}\n\nThe repository is empty. Set up the package, the command that runs its tests with one test that "
        "passes, and continuous integration, as is usual for the language of the text."
    )
    return task.model_copy(update={"type": TaskType.CODE, "kind": TaskKind.CONFIGURATION.value, "description": told})


def _record(ctx: StageContext, what: str, data: dict[str, JsonValue]) -> bool:
    """Keep what was settled in the history of decisions, once in a run."""
    journal = ctx.services.store.journal
    known = journal.decisions(decision_type="project", task_id=ctx.task.id)
    if any(each.decision_data.get("key") == f"{ctx.task.run}.{what}" for each in known):
        return False
    key = f"{ctx.task.run}.{what}"
    journal.record_decision(LEADER, "project", {"task": ctx.task.id, "key": key, "action": what, **data})
    return True


def _in_short(found: Specification) -> dict[str, JsonValue]:
    choices: list[JsonValue] = [
        {"question": each.question, "choice": f"Assumed: {each.assumption}"} for each in found.questions
    ]
    return {"title": found.title, "features": len(found.features), "reason": found.goal.says, "choices": choices}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
