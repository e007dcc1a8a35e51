"""The folders in which the files of a commit or tree are read, and those in which its tests run."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from git_ops import Export, GitManager
from monitoring import get_logger
from testing import discard_folder, end_orphans

log = get_logger(__name__)

LARGE = 2000
"""Files from which on writing a tree anew costs more than reading all of it to see that it is as it was."""
_MOST_KEPT = 2
"""Folders of each kind that stay when nobody uses them."""


class RunFolders:
    """Lends folders with the files of a tree. Safe to use from several threads.

    Those that are only read stay, and become another tree by what differs. Those that code runs in are new for every
    run and deleted afterwards; in a large repository they stay, with every file as it was.
    """

    def __init__(self, git: GitManager, prefix: str, *, confines: Callable[[], bool]) -> None:
        """`prefix`: of the folders' names, this project's own. `confines`: whether nothing outlives a run."""
        self._git = git
        self._prefix = prefix
        self._confines = confines
        self._lock = threading.Lock()
        self._read: list[Export] = []
        self._run: list[Export] = []

    @contextmanager
    def for_reading(self, treeish: str) -> Iterator[tuple[Path, str]]:
        """The files of a commit or tree, which are only read, and the tree's hash."""
        export = self._lent(self._read, treeish)
        try:
            yield export.path, export.tree
        finally:
            self._keep(self._read, export)

    @contextmanager
    def for_a_run(self, treeish: str) -> Iterator[tuple[Path, str]]:
        """The files of a commit or tree in a folder that code may write to, and the tree's hash."""
        export = self._lent(self._run, treeish)
        stays = False
        try:
            yield export.path, export.tree
            stays = export.files >= LARGE and self._confines() and self._git.exports.restored(export)
        finally:
            if stays:
                self._keep(self._run, export)
            else:
                _discard(export)

    def let_go(self) -> int:
        """Delete the folders that nobody uses; how many."""
        with self._lock:
            idle = [*self._read, *self._run]
            self._read.clear()
            self._run.clear()
        for export in idle:
            _discard(export)
        return len(idle)

    def clear_leftovers(self) -> None:
        """End the processes and remove the folders that a killed daemon of this project left. Only at the start."""
        if ended := end_orphans(str(Path(tempfile.gettempdir(), self._prefix))):
            log.info("ended test runs that a killed daemon had left", ended=ended)
        for folder in Path(tempfile.gettempdir()).glob(f"{self._prefix}*"):
            if folder.lstat().st_uid == os.geteuid():  # any user may make one of that name
                discard_folder(folder)

    def _lent(self, kept: list[Export], treeish: str) -> Export:
        tree = self._git.repository.tree_of(treeish)
        with self._lock:
            same = next((export for export in kept if export.tree == tree), None)
            idle = same or (kept[0] if kept else None)
            if idle:
                kept.remove(idle)
        if idle is None:
            return self._written(tree)
        try:
            if turned := self._git.exports.turned_into(idle, tree):
                return turned
        except BaseException:
            _discard(idle)
            raise
        _discard(idle)
        return self._written(tree)

    def _written(self, tree: str) -> Export:
        # Below /tmp and not in the workspace: without a sandbox pytest would read settings from parent folders.
        parent = Path(tempfile.mkdtemp(prefix=self._prefix))
        try:
            return self._git.trees.export(tree, parent / "work")
        except BaseException:
            discard_folder(parent)
            raise

    def _keep(self, kept: list[Export], export: Export) -> None:
        with self._lock:
            kept.append(export)
            surplus = [kept.pop(0) for _ in range(len(kept) - _MOST_KEPT)]
        for one in surplus:
            _discard(one)


def _discard(export: Export) -> None:
    discard_folder(export.path.parent)
