"""Tasks that wait for the owner's approval: it expires, safely, and can be asked for again."""

from __future__ import annotations

from datetime import datetime, timedelta

from config import caller
from memory import FailureReason, MemoryStore, Task, TaskStatus, TaskType, utc_now
from monitoring import AlertKind, alert
from orchestrator.services import Services

_MOST = 1000


def expire_approvals(store: MemoryStore) -> None:
    """Block tasks whose approval did not come in time. Nothing of them is done, and the owner is told."""
    now = utc_now()
    for task in store.tasks.select([TaskStatus.WAITING_APPROVAL], limit=_MOST):
        until = str(task.result.get("expires_at") or "")
        if not until or datetime.fromisoformat(until) > now:
            continue
        detail = f"it waited for your approval until {until[:16].replace('T', ' ')} UTC; nothing was done"
        moved = store.tasks.transition(
            task.id,
            TaskStatus.BLOCKED,
            expect=[TaskStatus.WAITING_APPROVAL],
            run=task.run,
            reason=FailureReason.APPROVAL_EXPIRED,
            detail=detail,
        )
        if moved:
            store.journal.log("orchestrator", "approval expired", task.id, gate=task.result.get("waiting_for"))
            again = f"`{caller()} task retry {task.id}` puts it to you again"
            alert(AlertKind.OWNER, f"{task.id} expired", f"{task.title}: {detail}; {again}", task=task.id)


def put_again(services: Services, task: Task) -> bool:
    """Put a task whose approval expired to the owner again, as it is; False if that is not why it stopped, or if what
    it had made is not kept any more."""
    if task.reason is not FailureReason.APPROVAL_EXPIRED or task.status is not TaskStatus.BLOCKED:
        return False
    if task.type == TaskType.CODE and task.reached and not services.git.worktrees.holds(task.id):
        return False
    days = services.settings.orchestrator.approval_days
    until = (utc_now() + timedelta(days=days)).isoformat() if days else ""
    moved = services.store.tasks.transition(
        task.id,
        TaskStatus.WAITING_APPROVAL,
        expect=[TaskStatus.BLOCKED],
        run=task.run,
        detail=f"waits for the owner: `{caller()} task approve {task.id}`",
        result=task.result | {"expires_at": until},
    )
    if moved:
        gate = task.result.get("waiting_for")
        services.store.journal.log("orchestrator", "waiting for approval", task.id, gate=gate, question="")
    return moved
