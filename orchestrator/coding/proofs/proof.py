"""What a proof is: something that code finds out about a change, beside its tests and the suite."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from git_ops import ChangedFile
from memory import ProofOutcome
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.suite import Suite


@dataclass(frozen=True)
class Work:
    """A change that is green, and what it was made on."""

    ctx: StageContext
    state: CodeState
    before: str
    """The commit with QA's tests, below the work."""
    after: str
    """A commit or tree with the work."""

    @property
    def suite(self) -> Suite:
        """What runs something on commits and trees, under `label`."""
        return self.ctx.services.suite

    @property
    def label(self) -> str:
        """What runs for this task is known by."""
        return self.ctx.task.id

    @cached_property
    def changes(self) -> list[ChangedFile]:
        """The files that differ."""
        return self.ctx.bench.changed(self.before, self.after)

    @cached_property
    def paths(self) -> list[str]:
        """Where they are, or were if they are gone."""
        return [change.path for change in self.changes]

    @cached_property
    def old_texts(self) -> dict[str, str]:
        """The texts before the work, by the path that the file has after it; empty for new files."""
        places = {change.path: change.old_path or change.path for change in self.changes}
        texts = self.ctx.bench.texts_of(self.before, [*places.values()])
        return {path: texts[place] for path, place in places.items()}

    @cached_property
    def new_texts(self) -> dict[str, str]:
        """The texts after the work; empty for files that are gone."""
        return self.ctx.bench.texts_of(self.after, self.paths)


class Proof(Protocol):
    """One proof; `PROOFS` lists all."""

    @property
    def name(self) -> str:
        """As it is recorded."""

    def applies(self, work: Work) -> bool:
        """Whether work of this kind that changes these files needs it."""

    def examine(self, work: Work) -> ProofOutcome:
        """What is found out. Takes a bounded time, and may be repeated."""


def holds(name: str, told: str = "") -> ProofOutcome:
    """The proof was seen; `told` is what was looked at."""
    return ProofOutcome(name=name, outcome="holds", told=told)


def lacks(name: str, told: str, *, by_tests: bool = False) -> ProofOutcome:
    """The proof is not there; `told` says why, in words for who has to mend it."""
    return ProofOutcome(name=name, outcome="lacks", told=told, by_tests=by_tests)


def not_checked(name: str, why: str) -> ProofOutcome:
    """Nothing could be looked at, which holds up no work."""
    return ProofOutcome(name=name, outcome="not checked", told=why)


def listed(names: Collection[str], most: int = 8) -> str:
    """The first of `names` in words, and how many there are beside them."""
    chosen = list(names)
    rest = f" and {len(chosen) - most} more" if len(chosen) > most else ""
    return f"{', '.join(chosen[:most])}{rest}"
