"""What the owner does to tasks. Most of it is a command that the daemon applies within a second, or at its next start.

`by` is who does it, where several people may: then it stands in the audit trail. Each function raises `OwnerError`
when it cannot be done, and then nothing has been changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from config import QuietHours
from memory import (
    OPEN,
    OWNER,
    RETRIABLE,
    FailureReason,
    MemoryStore,
    RetryStage,
    Task,
    TaskChanges,
    TaskStatus,
    TaskType,
    utc_now,
)
from owner.errors import NoteMissing, NotNow, NotPossible
from owner.stopped import STOPPED
from owner.words import agent_name, status_word

_TEST_NAME = re.compile(r"test_\w+\.py|\w+_test\.py|.+[._-](?:test|spec)\.[cm]?[jt]sx?")
MOST_NOTE = 3_000
"""Characters of a note: what is longer would be cut on its way to the daemon."""


def approve(store: MemoryStore, task: Task, note: str = "", by: str = "") -> str:
    """Let a task at a gate go on, with the answer it waits for, or retry a blocked or failed one, with the owner's
    words. Gives the daemon's command."""
    _must_wait(task)
    said = bounded(note)
    if task.status is TaskStatus.WAITING_APPROVAL:
        if task.question and not said:
            raise NoteMissing(f"{task.id} waits for your answer", f'inbox answer {task.id} "…"')
        if said and not task.question:
            raise NotPossible(f"{task.id} waits at a gate; a note is for tasks that begin anew")
        return _tell(store, "approve", task, by, said, task.approval_key, *filter(None, [said]))
    _add_words(store, task, said)
    is_anew = said and task.reason is FailureReason.APPROVAL_EXPIRED  # else it would be put to the owner as it is
    return _tell(store, "retry", task, by, said, *(["anew"] if is_anew else []))


def reject(store: MemoryStore, task: Task, note: str = "", by: str = "") -> str:
    """Cancel a task that waits, is blocked or has failed. What has landed stays; the note is for the records."""
    _must_wait(task)
    return _tell(store, "cancel", task, by, bounded(note))


def cancel(store: MemoryStore, task: Task, by: str = "") -> str:
    """Stop a task, or put a failed or blocked one aside."""
    if task.status in (TaskStatus.COMPLETED, TaskStatus.CANCELLED):
        raise NotNow(f"{task.id} is {task.status} already")
    return _tell(store, "cancel", task, by)


KEPT = {
    RetryStage.TESTS: "what it is about is kept; its tests and code are made anew",
    RetryStage.CODE: "its tests are kept; its code is made anew",
    RetryStage.REVIEW: "its tests and code are kept; what reviews said of them is forgotten",
}
"""What comes of a retry from a stage."""


def retry(store: MemoryStore, task: Task, by: str = "", stage: RetryStage | None = None) -> str:
    """Start a failed, blocked or cancelled task again, from the beginning or from a stage that it reached."""
    if task.status not in RETRIABLE:
        raise NotNow(f"{task.id} is {task.status}; only failed, blocked and cancelled tasks can be retried")
    if stage and stage not in task.reached:
        reached = ", ".join(task.reached) or "none"
        raise NotPossible(f"{task.id} cannot be tried again from {stage}; it reached: {reached}")
    return _tell(store, "retry", task, by, "", *filter(None, [stage]))


def replan(store: MemoryStore, task: Task, note: str, by: str = "") -> str:
    """Have a goal planned again in other words. Tasks of the plan that have not begun are cancelled."""
    if task.type != TaskType.PLAN or task.status is not TaskStatus.COMPLETED:
        told = f"{task.id} is {task.status}, of the type {task.type}; only a completed plan can be made again"
        raise NotNow(f"{told}; for one that stands still", f'inbox answer {task.id} "…"')
    said = bounded(note)
    _add_words(store, task, said)
    return _tell(store, "replan", task, by, said)


def change(store: MemoryStore, task: Task, changes: TaskChanges, by: str = "") -> None:
    """Give an open task another priority or deadline. It holds from the task's next stage on."""
    if task.status not in OPEN:
        raise NotNow(f"{task.id} is {task.status}; priority and deadline are for tasks that are not over")
    must_be_ahead(deadline := changes.get("deadline"))
    store.tasks.update(task.id, **changes)
    due = f"{deadline:%Y-%m-%d %H:%M} UTC" if deadline else "none" if "deadline" in changes else ""
    record(store, "task changed", by, task.id, title=task.title, priority=changes.get("priority"), deadline=due)


def pause(store: MemoryStore, agent: str, team: Sequence[str], by: str = "") -> None:
    """Let an agent finish the step it is in, and begin nothing more until it is resumed, over restarts, too."""
    _hold(store, agent, team, by, paused=True)


def resume(store: MemoryStore, agent: str, team: Sequence[str], by: str = "") -> None:
    """Let a paused agent go on where it was."""
    _hold(store, agent, team, by, paused=False)


def _hold(store: MemoryStore, agent: str, team: Sequence[str], by: str, *, paused: bool) -> None:
    must_be_on_the_team(agent, team)
    if (agent in store.paused.since()) is paused:
        raise NotNow(f"{agent_name(agent)} is {'paused already' if paused else 'not paused'}")
    store.paused.set(agent, paused=paused)
    if paused:
        store.journal.log(OWNER, "agent paused", None, name=agent, by=by)
    else:
        store.journal.log(OWNER, "agent resumed", None, name=agent, by=by)


def pause_everything(store: MemoryStore, by: str = "") -> None:
    """Let everybody finish the step they are in, and begin nothing more until it is resumed, over restarts, too."""
    if (rest := store.paused.rest(None, utc_now())) and rest.kind == "paused":
        raise NotNow("everything is paused already", "resume")
    store.paused.set_everything(paused=True)
    store.journal.log(OWNER, "everything paused", None, by=by)


def resume_everything(store: MemoryStore, quiet: QuietHours | None, by: str = "") -> datetime | None:
    """Let everybody go on; also in quiet hours, until they end: then that time.
    Agents that are paused by name stay so."""
    now = utc_now()
    until = quiet.until(now) if quiet else None
    rest = store.paused.rest(quiet, now)
    if rest is None:
        named = ", ".join(store.paused.since())
        raise NotNow(f"everything goes on already{f'; paused by name: {named}' if named else ''}", "status")
    store.paused.set_everything(paused=False)
    if until:
        store.paused.stay_awake(until)
    store.journal.log(OWNER, "everything resumed", None, by=by)
    return until


def must_be_on_the_team(agent: str, team: Sequence[str]) -> None:
    """Refuse the name of nobody."""
    if agent not in team:
        raise NotPossible(f"no agent is called {agent[:64]!r}; there are {', '.join(team)}", "agents list")


def must_be_ahead(deadline: datetime | None) -> None:
    """Refuse a deadline that is past."""
    if deadline and deadline <= utc_now():
        raise NotPossible(f"the deadline {deadline:%Y-%m-%d %H:%M} UTC is past; give a later one, or leave it out")


def must_not_wait_for_ever(needed: list[Task]) -> None:
    """Refuse to wait for tasks that will not be completed."""
    for other in needed:
        if other.status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
            told = f"{other.id} is {other.status}, and this task waits for it: it would never begin; first"
            raise NotPossible(told, f"task retry {other.id}")


def must_be_a_test(file: str) -> None:
    """Refuse a file whose name no test runner takes for a test."""
    if not _TEST_NAME.fullmatch(file.rpartition("/")[2]):
        raise NotPossible(f"{file}: a test file is named test_….py or …_test.py, or ….test.js and the like")


def record(store: MemoryStore, what: str, by: str, task_id: str | None = None, **details: JsonValue) -> None:
    """Write into the audit trail what somebody did; nothing where `by` is empty."""
    if by:
        store.journal.log(OWNER, what, task_id, **{key: value for key, value in details.items() if value} | {"by": by})


def _must_wait(task: Task) -> None:
    if task.status not in STOPPED:
        raise NotNow(f"{task.id} is {status_word(task.status)}; it does not wait for you", "approvals list")


def bounded(note: str) -> str:
    """Words of the owner as they reach the team. Raises `OwnerError` for too many."""
    note = note.strip()
    if len(note) > MOST_NOTE:
        raise NotPossible(f"the note has {len(note):,} characters; at most {MOST_NOTE:,} reach the team")
    return note


def _add_words(store: MemoryStore, task: Task, said: str) -> None:
    """Add what the owner says to the words of a task that begins anew; an answer stands behind its question, since
    nobody of the team remembers that."""
    if not said:
        return
    words = f"{task.description}\n\nThe owner adds:\n\n{said}".strip()
    if task.reason is FailureReason.NEEDS_OWNER and task.reason_detail:
        words = task.answered(task.reason_detail, said)
    store.tasks.update(task.id, description=words)


def _tell(store: MemoryStore, command: str, task: Task, by: str, note: str = "", *more: str) -> str:
    record(store, "told the daemon", by, task.id, title=task.title, command=command, note=note)
    store.commands.send(command, " ".join([task.id, *more]))
    return command
