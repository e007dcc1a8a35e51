"""The branch that work lands on, and how it is reconciled with what the owner pushes meanwhile.

Three kinds of ref per landing branch: the branch itself in our clone, `refs/remotes/origin/…` as last fetched, and
`refs/agents/seen/…`, the remote commit that our branch last took in. What lies between the last two is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from git_ops.commits import TASK_TRAILER
from git_ops.errors import BranchTaken, GitError, MergeConflict, RemoteError
from git_ops.models import LandingMode, SyncResult, Verify
from git_ops.repository import NO_COMMIT, ROOT_REF, SEEN_REF, Repository
from git_ops.worktrees import TASK_BRANCH
from monitoring import get_logger

log = get_logger(__name__)

LANDED_REF = "refs/agents/landed/"

Conflict = Callable[[list[str]], MergeConflict]


class LandingBranch:
    """Where the landing branch stands and where it should stand."""

    def __init__(
        self, repository: Repository, mode: LandingMode, integration_branch: str, *, auto_push: bool = True
    ) -> None:
        self._repository = repository
        self._mode = mode
        self._auto_push = auto_push
        self._integration_branch = integration_branch

    def name(self, task_id: str | None = None) -> str:
        """The branch as the owner sees it; with landing: branch and no task the beginning of the branches' names."""
        match self._mode:
            case LandingMode.INTEGRATION:
                return self._integration_branch
            case LandingMode.MAIN:
                return self._repository.base_branch()
            case LandingMode.BRANCH:
                return f"{TASK_BRANCH}{task_id or ''}"

    def ref(self, task_id: str | None) -> str:
        """The ref in our clone. A task's own branch is at work in its worktree, so what landed has another."""
        if self._mode is LandingMode.BRANCH:
            return f"{LANDED_REF}{task_id}"
        return f"refs/heads/{self.name(task_id)}"

    def tip(self) -> str:
        """The commit that new work starts from: the landing branch, or the base branch before anything landed."""
        if self._mode is LandingMode.BRANCH:
            return self._repository.base_tip()
        return self._repository.resolve(self.ref(None)) or self._repository.base_tip()

    @property
    def is_integration(self) -> bool:
        """Whether work lands on one branch of its own, which the owner merges."""
        return self._mode is LandingMode.INTEGRATION

    def exists(self) -> bool:
        """Whether something of ours can be gone on with, without the owner's base branch."""
        return self.is_integration and self._repository.resolve(self.ref(None)) is not None

    def check_free(self) -> None:
        """Raise BranchTaken if a branch of the owner's keeps the one that work is to land on from being pushed."""
        if not self._auto_push:
            return
        name = self.name("task" if self._mode is LandingMode.BRANCH else None)
        remedy = "rename it, or set git.integration_branch to another name"
        for theirs in self._repository.branches("origin"):
            if name.startswith(f"{theirs}/") or theirs.startswith(f"{name}/"):
                raise BranchTaken(f"the repository has a branch {theirs!r}, beside which {name!r} cannot be: {remedy}")
        began = self._repository.resolve(self.ref(None)) is not None if self._mode is not LandingMode.BRANCH else True
        if not began and name == self._repository.remote.checked_out():  # later the push waits, and is told
            raise BranchTaken(
                f"{name!r} is checked out in {self._repository.remote.url}, which refuses a push to it: check out "
                "another branch there, or run in it: git config receive.denyCurrentBranch updateInstead"
            )

    def update(self) -> str:
        """Fetch before landing; gives the problem when that fails: the landing goes on without."""
        try:
            self._repository.fetch()
        except RemoteError as error:
            log.warning("the remote cannot be fetched, landing goes on without it", problem=str(error))
            return str(error)
        return ""

    def sync(self, verify: Verify | None = None) -> SyncResult:
        """Fetch, make the landing branch if there is none, and take in what the owner pushed.

        With `verify` a combination that nobody has tested is taken in only if it passes. Raises MergeConflict.
        """
        with self._repository.lock("landing"):
            problem = self.update()
            fetched = not problem
            if self._mode is LandingMode.BRANCH:
                return SyncResult(tip=self.tip(), moved=False, fetched=fetched, problem=problem)
            previous = self._repository.resolve(self.ref(None))
            target = self.target()
            if previous is not None and not self._known_good(target, previous) and verify is not None:
                tree = self._repository.tree_of(target)
                if not verify(tree):
                    problem = (
                        f"the tests fail together with what the owner pushed (tree {tree[:12]}); it is not taken in"
                    )
                    log.warning("owner's work is not taken in", problem=problem)
                    return SyncResult(tip=previous, moved=False, fetched=fetched, problem=problem)
            moved = target != previous
            if moved and not self._repository.update_ref(self.ref(None), target, previous or NO_COMMIT, "sync"):
                raise GitError(f"{self.name(None)} was moved by someone else in {self._repository.path}; try again")
            self.remember_remote(None)
            return SyncResult(tip=target, moved=moved, fetched=fetched, problem=problem)

    def target(self) -> str:
        """The commit to land on: our branch with the remote's and the owner's base branch taken in. No ref moves.

        Raises MergeConflict when they conflict.
        """
        if self._mode is LandingMode.BRANCH:
            return self._repository.base_tip()
        tip = self._reconciled()
        return self._with_base(tip) if self._mode is LandingMode.INTEGRATION else tip

    def target_for_landing(self) -> str:
        """As `target`; on a conflict with the owner's work our branch as it is: work goes on, and the log says so."""
        try:
            return self.target()
        except MergeConflict as error:
            log.warning("landing without the owner's latest work", problem=str(error))
            return self.tip()

    def remember_remote(self, task_id: str | None) -> None:
        """Record the remote's commit once our branch contains it."""
        ours = self._repository.resolve(self.ref(task_id))
        theirs = self._repository.remote_tip(self.name(task_id))
        if ours and theirs and self._repository.is_ancestor(theirs, ours):
            self._repository.update_ref(SEEN_REF + self.name(task_id), theirs)

    def is_pushed(self, task_id: str, commit: str) -> bool:
        """Whether the remote branch contains `commit`, as of the last fetch."""
        theirs = self._repository.remote_tip(self.name(task_id))
        return theirs is not None and self._repository.is_ancestor(commit, theirs)

    def unpushed(self, task_id: str | None) -> bool:
        """Whether our branch has commits of tasks that were never seen at the remote."""
        name, ours = self.name(task_id), self._repository.resolve(self.ref(task_id))
        if ours is None:
            return False
        seen = (self._repository.resolve(SEEN_REF + name), self._repository.remote_tip(name), self._base_if_any())
        options = ["--max-count=1", f"--grep=^{TASK_TRAILER}: "]
        found = self._repository.git("rev-list", *options, ours, *(f"^{commit}" for commit in seen if commit))
        return bool(found.text)

    def landed_tasks(self) -> list[str]:
        """The tasks whose own branches have landed (landing: branch)."""
        names = self._repository.git("for-each-ref", "--format=%(refname)", LANDED_REF).text.split()
        return [name.removeprefix(LANDED_REF) for name in names]

    def push(self, task_id: str | None) -> None:
        """Push our branch as it is; nothing happens when the remote has it, or nothing has landed yet.

        A task's own branch may replace what we pushed there in an earlier run, but nothing that others pushed.
        """
        name = self.name(task_id)
        ours, theirs = self._repository.resolve(self.ref(task_id)), self._repository.remote_tip(name)
        if ours is None or ours == theirs or (theirs is None and ours == self._base_if_any()):
            return
        again = self._mode is LandingMode.BRANCH and theirs == self._repository.resolve(SEEN_REF + name)
        self._repository.push(ours, name, replacing=theirs if again else None)
        self.remember_remote(task_id)

    def _reconciled(self) -> str:
        """Our branch rebased onto the remote's."""
        name = self.name(None)
        ours, theirs = self._repository.resolve(self.ref(None)), self._repository.remote_tip(name)
        if ours is None:
            return theirs or self._repository.base_tip()
        if theirs is None:
            return ours
        seen = self._repository.resolve(SEEN_REF + name)
        rewound = seen is not None and not self._repository.is_ancestor(seen, theirs)
        if self._repository.is_ancestor(theirs, ours) and not rewound:
            return ours
        if self._repository.is_ancestor(ours, theirs):
            return theirs
        if seen is not None and self._repository.is_ancestor(seen, ours):
            since: str | None = seen
        else:
            since = self._repository.merge_base(ours, theirs)
        if since is None:
            raise MergeConflict(f"{name} here and at the remote", (), "they share no history; delete one of them")

        def conflict(files: list[str]) -> MergeConflict:
            advice = "someone changed the branch at the remote; merge or delete it there"
            return MergeConflict(f"{name} here and at the remote", files, advice)

        mine = self._repository.commits_between(since, ours)
        log.info("the remote branch moved, our landings are rebased onto it", branch=name, commits=len(mine))
        made = rebased(self._repository, mine, theirs, conflict)
        return made[-1] if made else theirs

    def _with_base(self, tip: str) -> str:
        """`tip` with the owner's base branch merged in."""
        try:
            base = self._repository.base_tip()
        except RemoteError as error:
            log.warning("the base branch is gone", problem=str(error))
            return tip
        name = self._repository.base_branch()
        began_empty = self._repository.resolve(ROOT_REF) is not None  # so that the owner's first commit is another
        # without a base in common the owner's history was written anew from its root
        if not began_empty and self._repository.merge_base(tip, base) is None:
            ours = self._integration_branch
            if self._repository.remote_tip(ours) is None and self._repository.resolve(SEEN_REF + ours) == tip:
                log.warning("the landing branch begins anew: the owner has taken the old one away", branch=ours)
                return base
            advice = (
                f"{name} shares no history with it any more. Rename it in the repository, as by `git branch -m {ours} "
                f"{ours}-old`: the team begins it anew, and you can cherry-pick from the old one"
            )
            raise MergeConflict(f"{ours} and {name}", (), advice)

        def conflict(files: list[str]) -> MergeConflict:
            advice = f"merge {self._integration_branch} and {name} by hand and push the result to either"
            return MergeConflict(f"{self._integration_branch} and {name}", files, advice)

        message = f"Merge {name} into {self._integration_branch}\n"
        return merged(self._repository, tip, base, message, conflict, unrelated=began_empty)

    def _known_good(self, target: str, previous: str) -> bool:
        """Whether `target` is a state that needs no test: nothing of ours was combined with it."""
        theirs = {self._repository.remote_tip(self.name(None)), self._base_if_any(), previous}
        return target in theirs

    def _base_if_any(self) -> str | None:
        """The tip of the owner's base branch, None while that is gone."""
        try:
            return self._repository.base_tip()
        except RemoteError:
            return None


# Rebase and merge without a work tree: nothing is disturbed, and nothing half done can be left behind.
# A cherry-pick is a three-way merge whose base is the picked commit's parent. `git merge-tree` finds the base by
# history, so the target's content is first put into a commit of its own on that parent. The same input always gives
# the same commits: a step repeated after a crash makes nothing new.


def rebased(repository: Repository, commits: Iterable[str], onto: str, conflict: Conflict) -> list[str]:
    """`commits` (oldest first) rebased onto `onto`: the new commits, oldest first.

    A commit whose parent it is already is kept. Raises what `conflict` makes of the paths in conflict.
    """
    made: list[str] = []
    for commit in commits:
        onto = _cherry_picked(repository, commit, onto, conflict)
        made.append(onto)
    return made


def merged(
    repository: Repository, ours: str, theirs: str, message: str, conflict: Conflict, *, unrelated: bool = False
) -> str:
    """`theirs` merged into `ours`: one of the two if it contains the other, else a merge commit. `unrelated`: they may
    share no history."""
    if repository.is_ancestor(theirs, ours):
        return ours
    if repository.is_ancestor(ours, theirs):
        return theirs
    tree = repository.merged_tree(ours, theirs, conflict, unrelated=unrelated)
    return repository.commit_tree(tree, [ours, theirs], message)


def _cherry_picked(repository: Repository, commit: str, onto: str, conflict: Conflict) -> str:
    parent = repository.commit_of(f"{commit}^")
    if parent == onto:
        return commit
    target = repository.commit_tree(repository.tree_of(onto), [parent], "target of a pick\n", like=onto)
    tree = repository.merged_tree(target, commit, conflict)
    message = repository.message_of(commit)
    return repository.commit_tree(tree, [onto], message, like=commit, not_before=repository.committed_at(onto))
