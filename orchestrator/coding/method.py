"""A method: how models of one kind settle tests, make attempts, apply an answer and accept it.

`orchestrator/methods.py` lists the methods: `StrongModels` in this folder and `SmallModels` in
`orchestrator/small_models`. The code flow works with any method and never asks which one it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel

from agents import Requirements, TestCase
from file_system import AnswerError, FileManager, FileSystemError, apply_edits, parse_answer
from llm import ModelProfile
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.workbench.trial import Trial


class Answer(BaseModel):
    """What a model wrote, or the files it produced; `cut` if the length limit ended it."""

    text: str = ""
    tree: str = ""
    """Instead of `text`: a git tree with all files."""
    cut: bool = False


@dataclass(frozen=True)
class Standing:
    """Where an attempt starts: the files as they are, and what failed with them."""

    tree: str
    evidence: str = ""


class Strategy(Protocol):
    """A way to produce an answer."""

    @property
    def name(self) -> str:
        """Its name in the recorded attempts."""

    @property
    def goes_on(self) -> bool:
        """Whether its answers apply to the files as the last attempt left them, and not to those before any attempt."""

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """The answer to try, made in durable steps named after the attempt; None if there is none."""


@dataclass(frozen=True)
class AttemptName:
    """What an attempt is called in the records."""

    approach: int
    number: int
    strategy: str

    @property
    def label(self) -> str:
        return f"{self.approach}.{self.number}"


@dataclass(frozen=True)
class Try:
    """One attempt that a strategy makes."""

    approach: int
    number: int
    strategy: Strategy

    @property
    def label(self) -> str:
        return self.named.label

    @property
    def named(self) -> AttemptName:
        return AttemptName(self.approach, self.number, self.strategy.name)


@dataclass(frozen=True)
class Carried:
    """`carried`: the answer from before the work was moved to another base."""

    text: str
    name = "carried"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The text as it is."""
        return Answer(text=self.text)


Progress = Literal["green", "again", "disputed"]
"""How an approach ended: the code is committed, another approach is left, or QA has to see to the tests, because the
developer disputed one or because what the work touches has none."""


class Method(Protocol):
    """How models of one kind write code. What it must remember between stages it keeps in `state.own`."""

    approaches: int
    """Approaches to a task unless the owner sets their number."""
    chooses_file: bool
    """Whether product has to name the file of the work before it begins."""
    takes_test_issues: bool
    """Whether QA can rework the tests after a review."""
    runs_tests_often: bool
    """Whether it runs the tests so often that slow ones (hypothesis) must be avoided."""

    def suits(self, profile: ModelProfile) -> bool:
        """Whether it is for a model with these abilities. The first method that suits is taken."""

    def settle_tests(self, ctx: StageContext, state: CodeState, qa_method: Method) -> bool:
        """Fill `state` with tests that were seen to fail, and commit them; `qa_method` is that of QA's model. False if
        the parts that the task was split into have done all of the work."""

    def write_code(self, ctx: StageContext, state: CodeState) -> Progress:
        """One approach to the code; a green one is committed."""

    # -- before the tests are settled --

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """What the developer does before the tests are settled; `stated` are those the task states."""

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """Tests that QA adds to the `stated` ones. `fast`: they run often, so hypothesis is too slow."""

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """Called with the number of tests of `state` that fail without the code."""

    # -- while the tests fail --

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """The attempts of the present approach (number `state.turns`). The result of one may change the next.

        `seen`: identities of the tested answers; the method adds those that it tested itself.
        """

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str) -> str:
        """Apply `answer` to the files below `root`. What is wrong with it, in words for its author; empty if nothing.

        `protected`: patterns of what it may not write.
        """

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """Whether a repeated answer is new information."""

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """Whether the tried answer may land. Called after each trial, so that the method also learns from failures."""

    def is_far(self, state: CodeState) -> bool:
        """Whether no answer so far came close; tasks that are close go first."""

    def is_hopeless(self, state: CodeState) -> bool:
        """Whether further attempts with this model will not help."""

    def open_question(self, state: CodeState) -> StageFailed | None:
        """What the owner has to answer if no attempt is left; None if the tests simply fail."""

    # -- once they pass --

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """The target module as other answers would leave it: they show whether the accepted one is right elsewhere."""


def apply_file_edits(root: Path, protected: list[str], *, requirements: Requirements, answer: str) -> str:
    """Make the edits of `answer`, whole files or search/replace blocks, in the files below `root`; see `Apply`."""
    files = FileManager(root, protected=protected)
    try:
        apply_edits(files, parse_answer(answer, target=requirements.target_file))
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    return ""
