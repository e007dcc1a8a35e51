"""What agents answer: the typed results of their work, and the shapes models are asked to fill."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from memory import TaskKind


class Requirements(BaseModel):
    """What a code task is about, as far as it can be pinned down before any code is written."""

    target_file: str = Field(description="Repository path of the file the work is mainly in.")
    module: str = Field("", description="Dotted import name of that file; empty when it is not Python.")
    symbols: list[str] = Field(
        default_factory=list, description="Functions, methods (`Class.method`) or classes to add or change."
    )
    new_file: bool = False
    chosen_by: Literal["code", "model"] = "code"
    further: list[Requirements] = Field(
        default_factory=list, description="What the owner's tests want of other files: of each file its symbols."
    )

    @property
    def pieces(self) -> list[Requirements]:
        """What is wanted of each file by itself, the target file first."""
        return [self.model_copy(update={"further": []}), *self.further]


class FileChoice(BaseModel):
    """A model's answer to: in which file does this belong?"""

    file: str


def _today(origin: object) -> object:
    """Steps that earlier versions stored say "law" for "property"."""
    return "property" if origin == "law" else origin


class TestCase(BaseModel):
    """One test of one assertion: `lines` is the body of the function `name`."""

    __test__ = False

    name: str
    lines: list[str]
    origin: Annotated[Literal["owner", "example", "qa", "property", "mutant"], BeforeValidator(_today)] = "example"

    @property
    def imports(self) -> list[str]:
        """The lines that import."""
        return [line for line in self.lines if line.startswith(("import ", "from "))]

    @property
    def statements(self) -> list[str]:
        """The other lines, the assertion last."""
        return [line for line in self.lines if line not in self.imports]


class AssertionList(BaseModel):
    """Assertions of QA, each one `assert` statement in the language of the tests."""

    assertions: list[str] = Field(max_length=12)


class ReviewCriterion(BaseModel):
    """One thing a judgement rests on."""

    name: str = Field(max_length=80)
    threshold: float = Field(ge=0, le=10)
    weight: float = Field(ge=0, le=10)
    score: float = Field(ge=0, le=10)


class Review(BaseModel):
    """A judgement of a change or a report."""

    approved: bool
    score: float = Field(ge=0, le=10)
    criteria: list[ReviewCriterion] = Field(default_factory=list, max_length=8)
    issues: list[str] = Field(default_factory=list, max_length=10)
    test_issues: list[str] = Field(
        default_factory=list, max_length=10, description="What must change in the tests, which only QA may write."
    )
    reasoning: str = Field("", max_length=2000)


class Part(BaseModel):
    """A smaller piece of work that stands alone."""

    title: str = Field(min_length=4, max_length=120)
    description: str = Field(min_length=20, max_length=4000)


class Escalation(BaseModel):
    """What a tech lead makes of a task that did not succeed."""

    action: Literal["split", "rewrite", "give_up"]
    reason: str = Field(min_length=4, max_length=600, description="Why, in one or two sentences.")
    parts: list[Part] = Field(default_factory=list, max_length=4, description="To split: what is to be done first.")
    title: str = Field("", max_length=120, description="To rewrite: the new title.")
    description: str = Field("", max_length=4000, description="To rewrite: the new description.")
    lesson: str = Field("", max_length=300, description="One line worth knowing for other work here, or empty.")

    @model_validator(mode="after")
    def _holds_what_it_says(self) -> Self:
        if self.action == "split" and not self.parts:
            raise ValueError("to split, give parts")
        if self.action == "rewrite" and not (self.title.strip() and self.description.strip()):
            raise ValueError("to rewrite, give title and description")
        return self


class TaskIdea(BaseModel):
    """A task as the CEO words it."""

    title: str = Field(min_length=4, max_length=120)
    description: str = Field(min_length=20, max_length=4000)
    priority: Literal["high", "medium", "low"] = "medium"
    reason: str = Field("", max_length=400)
    facts: list[str] = Field(default_factory=list, max_length=12, description="Ids of the facts it is made of.")


class TaskIdeas(BaseModel):
    """What the CEO proposes; an empty list means that nothing is worth doing now."""

    tasks: list[TaskIdea] = Field(default_factory=list, max_length=8)


class PlanItem(BaseModel):
    """A task of a plan, as the CEO words it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=4, max_length=120)
    description: str = Field(
        min_length=20, max_length=4000, description="What is wanted and why, for somebody who knows only the code."
    )
    kind: TaskKind
    acceptance: list[Annotated[str, Field(min_length=8, max_length=400)]] = Field(
        min_length=1,
        max_length=12,
        description="Sentences of which each can be checked when the work is done. Examples such as `f(2)` returns "
        "`4` become tests as they are.",
    )
    files: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        min_length=1, max_length=20, description="Paths in the repository: what is to change, and what is new."
    )
    depends_on: list[int | str] = Field(
        default_factory=list,
        max_length=12,
        description="Tasks of this plan that must land first, by their number from 1 or by their title.",
    )
    priority: Literal["high", "medium", "low"] = "medium"


class WebPage(BaseModel):
    """A web page, and what serves it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = Field(min_length=1, max_length=500, description="Such as python -m shop.web --port 8080")
    address: str = Field(max_length=500, pattern=r"^http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?$")


class Choice(BaseModel):
    """Something that a goal leaves open, and what was chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=4, max_length=300)
    choice: str = Field(min_length=1, max_length=600, description="What was chosen, and why.")


class Report(BaseModel):
    """The result of an analysis task."""

    summary: str = Field(min_length=1, max_length=2000)
    findings: list[str] = Field(default_factory=list, max_length=30)
    recommendations: list[str] = Field(default_factory=list, max_length=30)
