"""Looking over a worktree before git does.

`git add` would run the filters of a nested repository, follow what a planted `.git` says, and record links that lead
out of the tree. Nothing of that kind is ever shown to git: the walk happens first, and one finding stops it.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from git_ops.errors import UnsafeContent

MAX_FILE_BYTES = 10 * 1024 * 1024
"""Larger files that are new or changed are not recorded: they would stay in the history for ever."""


def check_worktree(path: Path, admin: Path, recorded: Mapping[str, tuple[str, int]]) -> None:
    """Raise UnsafeContent for anything below `path` that must not reach git.

    `admin` is the git directory the worktree belongs to. `recorded` gives target and size of the links and large
    files of the last commit: what is unchanged there is the owner's and passes.
    """
    _check_root(path, admin)
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(path / folder) as entries:
            for entry in entries:
                if not folder and entry.name == ".git":
                    continue
                name = f"{folder}/{entry.name}" if folder else entry.name
                if _is_git_name(entry.name):
                    raise UnsafeContent("nested repository", name, "remove it; a repository inside is never touched")
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    pending.append(name)
                else:
                    _check_file(entry, name, mode, recorded)


def link_escapes(path: str, target: str) -> bool:
    """Whether a link at `path` with `target` may lead out of the tree.

    Only leading `..` are allowed: after a name they could climb out through another link.
    """
    if target.startswith("/") or not target:
        return True
    parts = [part for part in target.split("/") if part not in {"", "."}]
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return up > path.count("/") or ".." in parts[up:] or any(_is_git_name(part) for part in parts)


def _check_root(path: Path, admin: Path) -> None:
    pointer = path / ".git"
    status = pointer.lstat() if os.path.lexists(pointer) else None
    expected = f"gitdir: {admin}"
    if status is None or not stat.S_ISREG(status.st_mode) or pointer.read_text(errors="replace").strip() != expected:
        raise UnsafeContent("tampered worktree", ".git", "create the worktree anew")


def _check_file(entry: os.DirEntry[str], name: str, mode: int, recorded: Mapping[str, tuple[str, int]]) -> None:
    if stat.S_ISLNK(mode):
        target = str(Path(entry.path).readlink())
        if link_escapes(name, target) and recorded.get(name, ("", 0))[0] != target:
            raise UnsafeContent("link", name, f"it points to {target[:200]!r}, out of the tree; remove it")
    elif not stat.S_ISREG(mode):
        raise UnsafeContent("special file", name, "only regular files are recorded; remove it")
    else:
        size = entry.stat(follow_symlinks=False).st_size
        if size > MAX_FILE_BYTES and recorded.get(name, ("", 0))[1] != size:
            limit = f"{size} bytes are over the limit of {MAX_FILE_BYTES}"
            raise UnsafeContent("huge file", name, f"{limit}; keep data out of the repository")


def _is_git_name(name: str) -> bool:
    """Whether some file system takes `name` for `.git` (the list is git's own, see its path.c and utf8.c)."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return visible.split(":", 1)[0].rstrip(". ").casefold() in {".git", "git~1"}
