"""From a text to a project: the specification, the messages of the discussion, the architecture and the plan, and what
code checks of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from agents.answers import PlanItem
from agents.decisions import AnsweredObjection
from agents.plan import PlanLimits, dependencies, problems_of

_MARKS = re.compile(r"[*_`#>~|]+|^\s*[-+]\s+|^\s*\d+[.)]\s+", re.MULTILINE)
"""What Markdown adds to words."""
_SHORTEST_QUOTE = 8
_NAME = r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*$"
_RESERVED = {"test", "tests", "docs", "src", "build", "dist", "setup", "site"}
"""Names of packages that would hide something else."""
_Short = Annotated[str, Field(min_length=3, max_length=400)]


class Stated(BaseModel):
    """Something that the text says, or that follows from it."""

    says: str = Field(min_length=3, max_length=600)
    quote: str = Field("", max_length=400, description="The words of the text that it rests on, as they stand there.")


class OpenQuestion(BaseModel):
    """Something that the text leaves open."""

    question: str = Field(min_length=8, max_length=400)
    blocks: bool = Field(False, description="Whether any assumption would probably make the work worthless.")
    assumption: str = Field("", max_length=400, description="What is assumed until somebody says otherwise.")


class Specification(BaseModel):
    """What a text asks for, in parts that can be worked with."""

    title: str = Field(min_length=3, max_length=100)
    goal: Stated
    users: list[Stated] = Field(default_factory=list, max_length=8)
    features: list[Stated] = Field(min_length=1, max_length=20)
    constraints: list[Stated] = Field(default_factory=list, max_length=12)
    acceptance: list[Stated] = Field(default_factory=list, max_length=20)
    questions: list[OpenQuestion] = Field(default_factory=list, max_length=8)

    @property
    def labelled(self) -> dict[str, str]:
        """Label -> each thing that a plan has to serve: its features, constraints and acceptance criteria."""
        stated = {"F": self.features, "C": self.constraints, "A": self.acceptance}
        return {f"{letter}{number}": each.says for letter, parts in stated.items()
                for number, each in enumerate(parts, 1)}  # fmt: skip

    @property
    def blocking(self) -> list[str]:
        """The questions that only the owner can answer."""
        return [each.question for each in self.questions if each.blocks]


class Invitation(BaseModel):
    """A role that takes part in a discussion."""

    agent: str = Field(max_length=64)
    reason: str = Field(min_length=5, max_length=300, description="What this project needs of it.")


class Agenda(BaseModel):
    """How a discussion begins."""

    invited: list[Invitation] = Field(min_length=1, max_length=12)
    questions: list[_Short] = Field(min_length=1, max_length=8, description="What has to be settled.")
    proposal: str = Field(min_length=20, max_length=2500, description="Where you would begin, to be argued with.")


class Message(BaseModel):
    """A message in a discussion."""

    to: list[str] = Field(default_factory=list, max_length=8, description="Whom you ask or answer; empty: everybody.")
    text: str = Field(min_length=2, max_length=2000)
    concerns: list[_Short] = Field(
        default_factory=list, max_length=4, description="What must not be forgotten. Each is answered in the end."
    )
    agreed: bool = Field(False, description="Whether you agree with where it stands and have nothing to ask.")


class Component(BaseModel):
    """A part of an architecture."""

    name: str = Field(min_length=2, max_length=100)
    does: str = Field(min_length=5, max_length=600)
    files: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list, max_length=12)


class Settlement(BaseModel):
    """Something that was open and is settled."""

    decision: str = Field(min_length=5, max_length=500)
    why: str = Field(min_length=5, max_length=600)


class Skeleton(BaseModel):
    """What an empty repository begins with. Code makes it."""

    language: Literal["python", "javascript", "other"]
    package: str = Field(
        pattern=_NAME, max_length=50, description="Name of the package: `word_count` for Python, `word-count` for npm."
    )
    command: str = Field("", max_length=50, description="Name of its command; empty if it has none.")
    summary: str = Field(min_length=5, max_length=120, description="What it is, in one line.")
    dependencies: list[Annotated[str, Field(max_length=100)]] = Field(
        default_factory=list, max_length=12, description="Packages it needs; the owner has to approve them."
    )


class Architecture(BaseModel):
    """What a discussion has come to."""

    overview: str = Field(min_length=20, max_length=3000)
    components: list[Component] = Field(min_length=1, max_length=12)
    settled: list[Settlement] = Field(default_factory=list, max_length=12)
    answers: list[AnsweredObjection] = Field(default_factory=list, max_length=40)
    skeleton: Skeleton | None = None


class ProjectItem(PlanItem):
    """A task of the plan of a project."""

    serves: list[Annotated[str, Field(max_length=8)]] = Field(
        min_length=1, max_length=40, description="Labels of what it brings about, such as F1, C1 and A2."
    )


class ProjectPlan(BaseModel):
    """The work, in tasks."""

    tasks: list[ProjectItem] = Field(min_length=1, max_length=20)
    reason: str = Field(min_length=4, max_length=1000, description="Why they are cut and ordered like this.")


@dataclass(frozen=True)
class Concern:
    """Something that a role does not want forgotten."""

    label: str
    text: str


@dataclass(frozen=True)
class Talk:
    """What somebody who is to speak knows."""

    text: str
    """The owner's."""
    specification: Specification
    repository: str
    agenda: Agenda
    messages: Sequence[tuple[str, Message]] = ()
    """Who said it, and what."""
    asked: Sequence[str] = ()
    """Who has spoken to the speaker since their last message."""
    is_last: bool = False
    concerns: Sequence[Concern] = field(default=())


def faults_of_specification(found: Specification, text: str, *, may_ask: bool) -> list[str]:
    """What code finds wrong with a specification of `text`: a quote that is not there, a feature that nobody asked
    for, a question without an assumption."""
    faults: list[str] = []
    words = plain_words(text)
    parts: Mapping[str, Sequence[Stated]] = {
        "goal": [found.goal], "user": found.users, "feature": found.features, "constraint": found.constraints,
        "acceptance criterion": found.acceptance,
    }  # fmt: skip
    for name, stated in parts.items():
        for number, each in enumerate(stated, 1):
            which = name if name == "goal" else f"{name} {number}"
            quote = plain_words(each.quote)
            if quote and quote not in words:
                faults.append(f"the quote of {which} is not in the text: {each.quote!r}")
            elif quote and len(quote) < _SHORTEST_QUOTE and quote != words:
                faults.append(f"the quote of {which} is too short to show anything: {each.quote!r}")
            elif not quote and name in ("goal", "feature"):
                faults.append(f"{which} has no quote: only what the text asks for is part of the project")
    for number, question in enumerate(found.questions, 1):
        if not question.blocks and len(question.assumption.split()) < 2:  # one word assumes nothing
            faults.append(f"question {number} does not block, but says not what is assumed")
        if question.blocks and not may_ask:
            faults.append(f"question {number} blocks, but the owner was asked already: assume something")
    faults += _doubles("feature", [each.says for each in found.features])
    return faults


def faults_of_agenda(found: Agenda, team: Sequence[str]) -> list[str]:
    """What code finds wrong with the beginning of a discussion among `team`."""
    names = [each.agent for each in found.invited]
    faults = [f"{name!r} cannot be invited; there are: {', '.join(team)}" for name in names if name not in team]
    faults += [f"{name!r} is invited twice" for name in sorted({one for one in names if names.count(one) > 1})]
    if len({*names}) < (least := min(2, len(team))):
        faults.append(f"invite at least {least}: one alone discusses nothing")
    return faults


def faults_of_message(found: Message, speaker: str, team: Sequence[str]) -> list[str]:
    """What code finds wrong with a message of `speaker`; `team`: all who take part."""
    others = [name for name in team if name != speaker]
    return [f"{name!r} takes no part; you can write to {', '.join(others)}" for name in found.to if name not in others]


def faults_of_architecture(found: Architecture, concerns: Sequence[Concern], *, is_empty: bool) -> list[str]:
    """What code finds wrong with an architecture; `is_empty`: the repository has no code yet."""
    answered = {each.objection for each in found.answers}
    labels = [each.label for each in concerns]
    faults = [f"the concern {label} is not answered" for label in labels if label not in answered]
    faults += [f"there is no concern {label}" for label in sorted(answered - {*labels})]
    if is_empty and found.skeleton is None:
        faults.append("the repository is empty: say which skeleton it begins with")
    if not is_empty and found.skeleton is not None:
        faults.append("the repository has code already, so it gets no skeleton")
    if found.skeleton is not None and is_empty:
        faults += _faults_of_skeleton(found.skeleton)
    return faults


def faults_of_plan(found: ProjectPlan, specification: Specification, limits: PlanLimits) -> list[str]:
    """What code finds wrong with a plan: beside what `problems_of` finds, what it leaves out."""
    known = specification.labelled
    faults = problems_of(found.tasks, limits)
    served = {label for item in found.tasks for label in item.serves}
    faults += [f"no task serves {label}: {known[label]}" for label in known if label not in served]
    faults += [f"there is no {label}" for label in sorted(served - {*known})]
    return faults


def in_turn(items: Sequence[ProjectItem]) -> list[ProjectItem]:
    """The tasks, of which those that change the same file wait for each other, in their order: what is done at the same
    time in one file would not fit together."""
    waits, _ = dependencies(items)
    made = [item.model_copy(update={"depends_on": [*waits[number]]}) for number, item in enumerate(items, 1)]
    for number, item in enumerate(made, 1):
        for before in range(1, number):
            shares = {*item.files} & {*made[before - 1].files}
            if shares and number not in _behind(waits, before) and before not in _behind(waits, number):
                waits[number].add(before)
    return [item.model_copy(update={"depends_on": sorted(waits[number])}) for number, item in enumerate(made, 1)]


def _behind(waits: Mapping[int, set[int]], number: int) -> set[int]:
    """All that a task waits for, directly or not."""
    found: set[int] = set()
    left = [number]
    while left:
        new = waits[left.pop()] - found
        found |= new
        left += new
    return found


def plain_words(text: str) -> str:
    """A text without marks of Markdown, differences of case and of white space."""
    return " ".join(_MARKS.sub(" ", text.replace("\u2019", "'")).casefold().split())


def _faults_of_skeleton(found: Skeleton) -> list[str]:
    faults = []
    if found.language == "python" and ("-" in found.package or found.package in _RESERVED):
        faults.append(f"{found.package!r} is no name for a package in Python that can be imported without trouble")
    if found.command and not re.fullmatch(_NAME, found.command):
        faults.append(f"{found.command!r} is no name for a command: small letters, digits and hyphens")
    for each in found.dependencies:
        if not re.fullmatch(r"@?[A-Za-z0-9][\w./-]*(?:\[[\w,-]+\])?(?:[ @]*[~^<>=!]{0,2} *[\w.,<>=!~^* ]+)?", each):
            faults.append(f"{each!r} is no package with a version")
    return faults


def _doubles(what: str, texts: Sequence[str]) -> list[str]:
    plain = [plain_words(text) for text in texts]
    return [f"two {what}s say {one!r}" for one in sorted({each for each in plain if plain.count(each) > 1})]
