"""Exported trees that stay: turned into another tree by writing only what differs, and looked over after code had them.

Tens of thousands of new files take a small machine's disk from seconds to more than a minute; a few do not.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from git_ops.command import Place, nul_ended
from git_ops.models import Export
from git_ops.repository import LINK, PROGRAM, Entry, Repository
from git_ops.submodules import LINK_TO_COMMIT
from git_ops.unsafe_content import link_escapes

_SHA1 = 40
"""Digits of a name in a repository that does not use SHA-256."""
_PART = 1 << 20
_SETTABLE = ("user.", "system.")
"""Extended attributes that a file's owner can set."""


class Exports:
    """Changes and looks over folders that `Trees.export` has written. Only plain ones (`Export.is_plain`) can stay."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._git = repository.git

    def turned_into(self, export: Export, treeish: str) -> Export | None:
        """The export as that of another commit or tree, in the same folder, which is as it was written; None if the
        other has to be written anew."""
        tree = self._repository.tree_of(treeish)
        if tree == export.tree:
            return export
        if not export.is_plain:
            return None
        fields = self._git("diff-tree", "-r", "--raw", "-z", "--no-abbrev", "--no-renames", export.tree, tree).fields
        changes = [(header.split(), path) for header, path in zip(fields[::2], fields[1::2], strict=True)]
        for (_, mode, _, blob, _), path in changes:
            # What .gitattributes say decides how the other files are written.
            if mode == LINK_TO_COMMIT or path.rpartition("/")[2] == ".gitattributes":
                return None
            if mode == LINK and self._escapes(path, blob):
                return None
        gone = [path for header, path in changes if header[-1] == "D"]
        written = [path for header, path in changes if header[-1] != "D"]
        since = export.path.stat().st_mtime_ns
        for path in gone:
            _remove(export.path, path)
        self._write(export.path, tree, written)
        _date(export.path, [*gone, *written], since)
        more = sum({"A": 1, "D": -1}.get(header[-1], 0) for header, _ in changes)
        return export.model_copy(update={"tree": tree, "files": export.files + more})

    def restored(self, export: Export) -> bool:
        """Make a folder that code has written to what was exported again, and say whether it is: what is new in it is
        removed, what was changed is written anew, and owner, rights and times are those of a new export.

        Every file is read and hashed. Extended attributes, which may tell a later run something, make it False, as does
        what cannot be read or removed.
        """
        if not export.is_plain:
            return False
        expected = {entry.path: entry for entry in self._repository.entries(export.tree)}
        now = time.time_ns()
        try:
            left = _left_of(export.path, expected, now)
            if left is None:
                return False
            lost = [path for path in expected if path not in left]
            self._write(export.path, export.tree, lost)
            again = {one for path in lost for one in (path, *_parents(path), ".")}
            return all(_reclaimed(export.path / path, now) for path in sorted(again, reverse=True))
        except (OSError, RecursionError):
            return False

    def _escapes(self, path: str, blob: str) -> bool:
        target = self._git("cat-file", "blob", blob).stdout
        return link_escapes(path, target.decode("utf-8", errors="surrogateescape"))

    def _write(self, folder: Path, tree: str, paths: Sequence[str]) -> None:
        if not paths:
            return
        with self._repository.own_index() as index:
            place = Place(self._repository.path, folder, index)
            self._git("read-tree", tree, place=place)
            options = ("--force", "--quiet", "-z", "--stdin")
            self._git("checkout-index", *options, place=place, stdin=nul_ended(paths))


def _remove(root: Path, path: str) -> None:
    """Remove a file, and the folders that are empty then."""
    (root / path).unlink()
    for parent in _parents(path):
        if any((root / parent).iterdir()):
            break
        (root / parent).rmdir()


def _date(root: Path, paths: Iterable[str], nanoseconds: int) -> None:
    """Give files and their folders the time that all others have: it must not tell which ones the work is about."""
    for name in {one for path in paths for one in (path, *_parents(path), ".")}:
        if os.path.lexists(root / name):
            os.utime(root / name, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents][:-1]


def _left_of(root: Path, expected: Mapping[str, Entry], now: int) -> set[str] | None:
    """The files below `root` that are as expected; all others are removed. None if one has more than its content."""
    folders = {parent for path in expected for parent in _parents(path)}
    found: set[str] = set()
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(root / place) as entries:
            for entry in [*entries]:
                path = f"{place}/{entry.name}".lstrip("/")
                if entry.is_dir(follow_symlinks=False):
                    if path in folders:
                        waiting.append(path)
                    else:
                        shutil.rmtree(entry.path)
                elif path not in expected or not _holds(entry, expected[path]):
                    Path(entry.path).unlink()
                elif not _reclaimed(Path(entry.path), now):
                    return None
                else:
                    found.add(path)
        if not _reclaimed(root / place, now):  # after what was removed from it
            return None
    return found


def _holds(entry: os.DirEntry[str], wanted: Entry) -> bool:
    """Whether a file or link is the one of a tree."""
    details = entry.stat(follow_symlinks=False)
    hashed = hashlib.sha1(usedforsecurity=False) if len(wanted.name) == _SHA1 else hashlib.sha256()
    hashed.update(b"blob %d\0" % details.st_size)
    if details.st_nlink != 1:
        return False
    if wanted.mode == LINK and stat.S_ISLNK(details.st_mode):
        hashed.update(os.fsencode(Path(entry.path).readlink()))
    elif stat.S_ISREG(details.st_mode) and bool(details.st_mode & stat.S_IXUSR) == (wanted.mode == PROGRAM):
        with Path(entry.path).open("rb") as file:
            while part := file.read(_PART):
                hashed.update(part)
    return hashed.hexdigest() == wanted.name


def _reclaimed(path: Path, nanoseconds: int) -> bool:
    """Whether a file or folder has nothing of its own beside its content, owner, rights and times, which are set."""
    details = path.lstat()
    if any(name.startswith(_SETTABLE) for name in os.listxattr(path, follow_symlinks=False)):
        return False
    if (details.st_uid, details.st_gid) != (os.geteuid(), os.getegid()):
        os.lchown(path, os.geteuid(), os.getegid())
    if not stat.S_ISLNK(details.st_mode):
        path.chmod(0o755 if stat.S_ISDIR(details.st_mode) or details.st_mode & stat.S_IXUSR else 0o644)
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)
    return True
