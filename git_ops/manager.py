"""Git as the daemon uses it: one clone, a worktree per task, and a landing branch that only verified work reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from git_ops.command import GitCommand, Identity
from git_ops.commits import TASK_TRAILER, Commits
from git_ops.errors import GitError, MergeConflict, RemoteError
from git_ops.landing import Landing
from git_ops.landing_branch import LandingBranch
from git_ops.models import (
    Candidate,
    ChangedFile,
    Commit,
    Export,
    LandingMode,
    LandingResult,
    Overlay,
    PushResult,
    SyncResult,
    Verify,
    Wanted,
    Worktree,
)
from git_ops.recovery import recover
from git_ops.remote import Remote
from git_ops.replay import merged
from git_ops.repository import NO_COMMIT, Repository
from git_ops.trees import Trees
from git_ops.worktrees import BASE_REF, TASK_BRANCH, Worktrees


class GitManager:
    """All git work of one project. Safe to use from several threads and processes.

    Nothing is done by making one. At the start of the daemon call `recover()`, then `clone()`.
    """

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
    ) -> None:
        """`repository` is the owner's, as a path or URL; `clone_path` is where ours is kept; worktrees lie in
        `workspace_path/worktrees`. Files at paths that match `may_hold_secrets` are not looked over for secrets.
        Raises UnsafeUrl."""
        self._remote = Remote(repository, token)
        clone = clone_path.absolute()
        self._repository = Repository(clone, self._remote, branch, GitCommand(clone, author or Identity()))
        self._worktrees = Worktrees(self._repository, workspace_path.absolute() / "worktrees")
        self._trees = Trees(self._repository, self._worktrees, may_hold_secrets)
        self._commits = Commits(self._repository, self._worktrees, self._trees)
        mode = LandingMode(landing)
        self._branch = LandingBranch(self._repository, mode, integration_branch)
        self._landing = Landing(self._repository, self._commits, self._branch, mode=mode, auto_push=auto_push)

    # -- the clone -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The owner's repository, without credentials."""
        return self._remote.url

    def recover(self) -> list[str]:
        """Clear away what a crash left; only at the start of the daemon. Gives what was cleared."""
        return recover(self._repository, self._worktrees)

    def clone(self, *, may_be_away: bool = False) -> str:
        """Make our clone, or bring it up to date.

        With `may_be_away` a repository that cannot be used does not keep work from going on in a clone that is there:
        the problem is given back, else the result is empty. Raises NotARepository, EmptyRepository, BranchMissing,
        RemoteUnreachable, AuthenticationFailed, CloneTaken, GitUnusable, DiskFull.
        """
        try:
            self._repository.open()
        except RemoteError as error:
            if not (may_be_away and self._repository.is_clone()):
                raise
            return str(error)
        return ""

    def bundle(self, file: Path) -> None:
        """Write all branches and refs of our clone with their commits into one new file, for a backup."""
        self._repository.bundle(file)

    def unbundle(self, file: Path) -> None:
        """Make our clone of what `bundle` wrote, without asking the owner's repository. Raises CloneTaken."""
        self._repository.make()
        self._repository.unbundle(file)

    def tidy(self) -> None:
        """Let git pack the clone, if it finds that worth while. May run beside all other work."""
        self._repository.tidy()

    def fetch(self) -> None:
        """Bring the owner's branches up to date; the landing branch stays. Raises as `clone`."""
        self._repository.fetch()

    def sync(self, verify: Verify | None = None) -> SyncResult:
        """Fetch and take the owner's work into the landing branch (made if absent).

        A combination of ours and theirs is held against `verify`, if given. Raises MergeConflict; a remote that is
        away is told in the result.
        """
        return self._branch.sync(verify)

    @property
    def base_branch(self) -> str:
        """The owner's branch that work starts from."""
        return self._repository.base_branch()

    @property
    def landing_branch(self) -> str:
        """The branch that work lands on; with landing: branch the beginning of the branches' names."""
        return self._branch.name(None)

    def tip(self) -> str:
        """The commit that new work starts from: the landing branch, or the base branch before anything landed."""
        return self._branch.start()

    def create_branch(self, name: str, start: str) -> bool:
        """Make a branch at `start` in our clone; False when it is there already."""
        return self._repository.update_ref(f"refs/heads/{name}", self._repository.commit_of(start), NO_COMMIT)

    def merge_branch(self, branch: str, into: str) -> str:
        """Merge a branch of our clone into another; gives the commit. Raises MergeConflict, then nothing moved."""
        ref = f"refs/heads/{into}"
        ours, theirs = self._repository.commit_of(ref), self._repository.commit_of(f"refs/heads/{branch}")

        def conflict(files: list[str]) -> MergeConflict:
            return MergeConflict(f"{branch} and {into}", files, "merge them by hand")

        commit = merged(self._repository, ours, theirs, f"Merge {branch} into {into}\n", conflict)
        if not self._repository.update_ref(ref, commit, ours, f"merge {branch}"):
            raise GitError(f"{into} moved while {branch} was merged into it; try again")
        return commit

    def push(self, branch: str) -> None:
        """Push a branch of our clone to the owner's repository, fast-forward only."""
        self._repository.push(self._repository.commit_of(f"refs/heads/{branch}"), branch)

    # -- worktrees and their content -------------------------------------------------------------------------------

    def create_worktree(self, task_id: str, base: str | None = None) -> Worktree:
        """The task's worktree on branch `agents/task/<id>`; the present one if there is one, with its work.

        A new one starts at `base`, by default at `tip()`.
        """
        return self._worktrees.create(task_id, self._repository.commit_of(base) if base else self.tip())

    def worktree(self, task_id: str) -> Worktree:
        """The task's worktree; raises WorktreeMissing."""
        return self._worktrees.get(task_id)

    def worktrees(self) -> list[Worktree]:
        """All worktrees."""
        return self._worktrees.all()

    def tasks(self) -> list[str]:
        """The tasks that have a worktree or a branch here, by id."""
        branches = (name for name in self._repository.branches() if name.startswith(TASK_BRANCH))
        named = {name.removeprefix(TASK_BRANCH) for name in branches}
        return sorted(named | {worktree.task_id for worktree in self._worktrees.all()})

    def reset_worktree(self, worktree: Worktree, commit: str | None = None) -> None:
        """Put the task's branch and files to `commit` (by default its last one) and remove everything else there."""
        self._worktrees.reset(worktree, commit or f"refs/heads/{worktree.branch}")

    def remove_worktree(self, task_id: str, *, branch: bool = False) -> None:
        """Remove the task's worktree and, if asked, its branch. Repeatable."""
        self._worktrees.remove(task_id, branch=branch)

    def write_tree(self, worktree: Worktree, overlay: Overlay | None = None) -> str:
        """The hash of a tree with the worktree's files, paths of `overlay` taken from its commit.

        Nothing moves. Files excluded by .gitignore are left out. Raises UnsafeContent.
        """
        return self._trees.write(worktree, overlay=overlay)

    def export(self, treeish: str, destination: Path) -> Export:
        """Write a commit's or tree's files into a new folder, without `.git` and without links that lead out of it."""
        return self._trees.export(treeish, destination)

    def commit(
        self,
        worktree: Worktree,
        message: str,
        trailers: Mapping[str, str],
        *,
        paths: Iterable[str] | None = None,
        tree: str | None = None,
    ) -> Commit:
        """Commit everything, `paths`, or a tree that was verified, on the task's branch, with `Task-Id` and `trailers`.

        A replay finds the commit with the same trailers and does nothing. With `tree` the worktree's files become
        those of the tree. Raises NothingToCommit, UnsafeContent, IgnoredPath.
        """
        return self._commits.commit(worktree, message, trailers, paths=paths, tree=tree)

    # -- looking ---------------------------------------------------------------------------------------------------

    def diff(self, old: str, new: str, *, paths: Sequence[str] = (), context: int = 3, limit: int = 0) -> str:
        """The change between two commits or trees as text, cut off after `limit` characters (0: never)."""
        return self._commits.diff(old, new, paths=paths, context=context, limit=limit)

    def changed_files(self, old: str, new: str) -> list[ChangedFile]:
        """The paths that differ between two commits or trees."""
        return self._commits.changed_files(old, new)

    def task_diff(self, task_id: str, *, limit: int = 0) -> str:
        """What a task changed, landed or not, as text; empty when it has changed nothing yet."""
        ends = self._task_ends(task_id)
        return self._commits.diff(*ends, limit=limit) if ends else ""

    def task_files(self, task_id: str) -> list[ChangedFile]:
        """The paths a task changed, landed or not."""
        ends = self._task_ends(task_id)
        return self._commits.changed_files(*ends) if ends else []

    def landed_commits(self, limit: int = 100) -> list[Commit]:
        """Commits of tasks on the landing branch, newest first."""
        history = self._commits.history(self.tip(), limit=limit * 2)
        return [commit for commit in history if TASK_TRAILER in commit.trailers][:limit]

    def is_landed(self, task_id: str, run: int | None = None) -> bool:
        """Whether the task's commits are on the landing branch (of any run when `run` is None)."""
        return self._landing.landed(task_id, run) is not None

    def landed(self, task_id: str, run: int | None = None) -> LandingResult | None:
        """Where a task's commits are on the landing branch, and whether they are pushed; None when they are not."""
        return self._landing.landed(task_id, run)

    # -- landing ---------------------------------------------------------------------------------------------------

    def land(
        self,
        task_id: str,
        *,
        verify: Verify,
        verified_tree: str | None = None,
        run: int = 0,
        wanted: Wanted = lambda: True,
    ) -> LandingResult:
        """Rebase the task's commits onto the landing branch, verify the result if it is not `verified_tree`, move the
        branch, push. A task that has landed is only pushed, if that is missing.

        `verify` is given a tree and says whether its tests pass; `wanted` is asked right before the branch moves.
        Raises LandingConflict, VerificationFailed, LandingWithdrawn, NothingToLand. A push that fails leaves the
        landing in our clone and is told in the result.
        """
        return self._landing.land(task_id, run=run, verified_tree=verified_tree, verify=verify, wanted=wanted)

    def prepare_landing(self, task_id: str, *, run: int = 0) -> Candidate | LandingResult:
        """First part of `land`: what would land, to be verified; or where it is, when it has landed already."""
        return self._landing.prepare(task_id, run)

    def advance_landing(self, candidate: Candidate) -> LandingResult:
        """Second part: move the landing branch to a verified candidate. Raises LandingMoved: prepare it again."""
        return self._landing.advance(candidate)

    def publish(self, task_id: str | None = None, *, verify: Verify) -> PushResult:
        """Third part, and for catching up after an outage: push what has landed (landing: branch needs the task)."""
        return self._landing.publish(task_id, verify)

    def unpushed(self) -> list[str | None]:
        """What `publish` has to be called for, since commits of tasks were never seen at the remote: None for the
        landing branch, with landing: branch the tasks. Empty when pushing is switched off."""
        return self._landing.unpushed()

    def _task_ends(self, task_id: str) -> tuple[str, str] | None:
        base = self._repository.resolve(BASE_REF + task_id)
        branch = self._repository.resolve(f"refs/heads/{TASK_BRANCH}{task_id}")
        if base is not None and branch is not None:
            return (base, branch) if base != branch else None
        landed = self._landing.landed(task_id)
        return (f"{landed.commits[0]}^", landed.tip) if landed else None
