"""Git as the daemon uses it: one clone, a worktree per task, and a landing branch that only verified work reaches."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from git_ops.command import MARKER, OWNER, GitCommand, Identity
from git_ops.commits import Commits
from git_ops.errors import BranchMissing, BranchTaken, RemoteError, UnsupportedRepository
from git_ops.exports import Exports
from git_ops.landing import Landing
from git_ops.landing_branch import LandingBranch
from git_ops.models import LandingMode
from git_ops.remote import Remote
from git_ops.repository import Repository
from git_ops.submodules import Submodules
from git_ops.trees import Trees
from git_ops.unmerged import Unmerges
from git_ops.worktrees import Worktrees
from monitoring import get_logger

log = get_logger(__name__)


class GitManager:
    """All git work of one project, by its parts. Safe to use from several threads and processes.

    The constructor touches nothing. At the start of the daemon call `recover()`, then `clone()`.
    """

    repository: Repository
    """The clone itself: fetching, backups, garbage collection."""
    branch: LandingBranch
    """The branch that work starts from and lands on."""
    worktrees: Worktrees
    """The tasks' worktrees."""
    submodules: Submodules
    """Content of other repositories that tests need."""
    trees: Trees
    """Content: recorded from a worktree, or exported as files."""
    exports: Exports
    """Exported files that stay and become those of another tree."""
    commits: Commits
    """The tasks' commits, and what changed between two of them."""
    landing: Landing
    """Bringing verified work onto the landing branch."""
    unmerged: Unmerges
    """What has landed and waits for the owner to merge it."""

    def __init__(
        self,
        repository: str,
        clone_path: Path,
        *,
        workspace_path: Path,
        branch: str = "main",
        landing: LandingMode | str = LandingMode.INTEGRATION,
        integration_branch: str = "agents/integration",
        auto_push: bool = True,
        author: Identity | None = None,
        token: str | None = None,
        may_hold_secrets: Sequence[str] = (),
        submodule_hosts: Sequence[str] = (),
    ) -> None:
        """`repository` is the owner's, as a path or URL; `clone_path` is where ours is kept; worktrees are in
        `workspace_path/worktrees`. Files at paths that match `may_hold_secrets` are not searched for secrets;
        `submodule_hosts` may be asked for submodules. Raises UnsafeUrl.
        """
        remote = Remote(repository, token)
        clone = clone_path.absolute()
        self.repository = Repository(clone, remote, branch, GitCommand(clone, author or Identity()))
        mode = LandingMode(landing)
        self.branch = LandingBranch(self.repository, mode, integration_branch, auto_push=auto_push)
        folder = workspace_path.absolute() / "worktrees"
        self.worktrees = Worktrees(self.repository, folder, self.branch.tip)
        self.submodules = Submodules(self.repository, submodule_hosts)
        self.trees = Trees(self.repository, self.worktrees, self.submodules, may_hold_secrets)
        self.exports = Exports(self.repository)
        self.commits = Commits(self.repository, self.worktrees, self.trees)
        self.landing = Landing(self.repository, self.commits, self.branch, mode=mode, auto_push=auto_push)
        self.unmerged = Unmerges(self.repository, self.branch, pushes=auto_push)

    @property
    def url(self) -> str:
        """The owner's repository, without credentials."""
        return self.repository.remote.url

    def recover(self) -> list[str]:
        """End git processes of a dead daemon, remove stale locks, temporary files and half-made worktrees.

        Only for the start of the daemon, before any work on this clone. Our own operations leave nothing half done:
        refs move by one atomic step and commits are made without a work tree. Gives what was removed.
        """
        if not self.repository.path.is_dir():
            return []
        cleared = [f"process {pid}" for pid in _end_orphans(self.repository.path)]
        with self.repository.lock("landing"), self.repository.lock("fetch"):
            for path in _leftovers(self.repository.path, self.repository.state):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                cleared.append(str(path.relative_to(self.repository.path)))
        cleared += [f"worktree {name}" for name in self.worktrees.prune()]
        if cleared:
            log.info("removed what a crash left", clone=str(self.repository.path), cleared=cleared)
        return cleared

    def look(self) -> None:
        """Whether the repository can be used, in a clone of its newest commits that is not kept. Raises as `clone`."""
        self.repository.open(shallow=True)
        self.branch.check_free()

    def clone(self, *, allow_offline: bool = False) -> str:
        """Make our clone, or bring it up to date.

        With `allow_offline` work can go on in an existing clone when the repository cannot be used: then the problem is
        returned, otherwise nothing. Raises NotARepository, EmptyRepository, BranchMissing, RemoteUnreachable,
        AuthenticationFailed, CloneTaken, BranchTaken, UnsupportedRepository, GitUnusable, DiskFull.
        """
        try:
            self.repository.open()
            self.branch.check_free()
        except (BranchTaken, UnsupportedRepository):
            raise
        except BranchMissing as error:
            if not (allow_offline and self.branch.exists()):
                raise
            return str(error)
        except RemoteError as error:
            if not (allow_offline and self.repository.is_clone()):
                raise
            return str(error)
        return ""


def _leftovers(clone: Path, state: Path) -> Iterator[Path]:
    """Lock files of git and temporary files of git and of ours."""
    for folder, folders, files in os.walk(clone):
        here = Path(folder)
        if here == state:
            folders.clear()
            yield from (here / name for name in files if name.startswith(("index-", "askpass.")))
            continue
        yield from (here / name for name in files if name.endswith(".lock"))
        if "objects" in here.relative_to(clone).parts[:1]:
            yield from (here / name for name in files if name.startswith(("tmp_", ".tmp-")))
            yield from (here / name for name in folders if name.startswith("tmp_objdir-"))


def _end_orphans(clone: Path) -> list[int]:
    """Kill git processes of this clone whose daemon has died; they could still hold locks."""
    ended = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_orphan(int(entry.name), clone):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
            ended.append(int(entry.name))
    return ended


def _is_orphan(pid: int, clone: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if f"{MARKER}={clone}".encode() not in variables:
            return False
        owner = next(
            (value for name, _, value in (v.partition(b"=") for v in variables) if name == OWNER.encode()), b"0"
        )
        # Each command leads a session of its own, so its leader's parent is the daemon as long as that lives.
        return _parent(os.getsid(pid)) != int(owner)
    except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError):
        return False  # the process is gone, or belongs to another user


def _parent(pid: int) -> int:
    """The parent of a process, 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    return int(status.rpartition(")")[2].split()[1])
