"""Which folders that the work needs have no room left. Work waits for room by itself, so somebody has to be told."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from config import ProjectPaths

_LEAST_FREE = 4 * 1024 * 1024
"""Bytes without which hardly a tree of files can be laid out."""


class FullFolder(BaseModel):
    """A folder whose disk has no room."""

    folder: str
    what: str
    """What the folder is for."""
    lacks: str
    remedy: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.folder} ({self.what}) has {self.lacks}: work waits; {self.remedy}"


_WHY = {
    errno.ENOSPC: "no space is left on its disk",
    errno.EDQUOT: "the user's quota of disk space is used up",
    errno.EROFS: "its file system is read-only",
    errno.EACCES: "the user of this program may not write there",
    errno.EPERM: "the user of this program may not write there",
    errno.EISDIR: "a folder is in the way of a file",
    errno.EEXIST: "a file is in the way of a folder",
    errno.ENOTDIR: "a file is in the way of a folder",
    errno.ENOENT: "nothing can be made there",
}


def unusable(problem: OSError, paths: ProjectPaths) -> str:
    """Why the daemon cannot use its files, and what to do, in words for the owner."""
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return "too few files may be open at once: allow 256 or more (`ulimit -n`, in a service LimitNOFILE=)"
    file = str(problem.filename or "")
    if problem.errno not in _WHY or not file:
        return str(problem)
    settings = {
        paths.logs: "monitoring.logs_path",
        paths.workspace: "file_system.workspace_path",
        paths.data: "file_system.data_path",
    }
    named = next((f", or set {name}" for folder, name in settings.items() if Path(file).is_relative_to(folder)), "")
    return f"{file} cannot be used: {_WHY[problem.errno]}; mend that{named}"


def full_folders(paths: ProjectPaths, pid: int | None, least: int = _LEAST_FREE) -> list[FullFolder]:
    """Those of the project and of the daemon with that pid, or of one that would be started here, that have less than
    `least` bytes left."""
    seen, known = _view_of(pid)
    needed = {
        seen / known.relative_to("/"): (known, "temporary files", "free some, or start the daemon with another TMPDIR"),
        paths.workspace: (paths.workspace, "workspace", "free some, or set file_system.workspace_path"),
        paths.state: (paths.state, "data", "free some, or set file_system.data_path"),
        paths.logs: (paths.logs, "logs", "free some, or set monitoring.logs_path"),
    }
    found = []
    for folder, (shown, what, remedy) in needed.items():
        if lacks := _lacks(folder, least):
            found.append(FullFolder(folder=str(shown), what=what, lacks=lacks, remedy=remedy))
    return found


def _lacks(folder: Path, least: int) -> str:
    there = next((each for each in (folder, *folder.parents) if each.exists()), None)
    if there is None:
        return ""
    try:
        disk = os.statvfs(there)
    except OSError:
        return ""
    if disk.f_flag & os.ST_RDONLY:
        return "a read-only file system"
    free = disk.f_bavail * disk.f_frsize
    if free < least:
        return f"{free / 1e6:.1f} MB left"
    return "no room for another file (inodes)" if disk.f_files and not disk.f_favail else ""


def _view_of(pid: int | None) -> tuple[Path, Path]:
    """The root folder of the daemon, which may have a /tmp of its own, and its folder for temporary files."""
    root, variables = Path("/"), dict(os.environ)
    if pid is not None:
        with suppress(OSError):  # another user's
            text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape")
            variables = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)
            if (inside := Path(f"/proc/{pid}/root")).is_dir():
                root = inside
    return root, _temporary(variables)


def _temporary(variables: Mapping[str, str]) -> Path:
    """Where `tempfile` looks first; it goes on to the next folder when that one is full, and not back."""
    named = next((variables[name] for name in ("TMPDIR", "TEMP", "TMP") if variables.get(name)), "/tmp")  # noqa: S108
    return Path(named).absolute()
