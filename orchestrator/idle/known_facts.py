"""Which facts the CEO has handled: none becomes two tasks, and what came to nothing is not tried again unchanged.

Also the report that shows the owner all facts and what became of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Literal

from pydantic import BaseModel

from agents import Fact, FactKind, is_decidable
from config import ProjectPaths, Settings
from memory import ENDED, MemoryStore, TaskStatus, UnknownTask
from orchestrator.idle.fact_finder import FactFinder
from orchestrator.services import make_git, make_sandbox, make_suite

MOST_TASKS = 2
"""Tasks that may ever be made of one subject: if two fail, it is left to the owner."""
_PREFIX = "fact."
_MOST_KEPT = 3000
_MOST_DIGESTS = 10


class _Dealt(BaseModel):
    """What was made of one subject, whatever became of the code around it."""

    digests: list[str] = []
    tasks: list[str] = []


class KnownFacts:
    """The CEO's memory of facts, in the database."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def fresh(self, facts: Iterable[Fact]) -> list[Fact]:
        """The `facts` that need a decision: not seen with this code, no open task, not tried too often."""
        dealt = {
            memory.key.removeprefix(_PREFIX): _Dealt.model_validate(memory.value)
            for memory in self._store.journal.memories("ceo", _PREFIX)
        }
        return [fact for fact in facts if self._is_fresh(fact, dealt.get(fact.subject, _Dealt()))]

    def became(self, fact: Fact, task_id: str) -> None:
        """Remember that `fact` became this task."""
        self._remember(fact, [task_id])

    def left_out(self, facts: Sequence[Fact]) -> None:
        """Remember that these were seen and not wanted as tasks; changed code makes them new."""
        for fact in facts:
            self._remember(fact, [])
        self._store.journal.forget_oldest("ceo", _PREFIX, _MOST_KEPT)

    def task_of(self, fact: Fact) -> str:
        """Id of the last task that was made of this subject; empty if there is none."""
        tasks = self._dealt(fact).tasks
        return tasks[-1] if tasks else ""

    def has_seen(self, fact: Fact) -> bool:
        """Whether it was handled with the code as it is now."""
        return fact.digest in self._dealt(fact).digests

    def _is_fresh(self, fact: Fact, dealt: _Dealt) -> bool:
        if fact.digest in dealt.digests or len(dealt.tasks) >= MOST_TASKS:
            return False
        # A comment may outlive its task; tests that fail again need another one.
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


class FactRow(BaseModel):
    """One fact with its state: `task` (it became one), `left out` (the CEO wanted no task), `decidable` (a test can
    decide it, so any model may work on it), `outside` (nobody on the team can do anything about it; `why` says why
    not), or `open` (only a strong model can make a task of it).
    """

    id: str
    kind: FactKind
    path: str
    line: int
    symbol: str
    text: str
    state: Literal["task", "left out", "decidable", "outside", "open"]
    task: str = ""
    """Id of the last task that was made of it."""
    why: str = ""
    """Why nobody on the team can do anything about it."""


class FactReport(BaseModel):
    """All facts of one commit, in the order of their kinds; `notes` say what could not be examined."""

    commit: str
    facts: list[FactRow] = []
    notes: list[str] = []


def report_facts(
    settings: Settings, paths: ProjectPaths, store: MemoryStore, kinds: Collection[FactKind]
) -> FactReport:
    """Examine the landing branch's tip, whether or not a daemon runs. No task is made, and only the suite's result is
    stored. Raises the errors of git_ops if there is no repository."""
    for folder in (paths.data, paths.state, paths.workspace):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    git = make_git(settings, paths)
    git.clone()
    commit = git.branch.tip()
    suite = make_suite(settings, paths, git, make_sandbox(settings), store)
    found = FactFinder(suite, settings).find(commit, kinds)
    known = KnownFacts(store)
    return FactReport(commit=commit, facts=[_row(fact, known) for fact in found.facts], notes=found.notes)


def _row(fact: Fact, known: KnownFacts) -> FactRow:
    task = known.task_of(fact)
    state: Literal["task", "left out", "decidable", "outside", "open"] = "open"
    if task:
        state = "task"
    elif fact.beyond:
        state = "outside"
    elif known.has_seen(fact):
        state = "left out"
    elif is_decidable(fact):
        state = "decidable"
    return FactRow(
        id=fact.digest, kind=fact.kind, path=fact.path, line=fact.line, symbol=fact.symbol, text=fact.text, state=state,
        task=task, why=fact.beyond,
    )  # fmt: skip
