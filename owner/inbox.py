"""Everything that waits for the owner, in one list: what stopped, budgets at their limit, and what calls wait for."""

from __future__ import annotations

from pydantic import BaseModel

from config import BudgetSettings
from memory import LimitState, MemoryStore, Task, WaitingCall
from owner.stopped import STOPPED, Stopped, stopped_count, stopped_of

NEARLY_USED_UP = 0.8
"""The share of a limit from which on the owner is told of it."""
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

    def __len__(self) -> int:
        return len(self.items) + self.more + len(self.limits) + len(self.waiting)


def inbox_of(store: MemoryStore, budget: BudgetSettings, limit: int = _MOST) -> Inbox:
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
    )


def told_already(store: MemoryStore) -> dict[str, str]:
    """What the owner has told the daemon to do and it has not done yet: task -> words."""
    return {
        command.argument.partition(" ")[0]: _SAID.get(command.command, command.command)
        for command in store.commands.pending()
    }
