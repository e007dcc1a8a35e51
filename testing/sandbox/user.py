"""Who sandboxed code is, and the folders that are handed to that user and taken back."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testing.errors import SandboxUnavailable


@dataclass(frozen=True)
class Identity:
    """The user that sandboxed code runs as.

    A daemon that is root gives up its uid for `uid` (`drops`); an ordinary daemon keeps its own, and a user namespace
    shows it as `inside_uid`.
    """

    name: str
    uid: int
    gid: int
    inside_uid: int
    inside_gid: int
    drops: bool


def identity_for(user: str) -> Identity:
    """Who code runs as when this process starts it; `user` counts only for root.

    Raises SandboxUnavailable when this process is root and `user` is unknown or root itself.
    """
    if os.geteuid() != 0:
        return Identity("agent", os.geteuid(), os.getegid(), 1000, 1000, drops=False)
    attempted = f"Cannot run tests as sandbox.user {user!r}"
    remedy = "set sandbox.user to an unprivileged user of this machine, such as 'nobody'."
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise SandboxUnavailable(attempted, "there is no such user.", remedy) from None
    if found.pw_uid == 0 or found.pw_gid == 0:
        raise SandboxUnavailable(attempted, "it has root's uid or gid, from which a sandbox can be undone.", remedy)
    return Identity(user, found.pw_uid, found.pw_gid, found.pw_uid, found.pw_gid, drops=True)


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
    """Delete `folder` and everything below it. `rm` deletes deeper folders than `shutil.rmtree`, whose recursion has a
    limit; permissions that code took from itself are restored first."""
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
