"""A control group of the kernel for one run: memory and processes that it cannot pass, not for a moment.

The watch from outside (`supervisor.py`) counts in looks; this holds between them. It is there where the daemon may make
groups: as root, in a container or a systemd service to which they are delegated (`Delegate=`), by version 2 or 1 of the
kernel's interface (docs.kernel.org/admin-guide/cgroup-v2.html). Elsewhere runs go without.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitoring import get_logger
from testing.sandbox.limits import MIB, SandboxLimits

_log = get_logger(__name__)

_MOUNTS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_NAME = "ai-agents-run"
_DAEMON = "ai-agents-daemon"
"""The group of the daemon itself: in version 2 none that has groups below it holds processes."""
_CONTROLLERS = ("memory", "pids")
_LIMITS = {"memory": ("memory.max", "memory.limit_in_bytes"), "pids": ("pids.max", "pids.max")}
"""Files of version 2 and 1."""
_SPARE_PROCESSES = 16
"""bubblewrap's own, and enough for the watch to see that there are too many."""
_SPARE_MEMORY = 64 * MIB
"""The watch, which counts more fairly, comes first where it can."""
_DELEGATED = ("trusted.delegate", "user.delegate")
_ENTER = 'n=$1; shift; while [ $n -gt 0 ]; do echo $$ >"$1/cgroup.procs"; shift; n=$((n-1)); done; exec "$@"'
_REMOVAL_SECONDS = 1.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where groups with a controller can be made."""

    controller: str
    folder: Path
    version: int


class ControlGroup:
    """The group of one run: a folder for each hierarchy."""

    def __init__(self, folders: list[tuple[Place, Path]]) -> None:
        self._folders = folders

    def entered(self, argv: list[str]) -> list[str]:
        """The command that begins in the group."""
        paths = list(dict.fromkeys(os.fspath(folder) for _, folder in self._folders))
        return ["/bin/sh", "-c", _ENTER, "sh", str(len(paths)), *paths, *argv]

    @property
    def is_out_of_memory(self) -> bool:
        """Whether the kernel has ended a process of the group because it reached its limit, and not since the whole
        machine is short of memory."""
        for place, folder in self._folders:
            if place.controller == "memory":
                with suppress(OSError, ValueError):
                    counts = _counts(folder / ("memory.events" if place.version == 2 else "memory.oom_control"))
                    return counts["oom_kill"] > 0 and (
                        counts["oom"] > 0 if place.version == 2 else _is_at_limit(folder)
                    )
        return False

    def remove(self) -> None:
        """Take it away, and end what may be left in it; its processes may need a moment to be gone."""
        until = time.monotonic() + _REMOVAL_SECONDS
        for folder in dict.fromkeys(folder for _, folder in self._folders):
            with suppress(OSError):
                (folder / "cgroup.kill").write_text("1")  # version 2 alone has it
            while not _removed(folder) and time.monotonic() < until:
                time.sleep(0.01)


def control_group(limits: SandboxLimits) -> ControlGroup | None:
    """A new group with the limits of a run; None where none can be made."""
    places = group_places()
    if not places:
        return None
    name = f"{_NAME}-{os.getpid()}-{next(_numbers)}"
    values = {
        "memory": limits.memory_bytes + max(_SPARE_MEMORY, limits.memory_bytes // 8),
        "pids": limits.processes + _SPARE_PROCESSES,
    }
    group = ControlGroup([(place, place.folder / name) for place in places])
    try:
        for place in places:
            folder = place.folder / name
            folder.mkdir(exist_ok=True)  # one for both in version 2
            file = _LIMITS[place.controller][2 - place.version]
            (folder / file).write_text(str(values[place.controller]))
            if place.controller == "memory":
                _end_together(folder, place.version, values["memory"])
    except OSError as problem:
        _log.debug("no control group", reason=str(problem))
        group.remove()
        return None
    return group


def _end_together(folder: Path, version: int, most: int) -> None:
    """Nothing goes to swap, and all of the group ends where one has to."""
    wanted = (
        {"memory.swap.max": "0", "memory.oom.group": "1"} if version == 2 else {"memory.memsw.limit_in_bytes": most}
    )
    for name, value in wanted.items():
        with suppress(OSError):  # a kernel without swap accounting
            (folder / name).write_text(str(value))


def group_places(mounts: Path = _MOUNTS, membership: Path = _MEMBERSHIP) -> list[Place]:
    """Where this process can make groups that limit memory and processes: one place for each controller found. In
    version 2 it goes into a group of its own before that, if it has to."""
    found = [_version_1(controller, mounts, membership) for controller in _CONTROLLERS]
    left = [controller for controller, place in zip(_CONTROLLERS, found, strict=True) if place is None]
    return [place for place in found if place] + (_version_2(left, mounts, membership) if left else [])


def _version_1(controller: str, mounts: Path, membership: Path) -> Place | None:
    for number, names, path in _memberships(membership):
        if number != "0" and controller in names.split(","):
            folder = mounts / names / path.lstrip("/")
            # Its limit can be passed on only where this process may write to the group that it is in.
            return Place(controller, folder, 1) if os.access(folder / "cgroup.procs", os.W_OK) else None
    return None


def _version_2(controllers: list[str], mounts: Path, membership: Path) -> list[Place]:
    path = next((path for number, _, path in _memberships(membership) if number == "0"), None)
    root = next((root for root in (mounts, mounts / "unified") if (root / "cgroup.controllers").is_file()), None)
    if path is None or root is None:
        return []
    folder = root / path.lstrip("/")
    if folder.name == _DAEMON:
        folder = folder.parent
    try:
        there = [name for name in controllers if name in (folder / "cgroup.controllers").read_text().split()]
        enabled = (folder / "cgroup.subtree_control").read_text().split()
        if {*there} - {*enabled} and _is_delegated(folder, root):
            _make_room(folder, there)
            enabled = there
    except OSError:
        return []
    is_ours = os.access(folder / "cgroup.procs", os.W_OK) and os.access(folder, os.W_OK)
    return [Place(name, folder, 2) for name in there if name in enabled] if is_ours else []


def _is_delegated(folder: Path, root: Path) -> bool:
    """Whether systemd has left the group to us, or it is the topmost that there is, as in a container."""
    for attribute in _DELEGATED:
        with suppress(OSError):
            if os.getxattr(folder, attribute) == b"1":
                return True
    return folder == root and os.access(folder / "cgroup.subtree_control", os.W_OK)


def _make_room(folder: Path, controllers: list[str]) -> None:
    """Move all processes of the group into one below it, and hand the controllers on."""
    inner = folder / _DAEMON
    if any((folder / "cgroup.procs").read_text().split()) and (folder / "cgroup.type").exists():
        inner.mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (inner / "cgroup.procs").write_text(pid)
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def remove_old_groups() -> None:
    """Take away the groups of daemons that are gone."""
    for folder in {place.folder for place in group_places()}:
        for left in folder.glob(f"{_NAME}-*-*"):
            pid = left.name.split("-")[-2]
            if not Path("/proc", pid).exists():
                _removed(left)


def _is_at_limit(folder: Path) -> bool:
    most, limit = ((folder / f"memory.{name}_in_bytes").read_text() for name in ("max_usage", "limit"))
    return int(most) >= int(limit)


def _counts(file: Path) -> Counter[str]:
    """Numbers by name; 0 for a name that is not there."""
    return Counter({name: int(number) for name, number in map(str.split, file.read_text().splitlines())})


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _memberships(file: Path) -> Iterator[tuple[str, str, str]]:
    """Number, controllers and path of each hierarchy."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            number, names, path = line.split(":", 2)
            yield number, names, path
