"""The life of a decision: a V-team gives its opinions on an idea, each by criteria of its own, and the CEO decides.

Each opinion is a task of its own, so they are formed at the same time. A veto can be overruled by nobody but the owner.
What is approved becomes tasks; what is rejected is remembered, and does not come back unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import partial
from typing import Literal

from pydantic import JsonValue

from agents import (
    Expert,
    GivenOpinion,
    Hearing,
    IdeaDecision,
    LabelledObjection,
    faults_of_decision,
    seats,
)
from memory import OPEN, Decision, FailureReason, Task, TaskStatus, TaskType, UnknownTask
from orchestrator.errors import StageFailed
from orchestrator.flow import PLAN_GATE, Anew, Done, Flow, FlowState, Next, Outcome, Stage, StageContext, Wait
from orchestrator.flows.opinion_flow import OpinionState, heading_of, must_judge, until_it_holds

VETO_GATE = "veto"
DECISION = "idea"
"""The type of these decisions in the history."""
_MOST_REVISIONS = 2
_REMEMBERED = 1000
"""Decisions in which a rejected idea is looked for."""
_UNCHANGED, _COMPARED = 0.95, 2000
"""How alike two ideas are that count as the same, and how many of their characters are compared."""


class DecisionState(FlowState):
    """What was decided on an idea."""

    outcome: Literal["", "approved", "rejected", "rejected before", "asked already"] = ""
    decision: IdeaDecision | None = None
    opinions: list[str] = []
    """The tasks of the opinions."""
    parts: list[str] = []
    """The tasks that were made of it."""
    reasons: str = ""
    veto: str = ""
    """What the owner is asked to overrule."""


def convene(ctx: StageContext) -> Outcome:
    """[ceo] Ask the V-team for its opinions on the idea in its present words; go on once they are there."""
    state = DecisionState.model_validate(ctx.task.result)
    known = ctx.step("rejected before", str, partial(_rejected_before, ctx))
    if known:
        state.outcome, state.reasons = "rejected before", known
        return Done(state)
    twin = ctx.step("asked already", str, partial(_asked_already, ctx))
    if twin:
        state.outcome, state.reasons = "asked already", f"the same idea is being decided on as {twin}."
        return Done(state)
    team = ctx.step("v-team", list[str], partial(_seated, ctx))
    for name in team:
        _must_be_there(ctx, name)
        must_judge(ctx, name)
    must_judge(ctx, "ceo")
    wanted = [_opinion_of(ctx.task, name) for name in team]
    there = ctx.step("opinions", list[str], partial(_children, ctx))
    if missing := [task for task in wanted if task.id not in there]:
        return Anew(parts=missing)
    state.opinions = [task.id for task in wanted]
    return Next("decide", state)


def decide(ctx: StageContext) -> Outcome:
    """[ceo] Answer each objection, and approve the idea, revise or reject it, or put a veto to the owner."""
    state = DecisionState.model_validate(ctx.task.result)
    opinions = ctx.step("read opinions", list[OpinionState], partial(_read, ctx, state.opinions))
    revisions = ctx.step("revisions", int, partial(_revisions, ctx))
    given = Hearing(
        opinions=[_given(each) for each in opinions],
        goal=ctx.services.settings.project.goal,
        may_revise=revisions < _MOST_REVISIONS,
        strategy=ctx.step("strategy", list[str], lambda: ctx.services.store.strategy.read().lines),
    )
    decision = _ask_ceo(ctx, "decision", given)
    state.decision, state.reasons = decision, decision.reasons
    ctx.step("record decision", bool, partial(_record, ctx, decision.decision, state))
    if decision.decision == "ask_owner":
        state.veto = _veto_in_words(given)
        return Wait(VETO_GATE, "carry_out", state)
    if decision.decision == "revise":
        return Anew(title=decision.revised_title, description=decision.revised_description)
    if decision.decision == "reject":
        state.outcome = "rejected"
        return Done(state)
    if ctx.autonomy() in ("approve_plan", "suggest"):
        return Wait(PLAN_GATE, "carry_out", state, is_suggestion=ctx.autonomy() == "suggest")
    return Next("carry_out", state)


def carry_out(ctx: StageContext) -> Outcome:
    """[ceo] Make tasks of an approved idea; one that the owner let through despite a veto is first cut into tasks."""
    state = DecisionState.model_validate(ctx.task.result)
    assert state.decision is not None
    decision = state.decision
    if VETO_GATE in state.approved and not decision.tasks:
        overruled = Hearing(opinions=[], goal=ctx.services.settings.project.goal, may_revise=False)
        state.decision = decision = _ask_ceo(ctx, "work", overruled, is_approved=True)
    if VETO_GATE in state.approved:
        ctx.step("record decision", bool, partial(_record, ctx, "approve", state))
    state.parts = ctx.step("make tasks", list[str], partial(_submit, ctx, decision))
    state.outcome = "approved"
    return Done(state)


DECISION_FLOW = Flow(
    TaskType.DECISION,
    (Stage("convene", "ceo", convene), Stage("decide", "ceo", decide), Stage("carry_out", "ceo", carry_out)),
)


def _ask_ceo(ctx: StageContext, step: str, given: Hearing, *, is_approved: bool = False) -> IdeaDecision:
    """A decision of the CEO in which code finds no fault; `is_approved`: the owner has approved the idea already."""

    def faults_of(answer: IdeaDecision) -> list[str]:
        undone = is_approved and answer.decision != "approve"
        told = ["the owner has approved the idea: cut it into tasks"] if undone else []
        return faults_of_decision(answer, given) + told

    return until_it_holds(
        ctx,
        step,
        IdeaDecision,
        lambda faults, name: ctx.team.ceo.decide(ctx.task, given, faults, ctx.ask(name)),
        faults_of,
    )


def _seated(ctx: StageContext) -> list[str]:
    """The V-team of this idea; the record says why each of them sits there."""
    named, v_team = ctx.task.assigned_agents, ctx.services.settings.orchestrator.v_team
    if named:
        why = dict.fromkeys(named, "the task names it")
    elif isinstance(v_team, str):
        why = seats(f"{ctx.task.title}\n{ctx.task.description}", ctx.services.settings.agents)
    else:
        why = dict.fromkeys(v_team, "it sits in every V-team (orchestrator.v_team)")
    ctx.note("v-team convened", team=[*why], reasons={**why})
    return [*why]


def _must_be_there(ctx: StageContext, name: str) -> None:
    """Raise `StageFailed` for one who is not there, or gives no opinions."""
    try:
        agent = ctx.team.by_name(name)
    except KeyError as problem:
        raise StageFailed(FailureReason.NEEDS_OWNER, f"{problem.args[0]} (orchestrator.v_team)", blocked=True) from None
    if isinstance(agent, Expert) and TaskType.OPINION not in agent.row.handles:
        told = f"{name} gives no opinions: agents.{name}.handles leaves opinion out"
        raise StageFailed(FailureReason.NEEDS_OWNER, told, blocked=True)


def _opinion_of(task: Task, agent: str) -> Task:
    """The task of an opinion on the idea as it is worded now."""
    words = hashlib.sha256(f"{task.title}\0{task.description}".encode()).hexdigest()[:8]
    return Task(
        id=f"{task.id}-{words}-{agent}"[:64],
        title=f"{heading_of(agent)}{task.title}",
        description=task.description,
        type=TaskType.OPINION,
        priority=task.priority,
        assigned_agents=[agent],
        parent_id=task.id,
        source="ceo",
    )


def _children(ctx: StageContext) -> list[str]:
    found = ctx.services.store.tasks.select([TaskStatus.COMPLETED], type=TaskType.OPINION, parent_id=ctx.task.id)
    return [task.id for task in found]


def _read(ctx: StageContext, ids: list[str]) -> list[OpinionState]:
    return [OpinionState.model_validate(ctx.services.store.tasks.get(one).result) for one in ids]


def _given(state: OpinionState) -> GivenOpinion:
    assert state.opinion is not None
    assert state.criteria is not None
    thresholds = {each.name: each.threshold for each in state.criteria.criteria}
    return GivenOpinion(
        agent=state.agent,
        verdict=state.opinion.verdict,
        score=state.opinion.review(state.criteria).score,
        reasoning=state.opinion.reasoning,
        measured=[
            f"{each.name}: {each.score:g} (wants {thresholds[each.name]:g}): {each.evidence}"
            for each in state.opinion.measured
        ],
        objections=[
            LabelledObjection(f"{state.agent}-{number}", objection.text, objection.veto)
            for number, objection in enumerate(state.opinion.objections, 1)
        ],
    )


def _veto_in_words(given: Hearing) -> str:
    lines = [
        f"{opinion.agent} vetoes it ({objection.veto}): {objection.text}"
        for opinion in given.opinions
        for objection in opinion.objections
        if objection.veto
    ]
    return "\n".join(lines)


def _decisions(ctx: StageContext) -> list[Decision]:
    return ctx.services.store.journal.decisions(decision_type=DECISION, limit=_REMEMBERED)


def _revisions(ctx: StageContext) -> int:
    found = (decision.decision_data for decision in _decisions(ctx))
    return sum(data.get("task") == ctx.task.id and data.get("decision") == "revise" for data in found)


def _rejected_before(ctx: StageContext) -> str:
    """When and why the same idea was rejected; empty if it was not."""
    idea = _compared(ctx.task.title, ctx.task.description)
    for decision in _decisions(ctx):
        data = decision.decision_data
        if data.get("task") == ctx.task.id or not _was_rejected(ctx, data):
            continue
        if _same(idea, _compared(data.get("title"), data.get("description"))):
            if data.get("decision") == "approve":
                data = {**data, "reasons": "the CEO wanted it, and you did not."}
            return (
                f"the same idea was rejected on {decision.timestamp:%Y-%m-%d} ({data.get('task')}): "
                f"{data.get('reasons')} Say what is different now, and it is decided anew."
            )
    return ""


def _asked_already(ctx: StageContext) -> str:
    """An older task that puts the idea in the same words, and that is not over; empty if there is none."""
    store, own = ctx.services.store, (ctx.task.created_at, ctx.task.id)
    idea = _compared(ctx.task.title, ctx.task.description)
    opened = store.tasks.select(OPEN, type=TaskType.DECISION, limit=_REMEMBERED)
    older = [task for task in opened if (task.created_at, task.id) < own and task.id != ctx.task.parent_id]
    return next((task.id for task in older[::-1] if idea == _compared(task.title, task.description)), "")


def _compared(title: object, description: object) -> str:
    return " ".join(f"{title}\n{description}".casefold().split())[:_COMPARED]


def _same(one: str, other: str) -> bool:
    """Whether two ideas are so alike that they count as one."""
    if one == other:
        return True
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    quick = matcher.real_quick_ratio() >= _UNCHANGED and matcher.quick_ratio() >= _UNCHANGED
    return quick and matcher.ratio() >= _UNCHANGED


def _was_rejected(ctx: StageContext, data: Mapping[str, JsonValue]) -> bool:
    """Whether the CEO rejected an idea, or the owner did: by a veto that they left standing, or against the CEO."""
    if data.get("decision") not in ("ask_owner", "approve"):
        return data.get("decision") == "reject"
    try:
        return ctx.services.store.tasks.get(str(data.get("task"))).status is TaskStatus.CANCELLED
    except UnknownTask:  # its row is not kept any more
        return data.get("decision") == "ask_owner"


def _record(ctx: StageContext, decided: str, state: DecisionState) -> bool:
    """Record what was decided, once in a run."""
    key = f"{ctx.task.run}.{state.visit}"
    if any(
        data.get("task") == ctx.task.id and data.get("key") == key
        for data in (decision.decision_data for decision in _decisions(ctx))
    ):
        return False
    assert state.decision is not None
    what: dict[str, JsonValue] = {
        "task": ctx.task.id,
        "key": key,
        "title": ctx.task.title,
        "description": ctx.task.description,
        "decision": decided,
        "reasons": state.decision.reasons,
        "answers": [answer.model_dump() for answer in state.decision.answers],
        "opinions": [*state.opinions],
    }
    ctx.services.store.journal.record_decision("ceo", DECISION, what)
    ctx.note("idea decided", decision=decided, reasons=state.decision.reasons)
    return True


def _submit(ctx: StageContext, decision: IdeaDecision) -> list[str]:
    """Add the tasks of an approved idea, each behind those it waits for. Repeating it adds nothing twice."""
    store = ctx.services.store
    ids = [f"{ctx.task.id}-{number}" for number in range(1, len(decision.tasks) + 1)]
    for name, part in zip(ids, decision.tasks, strict=True):
        task = Task(
            id=name,
            title=part.title,
            description=part.description,
            type=TaskType.CODE,
            priority=ctx.task.priority,
            parent_id=ctx.task.id,
            source="ceo",
            depends_on=[ids[number - 1] for number in part.after],
        )
        if store.tasks.add(task):
            store.journal.log("ceo", "task added", task.id, title=task.title, source=task.source)
    return ids
