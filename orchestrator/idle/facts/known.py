"""Which facts the CEO has dealt with: none becomes two tasks, and what came to nothing is not tried again as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from pydantic import BaseModel

from agents import Fact, FactKind
from memory import ENDED, MemoryStore, TaskStatus, UnknownTask

MOST_TASKS = 2
"""Tasks of one concern, ever: what does not work out twice is the owner's."""
_PREFIX = "fact."
_MOST_KEPT = 3000
_MOST_DIGESTS = 10


class _Dealt(BaseModel):
    """What was made of one concern, whatever became of the code around it."""

    digests: list[str] = []
    tasks: list[str] = []


class KnownFacts:
    """The CEO's memory of facts, in the database."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def fresh(self, facts: Iterable[Fact]) -> list[Fact]:
        """Those of `facts` that are worth a decision: not seen with this code, no task open, not tried too often."""
        dealt = {
            memory.key.removeprefix(_PREFIX): _Dealt.model_validate(memory.value)
            for memory in self._store.journal.memories("ceo", _PREFIX)
        }
        return [fact for fact in facts if self._is_fresh(fact, dealt.get(fact.subject, _Dealt()))]

    def became(self, fact: Fact, task_id: str) -> None:
        """Remember that `fact` is the task's."""
        self._remember(fact, [task_id])

    def left_out(self, facts: Sequence[Fact]) -> None:
        """Remember that these were seen and no task was wanted; changed code makes them new."""
        for fact in facts:
            self._remember(fact, [])
        self._store.journal.forget_oldest("ceo", _PREFIX, _MOST_KEPT)

    def task_of(self, fact: Fact) -> str:
        """Id of the last task that was made of this concern, or nothing."""
        tasks = self._dealt(fact).tasks
        return tasks[-1] if tasks else ""

    def has_seen(self, fact: Fact) -> bool:
        """Whether it was dealt with as it is, with the code around it."""
        return fact.digest in self._dealt(fact).digests

    def _is_fresh(self, fact: Fact, dealt: _Dealt) -> bool:
        if fact.digest in dealt.digests or len(dealt.tasks) >= MOST_TASKS:
            return False
        # A comment may outlive its work; tests that fail again are another matter.
        over = {TaskStatus.COMPLETED} if fact.kind is FactKind.TODO else set()
        return not any(status not in ENDED or status in over for status in self._statuses(dealt.tasks))

    def _statuses(self, task_ids: Iterable[str]) -> Iterator[TaskStatus]:
        for task_id in task_ids:
            with suppress(UnknownTask):
                yield self._store.tasks.get(task_id).status

    def _dealt(self, fact: Fact) -> _Dealt:
        stored = self._store.journal.recall("ceo", _PREFIX + fact.subject)
        return _Dealt.model_validate(stored) if stored else _Dealt()

    def _remember(self, fact: Fact, tasks: list[str]) -> None:
        before = self._dealt(fact)
        dealt = _Dealt(
            digests=list(dict.fromkeys([*before.digests, fact.digest]))[-_MOST_DIGESTS:],
            tasks=list(dict.fromkeys([*before.tasks, *tasks])),
        )
        self._store.journal.remember("ceo", _PREFIX + fact.subject, dealt.model_dump(mode="json"))
