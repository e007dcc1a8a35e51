"""Escalation of a task that the team could not do: the tech lead splits it, rewords it or gives it up, once.

It is a stage of a flow that a task enters instead of ending. A model is called only if it is able to judge. A task that
the tech lead gives up, or that fails once more, is left to the owner. The lessons of failures stand here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel, JsonValue

from agents import Escalation, Setback, is_same_work
from memory import ENDED, Attempt, FailureReason, MemoryStore, Task, TaskType, new_task_id
from orchestrator.errors import StageFailed
from orchestrator.flow import Anew, Flow, FlowState, Outcome, Stage, StageContext

STAGE = "escalate"
_MADE_OF = (TaskType.PLAN, TaskType.PROJECT)
"""Types of tasks whose parts stand for themselves."""
_REASONS = frozenset(
    {
        FailureReason.TESTS_FAILED,
        FailureReason.REVIEW_REJECTED,
        FailureReason.LOOP_DETECTED,
        FailureReason.INVALID_OUTPUT,
        FailureReason.CONFLICT,
    }
)
"""What splitting or rewording may solve; it does not help against budgets, providers, sandboxes and timeouts."""
_AGENT, _PREFIX = "tech_lead", "escalation/"
_MOST_REMEMBERED = 2000
_MOST_ATTEMPTS, _MOST_VERDICTS = 12, 6
_EVIDENCE, _TESTS, _WORDS = 3000, 3000, 1500
"""Characters of each in the prompt."""
_DETAIL = 4000
"""Characters kept of a failure."""
_KNOWN_TASKS = 1000
_LESSON = 400
_FIRST_FAILURE = 200
"""Characters of a lesson, and of the failure in it."""


class EscalationState(FlowState):
    """What the stage begins with: how the task would have ended."""

    failure: dict[str, str | bool]


class Resolution(BaseModel):
    """What the tech lead decided, ready to be carried out."""

    action: str
    reason: str
    parts: list[Task] = []
    title: str = ""
    description: str = ""


def is_for_tech_lead(store: MemoryStore, flow: Flow, task: Task, stage: str, failure: StageFailed) -> bool:
    """Whether `failure` of `stage` is escalated instead of ending the task."""
    if not failure.blocked or failure.reason not in _REASONS or stage == STAGE or not flow.has(STAGE):
        return False
    if task.tests and failure.reason is FailureReason.INVALID_OUTPUT:
        return False  # the owner's tests are wrong, and only the owner may change them
    if failure.reason is FailureReason.TESTS_FAILED and stage == flow.stages[0].name:
        return False  # the suite as it is before any work: its environment is the owner's
    return store.journal.recall(_AGENT, _PREFIX + task.id) is None


def escalated(task: Task, failure: StageFailed) -> dict[str, JsonValue]:
    """The task's state at the beginning of its escalation, which is a stage of its own after the one that failed."""
    visit = FlowState.model_validate(task.result).visit + 1
    return {**task.result, "visit": visit, "failure": {**failure.as_json(), "detail": failure.detail[:_DETAIL]}}


def escalate(ctx: StageContext) -> Outcome:
    """[tech_lead] Decide once, from the evidence: split into parts, reword, or leave the task to the owner."""
    failure = StageFailed.from_json(EscalationState.model_validate(ctx.task.result).failure)
    if not ctx.profile_of(ctx.team.tech_lead).judges:
        raise failure
    try:
        answer = ctx.step("ask", Escalation, partial(_ask, ctx, failure))
    except StageFailed as problem:
        if problem.reason is not FailureReason.INVALID_OUTPUT:
            raise
        raise failure from None
    resolved = ctx.step("resolve", Resolution, partial(_resolve, ctx, answer))
    if resolved.action == "give_up":
        told = f"{failure.detail}\n\nThe tech lead gives it up: {resolved.reason}"
        raise StageFailed(failure.reason, told, blocked=True)
    return Anew(resolved.parts, resolved.title, resolved.description)


ESCALATION = Stage(STAGE, _AGENT, escalate)


def _ask(ctx: StageContext, failure: StageFailed) -> Escalation:
    return ctx.team.tech_lead.resolve(ctx.task, _setback(ctx, failure), ctx.ask("ask"))


def _setback(ctx: StageContext, failure: StageFailed) -> Setback:
    store, task = ctx.services.store, ctx.task
    attempts = store.evidence.attempts(task.id, run=task.run)
    last = next((tried.evidence for tried in reversed(attempts) if tried.evidence and tried.tests_failed), "")
    verdicts = [verdict for verdict in store.evidence.verdicts(task.id, run=task.run) if not verdict.approved]
    tests = task.tests or _committed_tests(ctx)
    return Setback(
        reason=f"{failure.reason}, {failure.detail[:_WORDS]}",
        attempts=[
            f"approach {tried.approach}, attempt {tried.number} ({tried.strategy}): {tried.outcome}; "
            f"{first_failure([tried])}".rstrip("; ")
            for tried in attempts[-_MOST_ATTEMPTS:]
        ],
        evidence=last[:_EVIDENCE],
        verdicts=["; ".join(verdict.issues)[:_WORDS] for verdict in verdicts[-_MOST_VERDICTS:] if verdict.issues],
        tests=tests[:_TESTS],
        may_split=_may_split(store, task),
    )


def _may_split(store: MemoryStore, task: Task) -> bool:
    """Whether it is no part of another task; the tasks of a plan stand for themselves."""
    return task.parent_id is None or store.tasks.get(task.parent_id).type in _MADE_OF


def _committed_tests(ctx: StageContext) -> str:
    commit, path = str(ctx.task.result.get("tests_commit") or ""), str(ctx.task.result.get("tests_file") or "")
    return ctx.bench.text_of(commit, path) if commit and path else ""


def _resolve(ctx: StageContext, answer: Escalation) -> Resolution:
    """Turn the answer into a resolution and remember it: a task is escalated once."""
    store, task = ctx.services.store, ctx.task
    if known := store.journal.recall(_AGENT, _PREFIX + task.id):
        return Resolution.model_validate(known)  # this step was killed after it had been remembered
    resolved = Resolution(action="give_up", reason=answer.reason)
    if answer.action == "split" and (parts := _parts(store, task, answer)):
        resolved = Resolution(action="split", reason=answer.reason, parts=parts)
    elif answer.action == "rewrite":
        told = f"{answer.description.strip()}\n\nAs it was asked at first:\n\n{task.description}"
        resolved = Resolution(
            action="rewrite", reason=answer.reason, title=" ".join(answer.title.split()), description=told
        )
    record: dict[str, JsonValue] = {"task": task.id, "action": resolved.action, "reason": answer.reason}
    store.journal.record_decision(_AGENT, "escalation", {**record, "parts": [part.id for part in resolved.parts]})
    if answer.lesson.strip():
        ctx.services.context.add_lesson(" ".join(answer.lesson.split()), task.id, [task.title, task.description])
    ctx.note("escalated to the tech lead", action=resolved.action, reason=answer.reason)
    store.journal.remember(_AGENT, _PREFIX + task.id, resolved.model_dump(mode="json"))
    store.journal.forget_oldest(_AGENT, _PREFIX, _MOST_REMEMBERED)
    return resolved


def _parts(store: MemoryStore, task: Task, answer: Escalation) -> list[Task]:
    """The new tasks, without those that repeat known work. A part cannot be split again."""
    if not _may_split(store, task):
        return []
    known = [
        (other.title, other.description)
        for other in store.tasks.select(limit=_KNOWN_TASKS)
        if other.status not in ENDED
    ]
    known.append((task.title, task.description))
    parts: list[Task] = []
    for part in answer.parts:
        if is_same_work(part.title, part.description, known):
            continue
        known.append((part.title, part.description))
        parts.append(
            Task(
                id=new_task_id(),
                title=" ".join(part.title.split()),
                description=part.description,
                type=task.type,
                priority=task.priority,
                deadline=task.deadline,
                parent_id=task.id,
                source=_AGENT,
            )
        )
    return parts


# -- lessons: what did not work and what then did, one line each, written by code ------------------------------------
# A line contains words of tasks and of failing tests, so it is data wherever it is shown.


def lesson_of_blocked(task: Task, reason: FailureReason, detail: str, attempts: Sequence[Attempt]) -> str:
    """The lesson of a task that could not be done."""
    return _line(f"Not done ({reason}): {task.title} — {first_failure(attempts) or _line(detail, _FIRST_FAILURE)}")


def lesson_of_landed(name: str, path: str, strategy: str, approach: int, attempts: Sequence[Attempt]) -> str:
    """The lesson of a task that landed, but not in its first approach; empty if nothing is known of the first."""
    failed = first_failure(attempts)
    about = f"`{name}` in {path}" if name else path
    return _line(f"{about}: at first {failed}; landed by {strategy} in approach {approach}") if failed else ""


def first_failure(attempts: Sequence[Attempt]) -> str:
    """The first failing test of the first attempt that was tested, and its message."""
    evidence = next((tried.evidence for tried in attempts if tried.outcome in ("failed", "overfitted")), "")
    lines = [line for line in evidence.splitlines() if line.strip()]
    # What the second line shows must have room.
    heads = [_line(line.rstrip(":"), _FIRST_FAILURE // 2) for line in lines[:-1][:1]]
    return _line(": ".join([*heads, *lines[len(heads) : len(heads) + 1]]), _FIRST_FAILURE)


def _line(text: str, most: int = _LESSON) -> str:
    told = " ".join(text.split())
    return told if len(told) <= most else told[: most - 1] + "…"
