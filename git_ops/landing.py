"""Bringing verified work onto the landing branch, one task after the other.

The branch only ever moves by compare-and-swap, to content that was verified. A landing that was killed can be repeated:
the rebase makes the same commits again, a task that has landed is found, and what is missing is pushed.
"""

from __future__ import annotations

from dataclasses import dataclass

from git_ops.commits import RUN_TRAILER, Commits
from git_ops.errors import (
    GitCommandFailed,
    GitError,
    LandingConflict,
    LandingMoved,
    LandingWithdrawn,
    MergeConflict,
    NothingToLand,
    RemoteError,
    RemoteUnreachable,
    VerificationFailed,
)
from git_ops.landing_branch import LandingBranch, rebased
from git_ops.models import LandingMode, LandingResult, PushResult, StillWanted, Verify
from git_ops.repository import NO_COMMIT, Repository
from git_ops.worktrees import BASE_REF, TASK_BRANCH
from monitoring import get_logger

log = get_logger(__name__)

CANDIDATE_REF = "refs/agents/candidates/"
_MOST_PUSHES = 4


@dataclass(frozen=True)
class _Candidate:
    """A task's commits rebased onto the landing branch, not landed yet."""

    task_id: str
    branch: str
    """The branch they are to land on, as the owner sees it."""
    previous: str
    """Where that branch stood: it must still stand there when the candidate lands."""
    tip: str
    tree: str
    """The content to be verified."""
    commits: tuple[str, ...]


class Landing:
    """Lands tasks of one clone."""

    def __init__(
        self, repository: Repository, commits: Commits, branch: LandingBranch, *, mode: LandingMode, auto_push: bool
    ) -> None:
        self._repository = repository
        self._commits = commits
        self._branch = branch
        self._mode = mode
        self._auto_push = auto_push

    def land(
        self,
        task_id: str,
        *,
        verify: Verify,
        verified_tree: str | None = None,
        run: int = 0,
        wanted: StillWanted = lambda: True,
    ) -> LandingResult:
        """Rebase the task's commits onto the landing branch, verify the result if it is not `verified_tree`, move the
        branch and push, while no other landing of this clone runs. A task that has landed is only pushed, if it was
        not.

        `verify` is given a tree and says whether its tests pass; `wanted` is asked right before the branch moves.
        Raises LandingConflict, VerificationFailed, LandingWithdrawn, LandingMoved, NothingToLand. When a push fails,
        the landing stays in our clone and the result says why.
        """
        with self._repository.lock("landing"):
            landed = self._landed(task_id, run)
            if landed is None:
                self._branch.update()
                landed = self._landed_elsewhere(task_id, run)
            if landed is None:
                candidate = self._prepare(task_id)
                if candidate.tree != verified_tree and not verify(candidate.tree):
                    raise VerificationFailed(task_id, candidate.tree)
                if not wanted():
                    raise LandingWithdrawn(task_id)
                landed = self._advance(candidate)
            self._repository.delete_ref(CANDIDATE_REF + task_id)  # left by a kill right after the branch moved
            return self._with_push(landed, self._publish(task_id, verify))

    def publish(self, task_id: str | None = None, *, verify: Verify) -> PushResult:
        """Push what has landed; when the remote branch moved, rebase ours onto it, verify and push the result."""
        with self._repository.lock("landing"):
            return self._publish(task_id, verify)

    def withdraw(self, task_id: str) -> bool:
        """Let a task whose own branch has landed land again, with other work (landing: branch); False if it had not.
        What was pushed stays until then."""
        if self._mode is not LandingMode.BRANCH:
            raise GitError("only a task's own branch can be withdrawn")
        with self._repository.lock("landing"):
            had = self._repository.resolve(self._branch.ref(task_id)) is not None
            self._repository.delete_ref(self._branch.ref(task_id))
            return had

    def unpushed(self) -> list[str | None]:
        """What `publish` is to be called for: None for the one branch, or tasks; nothing without auto_push."""
        if not self._auto_push:
            return []
        names: list[str | None] = [None]
        if self._mode is LandingMode.BRANCH:
            names = list(self._branch.landed_tasks())
        return [name for name in names if self._branch.unpushed(name)]

    def landed(self, task_id: str, run: int | None = None) -> LandingResult | None:
        """Where a task's commits are on the landing branch, None when they are not; any run when `run` is None."""
        return self._landed(task_id, run)

    def task_diff(self, task_id: str, *, limit: int = 0) -> str:
        """What a task changed, landed or not, as text; empty when it has changed nothing yet. `limit` as in `diff`."""
        base = self._repository.resolve(BASE_REF + task_id)
        branch = self._repository.resolve(f"refs/heads/{TASK_BRANCH}{task_id}")
        if base is not None and branch is not None:
            return self._commits.diff(base, branch, limit=limit) if base != branch else ""
        landed = self._landed(task_id, None)
        return self._commits.diff(f"{landed.commits[0]}^", landed.tip, limit=limit) if landed else ""

    def moved(self, task_id: str, commit: str, onto: str) -> str:
        """A commit of a task on another parent; no branch moves. Raises LandingConflict."""

        def conflict(files: list[str]) -> MergeConflict:
            return LandingConflict(task_id, self._branch.name(task_id), files)

        return rebased(self._repository, [commit], onto, conflict)[0]

    # -- the parts, with the lock held ---------------------------------------------------------------------------

    def _prepare(self, task_id: str) -> _Candidate:
        source = self._repository.resolve(f"refs/heads/{TASK_BRANCH}{task_id}")
        base = self._repository.resolve(BASE_REF + task_id)
        if source is None or base is None or source == base:
            raise NothingToLand(task_id)
        ref, name = self._branch.ref(task_id), self._branch.name(task_id)
        previous = self._repository.resolve(ref)
        onto = self._branch.target_for_landing()

        def conflict(files: list[str]) -> MergeConflict:
            return LandingConflict(task_id, name, files)

        commits = rebased(self._repository, self._repository.commits_between(base, source), onto, conflict)
        self._repository.update_ref(CANDIDATE_REF + task_id, commits[-1])
        return _Candidate(
            task_id=task_id,
            branch=name,
            previous=previous or NO_COMMIT,
            tip=commits[-1],
            tree=self._repository.tree_of(commits[-1]),
            commits=tuple(commits),
        )

    def _advance(self, candidate: _Candidate) -> LandingResult:
        ref = self._branch.ref(candidate.task_id)
        if not self._repository.update_ref(ref, candidate.tip, candidate.previous, f"land {candidate.task_id}"):
            raise LandingMoved(candidate.branch)
        self._branch.remember_remote(candidate.task_id)
        self._repository.delete_ref(CANDIDATE_REF + candidate.task_id)
        log.info("landed", task=candidate.task_id, branch=candidate.branch, commit=candidate.tip, tree=candidate.tree)
        return LandingResult(
            task_id=candidate.task_id,
            branch=candidate.branch,
            tip=candidate.tip,
            tree=candidate.tree,
            commits=candidate.commits,
            already_landed=False,
            pushed=False,
            push_error="",
        )

    def _landed_elsewhere(self, task_id: str, run: int) -> LandingResult | None:
        """Where the task landed according to the remote, which may have more than a clone from a backup."""
        if self._mode is LandingMode.BRANCH:
            return None  # a task's own branch is replaced, never added to
        target = self._branch.target_for_landing()
        landed = self._landed(task_id, run, tip=target)
        if landed is None:
            return None
        ref, previous = self._branch.ref(task_id), self._repository.resolve(self._branch.ref(task_id))
        if not self._repository.update_ref(ref, target, previous or NO_COMMIT, f"{task_id} had landed"):
            raise LandingMoved(landed.branch)
        self._branch.remember_remote(task_id)
        return landed

    def _landed(self, task_id: str, run: int | None, *, tip: str | None = None) -> LandingResult | None:
        tip = tip or self._repository.resolve(self._branch.ref(task_id))
        found = self._commits.of_task(task_id, tip) if tip else []
        if run is not None:
            found = [commit for commit in found if commit.trailers.get(RUN_TRAILER, "0") == str(run)]
        if not found:
            return None
        return LandingResult(
            task_id=task_id,
            branch=self._branch.name(task_id),
            tip=found[-1].sha,
            tree=found[-1].tree,
            commits=tuple(commit.sha for commit in found),
            already_landed=True,
            pushed=self._branch.is_pushed(task_id, found[-1].sha),
            push_error="",
        )

    def _publish(self, task_id: str | None, verify: Verify) -> PushResult:
        if not self._auto_push:
            return PushResult(pushed=False)
        if self._mode is LandingMode.BRANCH and task_id is None:
            raise GitError("landing: branch publishes one task at a time; name the task")
        for _ in range(_MOST_PUSHES):
            try:
                self._branch.push(task_id)
                return PushResult(pushed=True)
            except GitCommandFailed as error:
                if not _moved_meanwhile(error):
                    return self._not_pushed(_refusal(error))
            except GitError as error:
                return self._not_pushed(str(error), unreachable=isinstance(error, RemoteUnreachable))
            problem = self._catch_up(task_id, verify)
            if problem:
                return self._not_pushed(problem)
        return self._not_pushed("the remote branch kept moving; the push is tried again with the next landing")

    def _catch_up(self, task_id: str | None, verify: Verify) -> str:
        """Rebase what we landed onto what others pushed; gives the problem, empty when there is none."""
        if self._mode is LandingMode.BRANCH:
            return f"someone else pushed to {self._branch.name(task_id)}; merge or delete it there"
        ref = self._branch.ref(task_id)
        try:
            self._repository.fetch()
            previous = self._repository.commit_of(ref)
            target = self._branch.target()
        except (MergeConflict, RemoteError) as error:
            return str(error)
        tree = self._repository.tree_of(target)
        if tree != self._repository.tree_of(previous) and not verify(tree):
            return f"the tests fail together with what others pushed (tree {tree[:12]}); look at the remote branch"
        if self._repository.update_ref(ref, target, previous, "catch up with the remote"):
            self._branch.remember_remote(task_id)
        return ""

    def _not_pushed(self, problem: str, *, unreachable: bool = False) -> PushResult:
        log.warning("landed work could not be pushed", problem=problem)
        return PushResult(pushed=False, error=problem, unreachable=unreachable)

    def _with_push(self, landed: LandingResult, push: PushResult) -> LandingResult:
        """The result after pushing, which may have rebased the commits."""
        current = self._landed(landed.task_id, None) or landed
        update = {"already_landed": landed.already_landed, "pushed": push.pushed, "push_error": push.error}
        return current.model_copy(update=update)


def _moved_meanwhile(error: GitCommandFailed) -> bool:
    return "[rejected]" in error.stderr or ("cannot lock ref" in error.stderr and "but expected" in error.stderr)


def _refusal(error: GitCommandFailed) -> str:
    """Explains why a server refused a push."""
    if "branch is currently checked out" in error.stderr:
        return (
            "the branch is checked out in the owner's working copy, which is never touched; "
            "switch that copy to another branch, or give a bare repository"
        )
    return f"{error}; check the branch protection rules and the rights of the token"
