"""Handing folders to the user of the sandbox and taking them back, whatever was planted in them meanwhile."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path


def give(folder: Path, uid: int, gid: int) -> None:
    """Make `uid` the owner of `folder` and everything below it; links themselves, never what they point to.

    The folder itself is opened to all: bubblewrap enters it as root without root's right to enter any folder.
    """
    for path in everything(folder):
        os.lchown(path, uid, gid)
    folder.chmod(0o755)


def take(folder: Path) -> None:
    """Make this process's user the owner of `folder` and everything below; others may read and execute, not write."""
    uid, gid = os.geteuid(), os.getegid()
    for path in everything(folder):
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.lchown(path, uid, gid)
        if stat.S_ISDIR(found.st_mode):
            path.chmod(0o755)
        elif stat.S_ISREG(found.st_mode):
            path.chmod(0o755 if found.st_mode & stat.S_IXUSR else 0o644)


def discard(folder: Path) -> None:
    """Delete `folder` and everything below it. `rm` goes deeper than `shutil.rmtree`, whose recursion code can exhaust,
    and rights are restored first where code took its own away."""
    if not folder.is_symlink() and folder.exists():
        removed = _rm(folder)
        if removed.returncode != 0:
            subprocess.run(["chmod", "-R", "u+rwX", "--", os.fspath(folder)], stderr=subprocess.DEVNULL)
            removed = _rm(folder)
        if removed.returncode != 0:
            raise OSError(f"Cannot delete {folder}: {removed.stderr.strip()[-500:]}")


def _rm(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", os.fspath(folder)], stderr=subprocess.PIPE, text=True, errors="replace"
    )


def everything(folder: Path) -> Iterator[Path]:
    """`folder`, then what is below it, each folder before its content; links are not followed."""
    yield folder
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                yield Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
