"""The life of an opinion: an agent of a V-team settles its criteria for an idea, measures it and gives a verdict."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from agents import Opinion, OwnCriteria, faults_of_criteria, faults_of_opinion
from memory import FailureReason, TaskType
from orchestrator.errors import StageFailed
from orchestrator.flow import Done, Flow, FlowState, Outcome, Stage, StageContext

MOST_TRIES = 3
"""Answers of one kind, each after the faults that code found in the one before."""

_Answer = TypeVar("_Answer")


class OpinionState(FlowState):
    """What an agent thinks of an idea."""

    agent: str = ""
    criteria: OwnCriteria | None = None
    opinion: Opinion | None = None


def opinion(ctx: StageContext) -> Outcome:
    """[assigned agent] Its own criteria first, which then stand; then the verdict by them, which code checks."""
    agent, store = ctx.team.by_name(ctx.agent), ctx.services.store
    must_judge(ctx, ctx.agent)
    asked = store.tasks.get(ctx.task.parent_id) if ctx.task.parent_id else ctx.task
    title = ctx.task.title.removeprefix(heading_of(ctx.agent))
    idea = ctx.task.model_copy(update={"title": title, "source": asked.source})  # an owner's words are no foreign text
    material = ctx.step("material", str, partial(ctx.views.overview, ranked=True))
    criteria = until_it_holds(
        ctx,
        "criteria",
        OwnCriteria,
        lambda faults, name: agent.own_criteria(idea, material, faults, ctx.ask(name)),
        faults_of_criteria,
    )
    found = until_it_holds(
        ctx,
        "opinion",
        Opinion,
        lambda faults, name: agent.opinion(idea, material, criteria, faults, ctx.ask(name)),
        lambda answer: faults_of_opinion(answer, criteria, agent.vetoes),
    )
    ctx.step("record verdict", bool, partial(ctx.record_review, found.review(criteria), 1))
    return Done(OpinionState(agent=ctx.agent, criteria=criteria, opinion=found))


OPINION_FLOW = Flow(TaskType.OPINION, (Stage("opinion", None, opinion),))


def heading_of(agent: str) -> str:
    """What stands before the idea in the title of an opinion's task: lists show whose it is."""
    return f"{agent} on: "


def until_it_holds(
    ctx: StageContext,
    name: str,
    returns: type[_Answer],
    ask: Callable[[list[str], str], _Answer],
    faults_of: Callable[[_Answer], list[str]],
) -> _Answer:
    """An answer in which code finds no fault; each further one is asked for with the faults of the last. `ask` gets
    these, and the name of the step. Raises `StageFailed` after the last try."""
    faults: list[str] = []
    for number in range(1, MOST_TRIES + 1):
        step = f"{name}.{number}"
        answer = ctx.step(step, returns, partial(ask, faults, step))
        faults = faults_of(answer)
        if not faults:
            return answer
    told = f"no {name} holds after {MOST_TRIES} answers: {'; '.join(faults)}"
    raise StageFailed(FailureReason.INVALID_OUTPUT, told, blocked=True)


def must_judge(ctx: StageContext, agent: str) -> None:
    """Raise `StageFailed` if the judgement of an agent's model is worth nothing."""
    if not ctx.profile_of(ctx.team.by_name(agent)).judges:
        told = f"the judgement of {agent}'s model is worth nothing, so it decides on no ideas; give it one that judges "
        raise StageFailed(FailureReason.NEEDS_OWNER, f"{told}(agents.{agent}.model)", blocked=True)
