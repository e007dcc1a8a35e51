"""What the stages of a code task pass on to each other."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, SerializeAsAny, model_validator

from agents import Requirements, TestCase
from agents.answers import WebPage
from memory import ProofOutcome, SuiteQuality, Task
from orchestrator.baseline import Baseline
from orchestrator.flow import LandingState


class Settled(BaseModel):
    """Requirements, if they could be settled."""

    requirements: Requirements | None


class MethodState(BaseModel):
    """What a method keeps between the stages of a task; each method has its own subclass."""

    model_config = ConfigDict(extra="allow")


_OWN_ONCE = ("drafts", "drawn", "ambiguous", "difference", "present")
"""Fields of a method that older versions stored among those of the task."""


class Dispute(BaseModel):
    """The developer's doubt about one test."""

    test: str
    reason: str
    answer: str = ""
    """What QA says to it; empty until it has."""


class CodeState(LandingState):
    """Facts about one code task, each set by the stage that found it."""

    base: str = ""
    """The commit of the landing branch that the work is based on."""
    suite_size: int = 0
    """Tests of the suite that passed before the work."""
    failing_before: int = 0
    """Tests, and files that could not be collected, that failed before the work."""
    requirements: Requirements | None = None
    kind: str = ""
    """The kind of the work, as the owner or the team chose it; empty on the road of models without tools."""
    brief: str = ""
    """What QA tells the developer."""
    places: list[str] = []
    """Code that the developer has to see, as path:first-last."""
    named: list[str] = []
    """Code that the task seems to name, and a test of it, as path:first-last; QA is shown it."""
    changed_tests: dict[str, str] = {}
    """Existing tests that the task makes untrue and QA changed: id -> reason."""
    examples_file: str = ""
    """The file with the tests that code made of stated examples."""
    dispute: Dispute | None = None
    """The latest test that the developer disputed."""
    disputed: list[str] = []
    """All of them, each as often as it was disputed, and twice if QA keeps it: twice at most."""
    unfinished: str = ""
    """A tree with the developer's work when it disputed a test; `unfinished_on` is the commit of tests below it."""
    unfinished_on: str = ""
    former: list[str] = []
    """The commits of tests and code that did not fit the landing branch, to be carried over to its new tip."""
    conflict: str = ""
    """Why the code could not be."""
    summary: str = ""
    """What the developer says of its change."""
    commit_message: str = ""
    lessons: str = ""
    """Lessons of earlier tasks that may help here. Read once, so that all prompts of a task begin alike."""
    cases: list[TestCase] = []
    tests_file: str = ""
    tests_ids: list[str] = []
    tests_commit: str = ""
    red_count: int = 0
    """How many of `tests_ids` failed before the work."""
    red_ids: list[str] = []
    """The tests that failed without the code, without their parameters."""
    hidden: list[str] = []
    """The tests that the developer is not shown."""
    shown: str = ""
    """The files as the developer sees them first: those of `tests_commit` without the hidden tests."""
    dropped_tests: int = 0
    """Assertions of QA that were dropped: unusable, not agreed on, or not about the task."""
    quality: SuiteQuality | None = None
    """How strong the tests are, measured on the accepted code."""
    proofs: list[ProofOutcome] = []
    """What was found out about the proofs of this kind of work."""
    benchmark: str = ""
    """QA's program whose function `benchmark` work on performance has to make faster."""
    page: WebPage | None = None
    """The web page that the work is about, as QA says that it is served."""
    asked_for_tests: int = 0
    """How often QA was asked for tests of code that the work touches and that no test runs."""
    own: SerializeAsAny[MethodState] = MethodState()
    """The state of the developer's method."""
    model: str = ""
    """The model that the developer has escalated to; empty for its own."""
    seen: list[str] = []
    """Identities of the answers that were tried in earlier approaches."""
    turns: int = 0
    """Approaches since the tests were settled, the work was sent back, or another model took over."""
    earlier: int = 0
    """Approaches before those."""
    loops: int = 0
    """How many of all approaches ended because they went round in circles."""
    answer: str = ""
    """The developer's answer that passed."""
    approach: int = 0
    attempts: int = 0
    strategy: str = ""
    """The name of the strategy that gave that answer, such as write, repair, tools or carried."""
    review_rounds: int = 0
    review_issues: list[str] = []
    test_issues: list[str] = []
    """What the reviewer wants changed in the tests; QA's until it has."""
    approved_change: str = ""
    """The fingerprint of the change that was put to the owner: another one needs another approval."""
    held: list[str] = []
    """Changed files for which the change lands only with the owner's approval."""
    reworks: int = 0
    """How often what was said of its request became work again."""
    remarks_taken: int = 0
    """How much of what was said of its request was taken up."""
    merged_as: str = ""
    """The commit of the base branch by which its request was merged."""
    deployment: str = ""
    """What `DeploymentManager` said of the landed change."""

    @model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, stored: object) -> object:
        if isinstance(stored, dict) and "own" not in stored:
            return {**stored, "own": {name: stored[name] for name in _OWN_ONCE if name in stored}}
        return stored

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
        """Move the work to another commit; what depends on the commit is determined again."""
        self.base, self.suite_size = base, len(baseline.passed)
        self.failing_before = len(baseline.failed)
        self.former = [self.tests_commit, self.code_commit] if self.tests_commit and self.code_commit else []
        self.tests_commit = self.code_commit = self.shown = ""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start counting the allowed approaches again; their numbers continue."""
        self.earlier, self.turns = self.earlier + self.turns, 0

    def send_back_tests(self, issues: list[str]) -> None:
        """Let QA rework the tests; the developer's work is kept, to go on from it."""
        self.test_issues = issues
        if self.code_commit != self.tests_commit:
            self.unfinished, self.unfinished_on = self.code_commit, self.tests_commit
        self.code_commit = ""

    @property
    def shown_ids(self) -> list[str]:
        """The tests that the developer is shown."""
        return [test_id for test_id in self.tests_ids if test_id.partition("[")[0] not in self.hidden]

    @property
    def shown_cases(self) -> list[TestCase]:
        """The cases of the tests that the developer is shown; one test may have several cases."""
        names = [re.escape(test_id.rsplit("::", 1)[-1]) for test_id in self.hidden]
        of_hidden = re.compile(rf"(?:{'|'.join(names)})(?:_\d+)?") if names else None
        return [case for case in self.cases if not (of_hidden and of_hidden.fullmatch(case.name))]

    @property
    def is_carried_over(self) -> bool:
        """Whether an answer from an earlier base is tried first."""
        return bool(self.answer) and not self.review_issues and self.turns == 1

    def step_back(self, *, far: bool) -> None:
        """After a failed approach, put the task behind those that were tried less often, further if it is `far`."""
        self.behind = 2 * self.turns + far

    def finished(self) -> Self:
        """What is kept once the task is completed."""
        return self.model_copy(
            update={"own": MethodState(), "seen": [], "review_issues": [], "lessons": "", "behind": 0}
        )
