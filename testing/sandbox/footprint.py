"""What a running sandbox uses, seen from outside: its processes, their memory, what it has written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_INODE = 1024
"""Bytes of the kernel that a file in memory takes, about."""


def process_tree(root: int) -> list[int]:
    """Process ids of `root` and everything below it. In a PID namespace an orphan's parent is the namespace's init,
    so nothing inside escapes this walk."""
    found, waiting = [root], [root]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except FileNotFoundError:
        if Path("/proc/thread-self/children").exists():
            return children  # the process has just ended
        return [child.pid for child in psutil.Process(pid).children()] if psutil.pid_exists(pid) else []
    except (ProcessLookupError, PermissionError):
        pass
    return children


def thread_count(pids: Iterable[int]) -> int:
    """Threads of these processes together, which is what RLIMIT_NPROC counts."""
    return sum(int(_status(pid).get("Threads", "1")) for pid in pids)


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of these processes that is not file cache, counting a page once for each process that has it, and what
    tells where their pages are."""
    total = 0
    for pid in pids:
        status = _status(pid)
        total += sum(int(status.get(field, "0 kB").split()[0]) for field in ("RssAnon", "RssShmem", "VmPTE"))
    return total * 1024


def proportional_bytes(pids: Iterable[int]) -> int:
    """As `resident_bytes`, a shared page split among its holders. Slower: asked only before a run is killed for it."""
    total = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except PermissionError:
            total += resident_bytes([pid])
            continue
        except OSError:  # it has ended
            continue
        fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:] if ":" in line)
        total += 1024 * sum(int(fields.get(name, "0 kB").split()[0]) for name in ("Pss_Anon", "Pss_Shmem"))
        total += 1024 * int(_status(pid).get("VmPTE", "0 kB").split()[0])
    return total


def kernel_bytes(pids: Sequence[int]) -> int:
    """Memory that belongs to no process and that these ones take: of sockets in their network, unread, and of files in
    memory, however empty. `pids`: that of the sandbox's first process, and all others."""
    return _socket_bytes(pids[0]) + _file_bytes(pids)


def _socket_bytes(root: int) -> int:
    """What lies unread in sockets, twice, since the kernel keeps it in pieces with heads. Of those on one machine that
    is not told: each counts with a full buffer, as the kernel sizes one (`net.core.wmem_default`)."""
    try:
        used = int(Path(f"/proc/{root}/net/sockstat").read_text().partition("\n")[0].rpartition(" ")[2])
        full = int(Path("/proc/sys/net/core/wmem_default").read_text())
    except (OSError, ValueError):
        return 0
    unread = listed = 0
    for kind in ("tcp", "tcp6", "udp", "udp6") if used else ():
        with suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{root}/net/{kind}").read_text().splitlines()[1:]:
                sent, _, received = line.split()[4].partition(":")
                unread += int(sent, 16) + int(received, 16)
                listed += 1
    return 2 * unread + max(used - listed, 0) * full


def _file_bytes(pids: Sequence[int]) -> int:
    """What the files in /tmp and /dev/shm take, each with something beside its content."""
    for pid in reversed(pids):  # the first of all may be closed to us
        with suppress(OSError):
            used = 0
            for folder in ("tmp", "dev/shm"):
                place = f"/proc/{pid}/root/{folder}"
                if Path(place).stat().st_dev == Path("/", folder).stat().st_dev:  # it has no root of its own yet
                    return 0
                found = os.statvfs(place)
                used += (found.f_files - found.f_ffree) * _INODE + (found.f_blocks - found.f_bfree) * found.f_frsize
            return used
    return 0


def unlinked_bytes(pids: Iterable[int], folders: Iterable[Path]) -> int:
    """What files that no folder holds any more take up on the disks of `folders`, as far as a process has them open or
    mapped."""
    devices = {folder.stat().st_dev for folder in folders}
    found: dict[tuple[int, int], int] = {}
    for pid in pids:
        for place in ("fd", "map_files"):
            with suppress(OSError), os.scandir(f"/proc/{pid}/{place}") as entries:
                for entry in entries:
                    with suppress(OSError):
                        file = entry.stat()
                        if file.st_nlink == 0 and file.st_dev in devices:
                            found[file.st_dev, file.st_ino] = file.st_blocks * 512
    return sum(found.values())


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


@dataclass(frozen=True)
class DiskUse:
    """Blocks and entries below some folders."""

    size: int
    files: int
    closed: int = 0
    """Folders that could not be looked into."""


def disk_use(
    folders: Iterable[Path], *, enough_size: float = float("inf"), enough_files: float = float("inf")
) -> DiskUse:
    """What lies below `folders`, links not followed; stops counting once either bound is passed.

    A chain of folders too deep for the kernel's path limit counts as unbounded: only an attack builds one.
    """
    size = files = closed = 0
    waiting = [os.fspath(folder) for folder in folders]
    while waiting:
        try:
            entries = _entries(waiting.pop())
            files += len(entries)
            for entry in entries:
                with suppress(FileNotFoundError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return DiskUse(size, 1 << 62)
            closed += error.errno == errno.EACCES
            continue  # it went away, or the run has locked itself out of it
        if size > enough_size or files > enough_files:
            break
    return DiskUse(size, files, closed)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def free_bytes(folder: Path) -> int:
    """Space left for ordinary users on the disk that holds `folder`."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def free_files(folder: Path) -> int:
    """How many more files the disk that holds `folder` can take; 0 where it does not count them."""
    return os.statvfs(folder).f_ffree
