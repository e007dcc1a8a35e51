"""What the stages of a code task hand on to each other."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel

from agents import Requirements, TestCase
from memory import SuiteQuality, Task
from orchestrator.flow import FlowState
from orchestrator.suite import Baseline
from orchestrator.workbench.trial import Trial


class Settled(BaseModel):
    """Requirements, if they could be settled."""

    requirements: Requirements | None


_SAMPLE_EVIDENCE = 500
_MOST_MISSING = 50
_MOST_SAMPLES = 24
_MOST_SAMPLE_CHARACTERS = 30_000
"""What is kept of them with the task, whose result is bounded; the ledger has every answer."""


class Sample(BaseModel):
    """An answer of a small model that was tried. The first ones are drawn before the tests are settled: they are a
    vote on them and the developer's first attempts. Later ones are what recombining draws from."""

    answer: str
    passed: bool
    missing: int = 0
    """Tests that failed with it."""
    given: int = 1
    """How often it was the answer, each time to something else."""
    evidence: str = ""

    @classmethod
    def of(cls, answer: str, trial: Trial) -> Self:
        """The sample `answer` with what its trial showed."""
        evidence = trial.evidence[:_SAMPLE_EVIDENCE]
        # A run that was killed names no failures: nothing is known of how near it was.
        missing = 0 if trial.green else len(trial.failures) or _MOST_MISSING
        return cls(answer=answer, passed=trial.green, missing=missing, evidence=evidence)


class CodeState(FlowState):
    """Facts about one code task, each set by the stage that found it."""

    base: str = ""
    """Commit of the landing branch the work stands on."""
    suite_size: int = 0
    requirements: Requirements | None = None
    lessons: str = ""
    """What earlier tasks taught that may matter here. Settled once, so that prompts of a task begin alike."""
    cases: list[TestCase] = []
    tests_file: str = ""
    tests_ids: list[str] = []
    tests_commit: str = ""
    red_ids: list[str] = []
    """Those that failed without the code, without their parameters."""
    hidden: list[str] = []
    """Of the tests those that the developer is not shown."""
    shown: str = ""
    """The files as the developer sees them first: those of `tests_commit` without the hidden tests."""
    dropped_tests: int = 0
    """Assertions of QA that were not kept: unusable, not agreed upon, or not about the task."""
    quality: SuiteQuality | None = None
    """How strong the tests are, measured on the accepted code."""
    drafts: list[Sample] = []
    model: str = ""
    """The model that the developer has come to, where its own did not succeed."""
    drawn: int = 0
    """Samples asked for so far."""
    ambiguous: int = 0
    """How many solutions a search found that pass all tests and differ elsewhere."""
    difference: str = ""
    """A call on which two passing samples differ, in words."""
    present: Sample | None = None
    """The wanted function as it is before the work, where it is there: a small change may be all that is missing."""
    seen: list[str] = []
    """Identities of the answers that were tried in earlier approaches."""
    turns: int = 0
    """Approaches begun since the tests were settled, the work was sent back, or another model took it over."""
    earlier: int = 0
    """Approaches before those."""
    loops: int = 0
    """Of all approaches, those that ended because they went round in circles."""
    answer: str = ""
    """The developer's answer that passed."""
    code_commit: str = ""
    approach: int = 0
    attempts: int = 0
    strategy: str = ""
    """How that answer came about: draft, sample, recombined, write, repair, carried."""
    review_rounds: int = 0
    review_issues: list[str] = []
    landing_rounds: int = 0
    landed_commits: list[str] = []
    pushed: bool = False
    push_error: str = ""
    deployment: str = ""
    """What `DeploymentManager` said of the landed change."""

    @classmethod
    def of(cls, task: Task) -> Self:
        """The state as the last stage left it."""
        return cls.model_validate(task.result)

    @property
    def settled(self) -> Requirements:
        """The requirements; every stage after the first has them."""
        assert self.requirements is not None
        return self.requirements

    def begin(self, base: str, baseline: Baseline, requirements: Requirements) -> None:
        """The facts of the first stage."""
        self.rebase(base, baseline)
        self.requirements = requirements

    def rebase(self, base: str, baseline: Baseline) -> None:
        """The same work on another commit: what depends on the commit is found anew."""
        self.base, self.suite_size = base, len(baseline.passed)
        self.tests_commit = self.code_commit = self.shown = ""
        self.begin_anew()

    def begin_anew(self) -> None:
        """The approaches that are allowed begin to count again; their numbers go on."""
        self.earlier, self.turns = self.earlier + self.turns, 0

    @property
    def shown_ids(self) -> list[str]:
        """The tests that the developer is shown."""
        return [test_id for test_id in self.tests_ids if test_id.partition("[")[0] not in self.hidden]

    @property
    def shown_cases(self) -> list[TestCase]:
        """The cases of the tests that the developer is shown; one test may be several cases."""
        names = [re.escape(test_id.rsplit("::", 1)[-1]) for test_id in self.hidden]
        of_hidden = re.compile(rf"(?:{'|'.join(names)})(?:_\d+)?") if names else None
        return [case for case in self.cases if not (of_hidden and of_hidden.fullmatch(case.name))]

    @property
    def samples(self) -> list[Sample]:
        """What recombining draws from, and what an answer may go on from."""
        return [*self.drafts, *([self.present] if self.present else [])]

    def keep(self, sample: Sample) -> None:
        """Remember a sample, in place of what was known of it, as long as it is among the nearest ones."""
        others = [known for known in self.drafts if known.answer != sample.answer]
        self.drafts = sorted([*others, sample], key=lambda kept: kept.missing)[:_MOST_SAMPLES]
        while sum(len(kept.answer) for kept in self.drafts) > _MOST_SAMPLE_CHARACTERS:
            self.drafts.pop()

    def step_back(self) -> None:
        """An approach failed: let tasks go first that were tried less often, and of those the ones that are near."""
        nearest = min((draft.missing for draft in self.drafts), default=0)
        self.behind = 2 * self.turns + (nearest > 1)

    def finished(self) -> Self:
        """What is worth keeping once the task is completed."""
        return self.model_copy(
            update={"drafts": [], "present": None, "seen": [], "review_issues": [], "lessons": "", "behind": 0}
        )
