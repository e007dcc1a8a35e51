"""Which parts of the method for small models are switched on, and what it remembers of a task between its stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel

from orchestrator.coding.state import CodeState, MethodState
from orchestrator.workbench.trial import Trial


@dataclass(frozen=True)
class Parts:
    """In the product all of them are on; `bench/` switches single ones off to measure what each adds."""

    views: bool = True
    """The model sees a task in several ways, not only as its text and the file."""
    resuming: bool = True
    """Once every view was used, every second answer continues the closest one so far."""
    agreement: bool = True
    """A passing answer lands only if others behave like it."""
    recombining: bool = True
    """Code searches among small changes of near misses for a version that passes."""
    confirming: bool = True
    """A match of that search can confirm the only answer that passed."""
    certainty: bool = True
    """A match of the search lands only if all matches behave alike and the tests run every line of it."""
    remembering: bool = True
    """If a search found matches that differ, the match of a later search does not land by itself."""
    assertions: bool = True
    """QA's model proposes assertions if the task states no example."""
    properties: bool = True
    """The properties that a task states become tests."""
    cutting_down: bool = True
    """Definitions that an answer rewrites unasked, and imports that it does not use, are left out."""
    seed: int = 0
    """Added to the seed of every sample; greedy answers do not change with it."""


ALL = Parts()

_SAMPLE_EVIDENCE = 500
_MOST_MISSING = 50
_MOST_SAMPLES = 24
_MOST_SAMPLE_CHARACTERS = 30_000
"""Limits of the samples kept with a task, whose stored result is limited in size; the ledger has every answer."""


class Sample(BaseModel):
    """An answer that was tried. The first ones (drafts) are drawn before the tests are settled: they vote on the tests
    and are the developer's first attempts."""

    answer: str
    passed: bool
    missing: int = 0
    """Number of tests that failed with it."""
    given: int = 1
    """How often the model gave this answer, each time to another prompt."""
    evidence: str = ""

    @classmethod
    def of(cls, answer: str, trial: Trial) -> Self:
        """The sample `answer` with the result of its trial."""
        evidence = trial.evidence[:_SAMPLE_EVIDENCE]
        # A killed run lists no failures, so it is not known how close the answer was: it counts as far.
        missing = 0 if trial.green else len(trial.failures) or _MOST_MISSING
        return cls(answer=answer, passed=trial.green, missing=missing, evidence=evidence)


class SmallState(MethodState):
    """The samples of one task, and what comparing them showed."""

    drafts: list[Sample] = []
    """The tried answers that are kept, the closest first."""
    drawn: int = 0
    """Samples asked for so far."""
    ambiguous: int = 0
    """How many matches a search found that pass all tests and differ on other calls."""
    difference: str = ""
    """A call on which two passing samples differ, in words."""
    present: Sample | None = None
    """The wanted function as it was before the work, if it exists: a small change of it may be enough."""

    @classmethod
    def of(cls, state: CodeState) -> SmallState:
        """The part of `state` that belongs to this method; changes in it are saved with `state`."""
        if not isinstance(state.own, SmallState):
            state.own = cls.model_validate(state.own.model_dump())
        return state.own

    @property
    def samples(self) -> list[Sample]:
        """The answers that recombining changes and that a new answer may continue."""
        return [*self.drafts, *([self.present] if self.present else [])]

    @property
    def passing(self) -> int:
        """Number of answers that passed all tests; an answer given twice counts twice."""
        return sum(sample.given for sample in self.drafts if sample.passed)

    @property
    def is_alone(self) -> bool:
        """Whether a single answer passed; the search may then confirm it."""
        return self.passing == 1

    def known(self, answer: str) -> Sample | None:
        """The kept sample with this answer."""
        return next((sample for sample in self.drafts if sample.answer == answer), None)

    def keep(self, sample: Sample) -> None:
        """Keep a sample, replacing an older one with the same answer; those furthest from passing are dropped."""
        others = [known for known in self.drafts if known.answer != sample.answer]
        self.drafts = sorted([*others, sample], key=lambda kept: kept.missing)[:_MOST_SAMPLES]
        while sum(len(kept.answer) for kept in self.drafts) > _MOST_SAMPLE_CHARACTERS:
            self.drafts.pop()

    def is_near(self, tests: int) -> bool:
        """Whether failed samples are worth changing or continuing: the best passes at least a quarter of the tests."""
        enough = self.present is not None or len(self.drafts) > 1
        missing = [sample.missing for sample in self.samples if not sample.passed]
        return enough and bool(missing) and 0 < min(missing) * 4 <= tests * 3
