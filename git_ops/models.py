"""The values of this folder: they can be stored with a durable step and used again after a crash."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

Verify = Callable[[str], bool]
"""Takes a tree hash and says whether its tests pass."""
StillWanted = Callable[[], bool]
"""Says whether the work is still wanted: it may have waited long for other landings and for tests."""


class LandingMode(StrEnum):
    """Where verified work goes: one branch the owner merges, a branch per task, or the base branch itself."""

    INTEGRATION = "integration"
    BRANCH = "branch"
    MAIN = "main"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Worktree(_Value):
    """The workspace of one task."""

    task_id: str
    path: Path
    branch: str
    base_commit: str
    """The commit its branch starts from."""


class Overlay(_Value):
    """Paths that are taken from a commit instead of from the worktree, as a whole."""

    source: str
    """A commit or tree."""
    paths: tuple[str, ...]
    """Files or folders, relative to the root."""


class Commit(_Value):
    """A commit of a task."""

    sha: str
    tree: str
    subject: str
    trailers: dict[str, str]
    """Such as Task-Id, Stage, Run."""


class ChangedFile(_Value):
    """A path that differs between two commits. `status` is added, modified, deleted or renamed (with `old_path`)."""

    path: str
    status: str
    old_path: str | None = None


class Export(_Value):
    """A tree written out as plain files."""

    path: Path
    tree: str
    left_out: tuple[str, ...]
    """Links that point out of the tree; they were not created."""
    files: int = 0
    is_plain: bool = False
    """Whether it holds the tree's files and links and nothing else: no submodule, no file from Git LFS, no link left
    out. Then it can be turned into another tree."""


class PushResult(_Value):
    """How a push ended. `error` says what to do when `pushed` is False, and is empty when pushing is switched off."""

    pushed: bool
    error: str = ""
    unreachable: bool = False
    """The repository could not be reached: pushing again later is enough."""


class LandingResult(_Value):
    """A task's work on the landing branch."""

    task_id: str
    branch: str
    tip: str
    """The last commit of the task on that branch."""
    tree: str
    commits: tuple[str, ...]
    """The task's commits there, oldest first."""
    already_landed: bool
    pushed: bool
    push_error: str


class SyncResult(_Value):
    """The landing branch after taking in the owner's work."""

    tip: str
    moved: bool
    fetched: bool
    problem: str
    """Why the owner's work could not be taken in, empty when it was."""


class Unmerged(_Value):
    """Landed work that the owner's branch does not have."""

    branch: str
    base: str
    """The owner's branch."""
    tasks: int
    commits: int
    files: int
    added: int
    """Lines that a merge would add to the owner's branch."""
    removed: int
    conflicts: bool
    """Whether a merge stops at places that both sides changed."""
    command: str
    """What merges it."""
