"""Everything that waits for the owner, in one list: what stopped, budgets at their limit, what calls wait for, and
landed work to be merged."""

from __future__ import annotations

from pydantic import BaseModel

from config import BudgetSettings
from git_ops import GitError, GitManager, Unmerged
from memory import LimitState, MemoryStore, Task, WaitingCall
from monitoring import get_logger
from owner.stopped import STOPPED, Stopped, stopped_count, stopped_of
from owner.words import NEARLY_USED_UP, count

log = get_logger(__name__)

_MOST = 100
_SAID = {"approve": "go on", "retry": "try again", "cancel": "stop", "replan": "plan again"}


class InboxItem(BaseModel):
    """A task that goes on only by the owner's word."""

    stopped: Stopped
    task: Task
    told: str = ""
    """What the owner has told the daemon about it, which has not done that yet."""


class Inbox(BaseModel):
    """What waits for the owner. All of it is empty when nothing does."""

    items: list[InboxItem]
    """The newest tasks that stopped."""
    more: int
    """How many more of them there are."""
    limits: list[LimitState]
    """Limits of the budget that are used up, or nearly so."""
    waiting: list[WaitingCall]
    """Calls that wait for a budget or a provider of models: an outage."""
    unmerged: Unmerged | None = None
    """Landed work that your branch does not have."""

    def __len__(self) -> int:
        return len(self.items) + self.more + len(self.limits) + len(self.waiting) + bool(self.unmerged)


def inbox_of(store: MemoryStore, budget: BudgetSettings, git: GitManager, limit: int = _MOST) -> Inbox:
    """The inbox as it is now."""
    tasks, sent = store.tasks.select(STOPPED, limit=limit), told_already(store)
    items = [
        InboxItem(stopped=row, task=task, told=sent.get(task.id, ""))
        for row, task in zip(stopped_of(store, tasks), tasks, strict=True)
    ]
    return Inbox(
        items=items,
        more=max(stopped_count(store.tasks.count_by_status()) - len(items), 0),
        limits=[state for state in store.budgets.limit_states(budget) if state.share >= NEARLY_USED_UP],
        waiting=store.budgets.waiting_calls(),
        unmerged=_unmerged(git),
    )


def _unmerged(git: GitManager) -> Unmerged | None:
    try:
        return git.unmerged.now()
    except (GitError, OSError) as problem:  # the clone is being made, or is broken: `doctor` says so
        log.warning("what waits to be merged cannot be told", problem=str(problem))
        return None


def told_already(store: MemoryStore) -> dict[str, str]:
    """What the owner has told the daemon to do and it has not done yet: task -> words."""
    return {
        command.argument.partition(" ")[0]: _SAID.get(command.command, command.command)
        for command in store.commands.pending()
    }


def merge_head(work: Unmerged) -> str:
    """What waits to be merged, as a headline."""
    waits = "waits" if work.tasks == 1 else "wait"
    return f"{count(work.tasks, 'landed task')} {waits} to be merged into {work.base}"


def merge_size(work: Unmerged) -> str:
    """How large the change is, and what is in its way."""
    size = (
        f"{count(work.commits, 'commit')} on {work.branch}: {count(work.files, 'file')}, +{work.added} −{work.removed}"
    )
    return f"{size}; a merge stops at places that {work.base} has changed, too" if work.conflicts else size
