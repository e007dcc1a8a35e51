"""What an owner is shown of the facts: all that was found, and what became of each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel

from agents import Fact, FactKind, is_decidable
from config import ProjectPaths, Settings
from memory import MemoryStore
from orchestrator.idle.facts.finder import FactFinder
from orchestrator.idle.facts.known import KnownFacts
from orchestrator.services import make_git, make_sandbox, make_suite


class FactRow(BaseModel):
    """One fact with its state: `task` (one was made of it), `left out` (the CEO wanted none), `decidable` (a test can
    decide it, so that any model may work on it), `outside` (no code of the project can mend it), or `open`: it takes a
    strong model's words to become a task.
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


class FactReport(BaseModel):
    """All facts of one commit, in the order of their kinds; `notes` say what could not be looked at."""

    commit: str
    facts: list[FactRow] = []
    notes: list[str] = []


def report_facts(
    settings: Settings, paths: ProjectPaths, store: MemoryStore, kinds: Collection[FactKind]
) -> FactReport:
    """Look the landing branch's tip over, whether or not a daemon runs; no task is made and nothing remembered but
    the suite's result. Raises the errors of git_ops when there is no repository to look at."""
    for folder in (paths.data, paths.state, paths.workspace):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    git = make_git(settings, paths)
    git.clone()
    commit = git.branch.tip()
    suite = make_suite(settings, paths, git, make_sandbox(settings))
    found = FactFinder(suite, may_run=settings.testing.auto_run).find(commit, kinds)
    known = KnownFacts(store)
    return FactReport(commit=commit, facts=[_row(fact, known) for fact in found.facts], notes=found.notes)


def _row(fact: Fact, known: KnownFacts) -> FactRow:
    task = known.task_of(fact)
    state: Literal["task", "left out", "decidable", "outside", "open"] = "open"
    if task:
        state = "task"
    elif fact.outside:
        state = "outside"
    elif known.has_seen(fact):
        state = "left out"
    elif is_decidable(fact):
        state = "decidable"
    return FactRow(
        id=fact.digest, kind=fact.kind, path=fact.path, line=fact.line, symbol=fact.symbol, text=fact.text, state=state,
        task=task,
    )  # fmt: skip
