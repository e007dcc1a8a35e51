"""What a method is: how a model of a certain kind settles tests, makes attempts, applies an answer and accepts it.

There are two, `StrongModels` in this folder and `SmallModels` in `orchestrator/small_models`; `orchestrator/methods.py`
lists them. The code flow works with either one and never asks which it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from agents import Requirements, TestCase
from file_system import AnswerError, FileManager, FileSystemError, apply_edits, parse_answer
from llm import ModelProfile
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.workbench.trial import Trial


class Answer(BaseModel):
    """What a model wrote, or the files it came to; `cut` when its length limit ended it."""

    text: str = ""
    tree: str = ""
    """Instead of a text: a git tree with all files."""
    cut: bool = False


@dataclass(frozen=True)
class Standing:
    """Where the developer stands before an attempt: the files as they are, and what failed with them."""

    tree: str
    evidence: str = ""


class Strategy(Protocol):
    """A way to come to an answer."""

    @property
    def name(self) -> str:
        """What `attempts` call it."""

    @property
    def goes_on(self) -> bool:
        """Whether its answers change the files as the last attempt left them, not those before any attempt."""

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """The answer to try, made in durable steps named after the attempt; None when there is none."""


@dataclass(frozen=True)
class Try:
    """One attempt to make."""

    approach: int
    number: int
    strategy: Strategy

    @property
    def label(self) -> str:
        return f"{self.approach}.{self.number}"


@dataclass(frozen=True)
class Carried:
    """`carried`: the answer from before the work was sent back to another base."""

    text: str
    name = "carried"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The text as it is."""
        return Answer(text=self.text)


class Method(Protocol):
    """How models of one kind write code. What it must remember between stages it keeps in `state.own`."""

    approaches: int
    """Approaches to a task when the owner does not say how many."""
    runs_tests_often: bool
    """Whether it runs the tests so often that slow ones (hypothesis) are out of the question."""

    def suits(self, profile: ModelProfile) -> bool:
        """Whether it is for a model with these abilities. The first method that suits is taken."""

    # -- before the tests are settled --

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """What the developer does before the tests are settled; `stated` are those the task states."""

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """Tests that QA adds to the `stated` ones. `fast`: they will be run often, so hypothesis is too slow."""

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """So many tests of `state` have been seen to fail without the code."""

    # -- while the tests fail --

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """The attempts of the approach that `state.turns` counts. The result of one may change what comes next.

        `seen`: identities of the answers that were tested; the method adds those it tested itself.
        """

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str, tests: str) -> str:
        """Put `answer` into the files below `root`. What is wrong with it, in words for its author, or nothing.

        `protected`: patterns of what it may not write. `tests`: the text of the new tests.
        """

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """Whether an answer that was given before tells something new when it is given again."""

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """Whether the tried answer may land. Called after each trial, so that the method learns from failures too."""

    def is_far(self, state: CodeState) -> bool:
        """Whether no answer so far is near, so that tasks that are near go first."""

    def is_hopeless(self, state: CodeState) -> bool:
        """Whether further attempts with this model will not help."""

    def open_question(self, state: CodeState) -> StageFailed | None:
        """What the owner has to answer when no attempt is left; None when the tests simply fail."""

    # -- once they pass --

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """The target module as other answers would leave it: they tell whether the accepted one is right elsewhere."""


def apply_file_edits(
    root: Path, protected: list[str], *, requirements: Requirements, answer: str, tests: str = ""
) -> str:
    """Make the edits of `answer`, whole files or search/replace blocks, in the files below `root`; see `Apply`."""
    files = FileManager(root, protected=protected)
    try:
        apply_edits(files, parse_answer(answer, target=requirements.target_file))
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    finally:
        files.discard_backups()
    return ""
