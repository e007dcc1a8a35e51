"""What a strategy is: one that knows the task and where the developer stands, and comes to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from orchestrator.coding.state import CodeState, Sample
from orchestrator.flow import StageContext


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
        """Whether its answers are changes to the files as the last attempt left them, not to those before any."""

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        """The answer to be tried, come to in durable steps named after the attempt; None when there is none."""


@dataclass(frozen=True)
class Try:
    """One attempt to be made."""

    approach: int
    number: int
    strategy: Strategy
    draft: Sample | None = None
    """A draft that was tested and failed; it counts as an attempt and is not run again."""

    @property
    def label(self) -> str:
        return f"{self.approach}.{self.number}"


@dataclass(frozen=True)
class Written:
    """An answer that is there already: from an earlier landing round (`carried`), or as a `draft`."""

    name: str
    text: str
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The text as it is."""
        return Answer(text=self.text)
