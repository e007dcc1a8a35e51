"""What every forge has, in one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Thread: TypeAlias = Literal["issue", "request"]
"""Where people write: below an issue, or below a request to merge something."""
RequestState: TypeAlias = Literal["open", "merged", "closed"]


@dataclass(frozen=True)
class Person:
    """Somebody at the forge."""

    id: int
    name: str


@dataclass(frozen=True)
class Issue:
    """An issue as it is now."""

    number: int
    title: str
    body: str
    author: Person
    labels: Sequence[str]
    is_open: bool
    updated: str
    url: str


@dataclass(frozen=True)
class Remark:
    """What somebody wrote: a comment, a review, or a note on a line of a change."""

    id: str
    author: Person
    body: str
    place: str = ""
    """The file and line it is about."""
    wants_changes: bool = False
    """It is a review that says that something has to change."""


@dataclass(frozen=True)
class Request:
    """A pull or merge request as it is now."""

    number: int
    title: str
    body: str
    head: str
    """The branch that is to be merged."""
    commit: str
    """Its tip."""
    base: str
    state: RequestState
    url: str
    merged_as: str = ""
    """The commit on the base branch."""
    conflicts: bool = False


@dataclass(frozen=True)
class Run:
    """A pipeline's run for a commit."""

    id: int
    commit: str
    state: Literal["running", "good", "bad"]
    word: str
    """How the forge calls that."""
    url: str


@dataclass(frozen=True)
class Checks:
    """What continuous integration says of a commit."""

    state: Literal["none", "running", "good", "bad"]
    told: str = ""
    """What failed, where, and the end of what it printed."""


@dataclass(frozen=True)
class Access:
    """What the token may do, as far as the forge tells."""

    repository: str
    may_push: bool | None
    """None: the forge does not say."""
    scopes: Sequence[str] = ()
    """Those of a token that has such."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """What cannot be read, and what for it is needed."""


class Forge(Protocol):
    """One repository at a forge. Raises `ForgeError`."""

    def close(self) -> None:
        """Close the connection."""

    def access(self) -> Access:
        """Look at the repository, and at what the token may do."""

    def has_label(self, name: str) -> bool:
        """Whether the repository has a label of this name."""

    def issues(self, label: str) -> list[Issue]:
        """All open issues with a label, the oldest first; requests are none."""

    def issue(self, number: int) -> Issue | None:
        """An issue; None if it is gone."""

    def remarks(self, thread: Thread, number: int) -> list[Remark]:
        """All that people wrote there, the oldest first."""

    def comment(self, thread: Thread, number: int, body: str) -> None:
        """Write a comment."""

    def may_write(self, person: Person) -> bool:
        """Whether a person may push to the repository."""

    def tip(self, branch: str) -> str:
        """The commit of a branch; empty if there is no such branch."""

    def requests_of(self, head: str) -> list[Request]:
        """Those that would merge a branch, in any state, the newest first."""

    def open_request(self, head: str, base: str, title: str, body: str) -> Request:
        """Ask for a branch to be merged."""

    def reword_request(self, number: int, title: str, body: str) -> None:
        """Write another text above it."""

    def request(self, number: int) -> Request | None:
        """One of them; None if it is gone."""

    def checks(self, branch: str, commit: str) -> Checks:
        """What continuous integration says of a commit."""
