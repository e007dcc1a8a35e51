"""What a developer is shown of the repository and of the task's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileText:
    """A file as a prompt shows it."""

    path: str
    text: str


@dataclass(frozen=True)
class Surroundings:
    """What is told of the repository as a whole, before the task and the same in all of its prompts."""

    conventions: str = ""
    """How the project wants its code, from its own files."""
    outline: str = ""
    """What its files define, those first that matter most for the task."""
    example: FileText | None = None
    """A test file, as an example of how tests are written here."""
    lessons: str = ""


@dataclass(frozen=True)
class Begun:
    """The beginning of a function: as a model is `shown` it, and what of it is `kept` in its answer."""

    shown: str
    kept: str
    in_class: bool = False
    """Whether it is a method, in its class."""


@dataclass(frozen=True)
class CodeView:
    """What the developer sees in one attempt."""

    target: FileText
    """The file the work is mainly in, or the part of it that matters; empty text when it is new."""
    around: Surroundings = field(default=Surroundings())
    others: Sequence[FileText] = field(default=())
    tests: str = ""
    evidence: str = ""
    review: str = ""
    begun: Begun | None = None
    """The wanted function begun, for a model that goes on from there."""
    simple: bool = False
    """Whether the code is to be written in the simplest way, one plain statement after the other."""
    earlier_approaches: int = 0
    """How many did not succeed. Told in each attempt, so that no two approaches are asked the same."""
