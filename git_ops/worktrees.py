"""One worktree per task: create, get, reset and remove, each repeatable after a crash."""

from __future__ import annotations

import errno
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from git_ops.command import Place
from git_ops.errors import DiskFull, GitError, WorktreeMissing
from git_ops.models import Worktree
from git_ops.repository import NO_COMMIT, Repository

_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
TASK_BRANCH = "agents/task/"
BASE_REF = "refs/agents/bases/"
_HALF_MADE = ".half-made-"


class Worktrees:
    """The worktrees of one clone, below `folder`."""

    def __init__(self, repository: Repository, folder: Path, start: Callable[[], str]) -> None:
        """`start` gives the commit that new work starts from."""
        self._start = start
        self._repository = repository
        self._git = repository.git
        self._folder = folder

    def create(self, task_id: str, base: str | None = None) -> Worktree:
        """The task's worktree on branch `agents/task/<id>`: the existing one with its work, else a new one whose branch
        starts at commit `base`, by default where new work starts.

        A branch without a worktree is checked out as it is.
        """
        path, branch = self._names(task_id)
        base = self._repository.commit_of(base) if base else self._start()
        with self._repository.lock("worktrees"):
            admin = self._admin(path)
            if admin is None or not self._complete(path, admin, branch):
                self._clear(path, admin)
                # Each of these steps can be repeated after a crash.
                self._repository.update_ref(BASE_REF + task_id, base, NO_COMMIT)
                start = self._repository.commit_of(BASE_REF + task_id)
                self._repository.update_ref(f"refs/heads/{branch}", start, NO_COMMIT)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._git("worktree", "add", "--quiet", "--force", str(path), branch)
        return self.get(task_id)

    def holds(self, task_id: str) -> bool:
        """Whether there is a worktree of the task."""
        try:
            self.get(task_id)
        except WorktreeMissing:
            return False
        return True

    def get(self, task_id: str) -> Worktree:
        """The task's worktree; raises WorktreeMissing."""
        path, branch = self._names(task_id)
        base = self._repository.resolve(BASE_REF + task_id)
        admin = self._admin(path)
        if base is None or admin is None or not self._complete(path, admin, branch):
            raise WorktreeMissing(task_id)
        return Worktree(task_id=task_id, path=path, branch=branch, base_commit=base)

    def all(self) -> list[Worktree]:
        """All complete worktrees, by task id."""
        found = []
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else []:
            try:
                found.append(self.get(path.name))
            except GitError:
                continue  # incomplete, or no worktree at all
        return found

    def tasks(self) -> list[str]:
        """The tasks that have a worktree or a branch here, by id."""
        branches = (name for name in self._repository.branches() if name.startswith(TASK_BRANCH))
        named = {name.removeprefix(TASK_BRANCH) for name in branches}
        return sorted(named | {worktree.task_id for worktree in self.all()})

    def remove(self, task_id: str, *, branch: bool = False) -> None:
        """Remove the worktree and, if asked, the task's branch. Nothing happens when they are gone."""
        path, name = self._names(task_id)
        with self._repository.lock("worktrees"):
            self._clear(path, self._admin(path))
            if branch:
                self._repository.delete_ref(f"refs/heads/{name}")
                self._repository.delete_ref(BASE_REF + task_id)

    def reset(self, worktree: Worktree, commit: str | None = None) -> None:
        """Set branch, index and files to `commit`, by default the branch's last one; everything else in the worktree is
        removed, including ignored files."""
        commit = commit or f"refs/heads/{worktree.branch}"
        with self.temporary_index(worktree) as place:
            self._git("read-tree", "--reset", "-u", commit, place=place)
            self._git("clean", "-ffdxq", place=place)
            self._repository.update_ref(f"refs/heads/{worktree.branch}", self._repository.commit_of(commit))
            self.adopt_index(worktree, place)

    def place(self, worktree: Worktree) -> Place:
        """Where git works on the worktree. Its `.git` file is not used: whoever writes files could have changed it."""
        admin = self._admin(worktree.path)
        if admin is None:
            raise WorktreeMissing(worktree.task_id)
        return Place(admin, worktree.path)

    @contextmanager
    def temporary_index(self, worktree: Worktree) -> Iterator[Place]:
        """A private copy of the worktree's index, so that no `index.lock` is left behind."""
        place = self.place(worktree)
        with self._repository.own_index() as index:
            self._copy_index(place.git_dir / "index", index)
            yield Place(place.git_dir, place.work_tree, index)

    def _copy_index(self, source: Path, target: Path) -> None:
        """A copy keeps git's knowledge of which files are unchanged, and its time: git looks into a file that was
        written as late as the index, and takes an older one of the same size and times to be unchanged.
        """
        try:
            shutil.copy2(source, target)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFull("copying an index", str(target.parent)) from None
            raise

    def adopt_index(self, worktree: Worktree, place: Place) -> None:
        """Make the temporary index the worktree's own."""
        if place.index is not None:
            place.index.replace(place.git_dir / "index")

    def prune(self) -> list[str]:
        """Remove incomplete worktrees, which contain no work; gives the names of their folders."""
        cleared = []
        with self._repository.lock("worktrees"):
            for admin in self._admins():
                path = _path_of(admin)
                if path is None or not self._complete(path, admin, TASK_BRANCH + path.name):
                    self._clear(path, admin)
                    cleared.append(admin.name)
            for path in list(self._folder.iterdir()) if self._folder.is_dir() else []:
                stray = path.is_dir() and not path.name.startswith(".") and self._admin(path) is None
                if stray or path.name.startswith(_HALF_MADE):
                    shutil.rmtree(path)
                    cleared.append(path.name)
        return cleared

    def _names(self, task_id: str) -> tuple[Path, str]:
        if not _TASK_ID.fullmatch(task_id):
            raise GitError(f"task id {task_id[:120]!r}: use at most 100 letters, digits, '-' and '_'")
        return self._folder / task_id, TASK_BRANCH + task_id

    def _admins(self) -> list[Path]:
        folder = self._repository.path / "worktrees"
        return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []

    def _admin(self, path: Path) -> Path | None:
        """The git directory of the worktree at `path`."""
        return next((admin for admin in self._admins() if _path_of(admin) == path), None)

    def _complete(self, path: Path, admin: Path, branch: str) -> bool:
        """Whether `git worktree add` came to its end: it unlocks last, and the index is written before that."""
        head = admin / "HEAD"
        return (
            (path / ".git").is_file()
            and (admin / "index").is_file()
            and not (admin / "locked").exists()
            and head.is_file()
            and head.read_text().strip() == f"ref: refs/heads/{branch}"
        )

    def _clear(self, path: Path | None, admin: Path | None) -> None:
        """Remove a worktree, and the hidden folders beside it that begin with its name.

        It is renamed first, so that a crash does not leave half of it in place.
        """
        if path is not None and path.exists():
            grave = path.with_name(f"{_HALF_MADE}{path.name}-{uuid.uuid4().hex[:8]}")
            path.rename(grave)
            shutil.rmtree(grave)
        for beside in path.parent.glob(f".{path.name}.*") if path is not None else ():
            shutil.rmtree(beside)
        if admin is not None and admin.exists():
            shutil.rmtree(admin)


def _path_of(admin: Path) -> Path | None:
    """The worktree that a git directory below `worktrees/` belongs to."""
    try:
        pointer = (admin / "gitdir").read_text().strip()
    except FileNotFoundError:
        return None
    return Path(pointer).parent if pointer else None
