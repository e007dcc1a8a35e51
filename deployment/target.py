"""What a target is: a place where a commit is made to run, by five verbs that can each be repeated after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from config import HealthSettings
from deployment.gauges import Gauge


@dataclass(frozen=True)
class Release:
    """One version as one deployment brings it to an environment."""

    number: int
    """The deployment's number, which no other has."""
    commit: str
    artifact: Mapping[str, str] = field(default_factory=dict)
    """What `prepare` made of the commit, such as a folder or an image's digest; empty before."""
    owner: str = ""
    """Who deploys, for the locks of the target."""

    @property
    def version(self) -> str:
        """What healthy answers name."""
        return self.artifact.get("version") or self.commit


@dataclass(frozen=True)
class Live:
    """What a target runs, as it says itself."""

    commit: str = ""
    """Empty: nothing of ours."""
    detail: str = ""


class Source(Protocol):
    """Where the code comes from."""

    def resolve(self, name: str) -> str:
        """The full hash of a commit, branch or tag; of the newest landed work for an empty name."""

    def archive(self, commit: str, file: Path) -> None:
        """Write the files of a commit as a tar archive."""

    def bring(self, commit: str, branch: str) -> str:
        """Push the files of a commit to a branch of the owner's repository; the commit that is its tip then.

        That is the commit itself where the branch can be moved forward to it. Else it is a new one on top, which
        reverts what is there. Repeating it pushes nothing.
        """


class Target(Protocol):
    """A kind of place to deploy to. Each method may be called again for the same release, also after it was cut short.

    Raises `DeploymentError`.
    """

    name: ClassVar[str]

    def prepare(self, release: Release) -> dict[str, str]:
        """Build and upload the release, with no effect on what is live; gives its artifact."""

    def activate(self, release: Release, previous: Release | None) -> str:
        """Make a prepared release live; the version that healthy answers name, empty for the release's commit."""

    def check_status(self) -> Live:
        """What is live now."""

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Make `previous` live again, and put `failed` aside; the version that answers name, as in `activate`.

        Without a previous one: stop it."""

    def settle(self, release: Release, previous: Release | None) -> None:
        """The release is live and healthy: stop what it replaces, and delete what is older than need be."""

    def abandon(self, release: Release) -> None:
        """The release was given up before it was activated: let go of locks."""

    def logs(self, lines: int) -> str:
        """The newest lines of what the running service wrote."""

    def gauges(self) -> list[Gauge]:
        """What can be said of what runs, beside whether it answers; nothing where nobody keeps such figures."""

    def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True)
class Workshop:
    """What a target is made with, beside its own settings."""

    environment: str
    source: Source
    health: HealthSettings
