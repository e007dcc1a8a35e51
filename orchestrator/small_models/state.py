"""What the method of small models keeps of a task between its stages."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from orchestrator.coding.state import CodeState, MethodState
from orchestrator.workbench.trial import Trial

_SAMPLE_EVIDENCE = 500
_MOST_MISSING = 50
_MOST_SAMPLES = 24
_MOST_SAMPLE_CHARACTERS = 30_000
"""What is kept of them with the task, whose result is bounded; the ledger has every answer."""


class Sample(BaseModel):
    """An answer that was tried. The first ones are drawn before the tests are settled: they are a vote on them and the
    developer's first attempts. Later ones are what recombining draws from."""

    answer: str
    passed: bool
    missing: int = 0
    """Tests that failed with it."""
    given: int = 1
    """How often it was the answer, each time to another question."""
    evidence: str = ""

    @classmethod
    def of(cls, answer: str, trial: Trial) -> Self:
        """The sample `answer` with what its trial showed."""
        evidence = trial.evidence[:_SAMPLE_EVIDENCE]
        # A run that was killed names no failures: nothing is known of how near it was.
        missing = 0 if trial.green else len(trial.failures) or _MOST_MISSING
        return cls(answer=answer, passed=trial.green, missing=missing, evidence=evidence)


class SmallState(MethodState):
    """The samples of one task, and what was seen in comparing them."""

    drafts: list[Sample] = []
    """The tried answers that are kept, the nearest first."""
    drawn: int = 0
    """Samples asked for so far."""
    ambiguous: int = 0
    """How many solutions a search found that pass all tests and differ elsewhere."""
    difference: str = ""
    """A call on which two passing samples differ, in words."""
    present: Sample | None = None
    """The wanted function as it is before the work, if it exists: a small change may be all that is missing."""

    @classmethod
    def of(cls, state: CodeState) -> SmallState:
        """What `state` holds of it; what is changed in it is saved with `state`."""
        if not isinstance(state.own, SmallState):
            state.own = cls.model_validate(state.own.model_dump())
        return state.own

    @property
    def samples(self) -> list[Sample]:
        """What recombining draws from, and what an answer may go on from."""
        return [*self.drafts, *([self.present] if self.present else [])]

    @property
    def passing(self) -> int:
        """Answers that passed all tests, each as often as it was given."""
        return sum(sample.given for sample in self.drafts if sample.passed)

    @property
    def is_alone(self) -> bool:
        """Whether one answer passed and no second one says what is right; the search may then confirm it."""
        return self.passing == 1

    def known(self, answer: str) -> Sample | None:
        """The kept sample with this answer."""
        return next((sample for sample in self.drafts if sample.answer == answer), None)

    def keep(self, sample: Sample) -> None:
        """Remember a sample, in place of what was known of it, as long as it is among the nearest ones."""
        others = [known for known in self.drafts if known.answer != sample.answer]
        self.drafts = sorted([*others, sample], key=lambda kept: kept.missing)[:_MOST_SAMPLES]
        while sum(len(kept.answer) for kept in self.drafts) > _MOST_SAMPLE_CHARACTERS:
            self.drafts.pop()

    def is_near(self, tests: int) -> bool:
        """Whether failed samples are worth going on from: the best one passes at least a quarter of so many tests."""
        enough = self.present is not None or len(self.drafts) > 1
        missing = [sample.missing for sample in self.samples if not sample.passed]
        return enough and bool(missing) and 0 < min(missing) * 4 <= tests * 3
