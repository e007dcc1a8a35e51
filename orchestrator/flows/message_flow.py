"""The life of a message: the owner tells an agent something, and the agent answers.

The words themselves stand in each prompt of the agent from the moment they are said (`agents/owners_words.py`); here
they are answered, beside the agent's other work, so that nobody waits for the end of it.
"""

from __future__ import annotations

from functools import partial

from agents import MessageReply, Said
from memory import ENDED, Task, TaskStatus, TaskType, UnknownTask
from orchestrator.flow import Done, Flow, FlowState, Outcome, Stage, StageContext

_MOST_BEFORE, _MOST_OPEN, _MOST_PAST = 12, 15, 10
_MOST_TEXT, _MOST_ABOUT = 600, 4000
"""Characters of one message, and of a task, that an agent is shown."""


class MessageState(FlowState):
    """What the agent said."""

    answer: str = ""
    holds: bool = True
    """Whether the owner's words are kept in mind."""


def reply(ctx: StageContext) -> Outcome:
    """[the agent that is spoken to] Answer the owner, and settle whether the words hold for later work."""
    agent = ctx.team.by_name(ctx.agent)
    said = Said(
        before=ctx.step("what was said", str, partial(_before, ctx)),
        situation=ctx.step("what goes on", str, partial(_situation, ctx)),
        about=ctx.step("what it is about", str, partial(_about, ctx)),
    )
    answer = ctx.step("reply", MessageReply, lambda: agent.reply(ctx.task, said, ctx.ask("reply")))
    holds = answer.holds or not ctx.profile_of(agent).judges  # what a model cannot judge is kept in mind
    if not holds:
        ctx.step("forget", int, lambda: ctx.services.store.words.forget(ctx.agent, ctx.task.id))
    ctx.step("answered", bool, partial(_note, ctx, answer.answer))
    return Done(MessageState(answer=answer.answer, holds=holds))


MESSAGE_FLOW = Flow(TaskType.MESSAGE, (Stage("reply", None, reply),), lane="messages")


def _note(ctx: StageContext, answer: str) -> bool:
    ctx.note("answered the owner", said=ctx.task.description[:_MOST_TEXT], answer=answer)
    return True


def _before(ctx: StageContext) -> str:
    found = ctx.services.store.tasks.select(type=TaskType.MESSAGE, limit=200)
    earlier = [
        task
        for task in found
        if task.assigned_agents == ctx.task.assigned_agents
        and task.id != ctx.task.id
        and task.created_at <= ctx.task.created_at
    ]
    lines = []
    for task in earlier[:_MOST_BEFORE]:
        answer = str(task.result.get("answer") or "(not answered)")
        lines.append(f"The owner: {task.description[:_MOST_TEXT]}\nYou: {answer[:_MOST_TEXT]}")
    return "\n\n".join(lines[::-1])


def _situation(ctx: StageContext) -> str:
    """The work, as the agent's colleagues know it, too."""
    found = [
        task
        for task in ctx.services.store.tasks.select(limit=200)
        if task.type not in (TaskType.MESSAGE, TaskType.OPINION)
    ]
    opened = [task for task in found if task.status not in ENDED][:_MOST_OPEN]
    past = [task for task in found if task.status in ENDED][:_MOST_PAST]
    goal = ctx.services.settings.project.goal
    parts = [f"Goal: {goal}"] if goal else []
    parts += ["Open tasks:", *map(_line, opened)] if opened else ["No task is open."]
    parts += ["Over, the latest first:", *map(_line, past)] if past else []
    return "\n".join(parts)


def _line(task: Task) -> str:
    stage = f", {task.stage}" if task.stage and task.status is TaskStatus.IN_PROGRESS else ""
    why = f": {' '.join(task.reason_detail.split())[:120]}" if task.reason_detail else ""
    return f"- {task.title[:120]} ({task.id}, {task.status}{stage}{why})"


def _about(ctx: StageContext) -> str:
    if not ctx.task.parent_id:
        return ""
    try:
        task = ctx.services.store.tasks.get(ctx.task.parent_id)
    except UnknownTask:
        return ""
    tried = ctx.services.store.evidence.latest_evidence({task.id: task.run}).get(task.id, "")
    return f"{_line(task)}\n{task.description}\n{tried}".strip()[:_MOST_ABOUT]
