"""What the stages of a code task hand on to each other."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from agents import Requirements, TestCase
from memory import Task
from orchestrator.flows.flow import FlowState
from orchestrator.suite import Baseline


class Settled(BaseModel):
    """Requirements, if they could be settled."""

    requirements: Requirements | None


class Draft(BaseModel):
    """A solution that was drawn before the tests were settled: a vote on them, and the developer's first attempts."""

    answer: str
    passed: bool
    evidence: str = ""


class CodeState(FlowState):
    """Facts about one code task, each set by the stage that found it."""

    base: str = ""
    """Commit of the landing branch the work stands on."""
    suite_size: int = 0
    requirements: Requirements | None = None
    cases: list[TestCase] = []
    tests_file: str = ""
    tests_ids: list[str] = []
    tests_commit: str = ""
    dropped_tests: int = 0
    """Assertions of QA that were not kept: unusable, not agreed upon, or not about the task."""
    drafts: list[Draft] = []
    answer: str = ""
    """The developer's answer that passed."""
    code_commit: str = ""
    approach: int = 0
    attempts: int = 0
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
        self.tests_commit = self.code_commit = ""

    def finished(self) -> Self:
        """What is worth keeping once the task is completed."""
        return self.model_copy(update={"drafts": [], "review_issues": []})
