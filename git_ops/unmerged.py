"""What has landed on a branch of its own and is not in the owner's branch yet, and the command that merges it.

It is looked at whenever somebody opens the inbox, so an answer is kept until one of the refs in question moves: their
files are looked at, and git is asked only then.
"""

from __future__ import annotations

import re
import shlex
import threading
from pathlib import Path

from git_ops.commits import TASK_TRAILER
from git_ops.errors import MergeConflict, RemoteError
from git_ops.landing_branch import LandingBranch
from git_ops.models import Unmerged
from git_ops.repository import TRACKING, Repository

_SIZE = re.compile(r"(\d+) (file|insertion|deletion)")


class Unmerges:
    """Says what waits to be merged; for several threads."""

    def __init__(self, repository: Repository, branch: LandingBranch, *, pushes: bool) -> None:
        self._repository, self._branch, self._pushes = repository, branch, pushes
        self._lock = threading.Lock()
        self._base = ""
        self._seen: tuple[object, ...] | None = None
        self._known: Unmerged | None = None

    def now(self) -> Unmerged | None:
        """None: nothing waits, or work lands elsewhere than on one branch of its own. Raises `GitError`."""
        if not self._branch.is_integration or not (self._repository.path / "HEAD").is_file():
            return None
        with self._lock:
            if self._seen is None or self._seen != self._fingerprint():
                self._base = self._base or self._repository.base_branch()
                self._take_in_what_the_owner_did()
                self._known = self._found()
                self._seen = self._fingerprint()
            return self._known

    def _fingerprint(self) -> tuple[object, ...]:
        """When the files last changed in which the refs stand, here and in a repository on this machine."""
        here, there = self._repository.path, self._repository.remote.git_folder()
        files = [*_files(here, self._branch.ref(None)), *_files(here, TRACKING + self._base)]
        files += _files(there, f"refs/heads/{self._base}") if there else []
        return tuple(_changed(file) for file in files)

    def _take_in_what_the_owner_did(self) -> None:
        """A repository elsewhere is fetched when the team looks for work; one on this machine costs nothing."""
        if self._repository.remote.local_path is None:
            return
        try:
            self._repository.fetch()
        except RemoteError:  # what is known of it still counts
            return

    def _found(self) -> Unmerged | None:
        tip, base = self._repository.resolve(self._branch.ref(None)), self._repository.base_tip()
        if tip is None or self._repository.is_ancestor(tip, base):
            return None
        tree = self._repository.tree_of(base)
        try:
            merged = self._repository.merged_tree(
                base, tip, lambda files: MergeConflict("a merge", files, ""), unrelated=True
            )
        except MergeConflict:
            conflicts, size = True, self._repository.git("diff", "--shortstat", f"{base}...{tip}").text
        else:
            if merged == tree:  # it is there, as other commits
                return None
            conflicts, size = False, self._repository.git("diff", "--shortstat", tree, merged).text
        trailer = f"--format=%(trailers:key={TASK_TRAILER},valueonly)"
        tasks = self._repository.git("log", trailer, f"{base}..{tip}").text.split()
        counted = {what: int(number) for number, what in _SIZE.findall(size)}
        return Unmerged(
            branch=self._branch.name(), base=self._base, tasks=len(set(tasks)), conflicts=conflicts,
            commits=len(self._repository.commits_between(base, tip)), files=counted.get("file", 0),
            added=counted.get("insertion", 0), removed=counted.get("deletion", 0), command=self._command(),
        )  # fmt: skip

    def _command(self) -> str:
        """What the owner types, in their repository or in a clone of it."""
        local, name = self._repository.remote.local_path, self._branch.name()
        git = f"git -C {shlex.quote(str(local))}" if local and not _is_bare(local) else "git"
        switch = f"{git} switch {shlex.quote(self._base)}"
        if not self._pushes:
            return f"{switch} && {git} pull {shlex.quote(str(self._repository.path))} {shlex.quote(name)}"
        if git == "git":
            return f"git fetch origin && {switch} && git merge {shlex.quote('origin/' + name)}"
        return f"{switch} && {git} merge {shlex.quote(name)}"


def _files(folder: Path, ref: str) -> tuple[Path, ...]:
    return folder / ref, folder / "packed-refs", folder / "reftable" / "tables.list"


def _changed(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_bare(folder: Path) -> bool:
    return not (folder / ".git").exists()
