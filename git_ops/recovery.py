"""Putting the clone in order after a crash, before anything else is done with it.

Our own operations leave nothing half done: refs move by one atomic step and commits are made without a work tree.
What a killed git process leaves are lock files, temporary objects and half-made worktrees.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from git_ops.command import MARKER, OWNER
from git_ops.repository import Repository
from git_ops.worktrees import Worktrees
from monitoring import get_logger

log = get_logger(__name__)


def recover(repository: Repository, worktrees: Worktrees) -> list[str]:
    """End git processes of a dead daemon, remove stale locks, temporary files and half-made worktrees.

    Only for the start of the daemon, before any work on this clone. Gives what was cleared away.
    """
    if not repository.path.is_dir():
        return []
    cleared = [f"process {pid}" for pid in _end_orphans(repository.path)]
    with repository.lock("landing"), repository.lock("fetch"):
        for path in _leftovers(repository.path, repository.state):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            cleared.append(str(path.relative_to(repository.path)))
    cleared += [f"worktree {name}" for name in worktrees.prune()]
    if cleared:
        log.info("cleared away what a crash left", clone=str(repository.path), cleared=cleared)
    return cleared


def _leftovers(clone: Path, state: Path) -> Iterator[Path]:
    """Lock files of git and temporary files of git and of ours."""
    for folder, folders, files in os.walk(clone):
        here = Path(folder)
        if here == state:
            folders.clear()
            yield from (here / name for name in files if name.startswith(("index-", "askpass.")))
            continue
        yield from (here / name for name in files if name.endswith(".lock"))
        if "objects" in here.relative_to(clone).parts[:1]:
            yield from (here / name for name in files if name.startswith(("tmp_", ".tmp-")))
            yield from (here / name for name in folders if name.startswith("tmp_objdir-"))


def _end_orphans(clone: Path) -> list[int]:
    """Kill git processes of this clone whose daemon has died; they could still hold locks."""
    ended = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_orphan(int(entry.name), clone):
            try:
                os.kill(int(entry.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
            ended.append(int(entry.name))
    return ended


def _is_orphan(pid: int, clone: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if f"{MARKER}={clone}".encode() not in variables:
            return False
        owner = next(
            (value for name, _, value in (v.partition(b"=") for v in variables) if name == OWNER.encode()), b"0"
        )
        # Each command leads a session of its own, so its leader's parent is the daemon as long as that lives.
        return _parent(os.getsid(pid)) != int(owner)
    except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError):
        return False  # gone, or another user's


def _parent(pid: int) -> int:
    """The parent of a process, 0 when the process is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    return int(status.rpartition(")")[2].split()[1])
