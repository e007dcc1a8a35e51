"""What this machine gives a model to run on: memory and cores, also where a container or a service limits them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Machine:
    """Memory in GB (10⁹ bytes) and cores that this process may use."""

    memory_gb: float
    cores: int


@cache
def this_machine() -> Machine:
    """The machine this process runs on, within the limits of its control group."""
    return limited(Machine(psutil.virtual_memory().total / 1e9, len(os.sched_getaffinity(0))))


def limited(
    machine: Machine, *, groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> Machine:
    """`machine` within `memory.max` and `cpu.max` of the process's control group and of those above it (cgroup v2)."""
    memory, cores = machine.memory_gb, machine.cores
    for group in _own_groups(groups, membership):
        if (most := _words(group / "memory.max")) and most[0].isdigit():
            memory = min(memory, int(most[0]) / 1e9)
        share = _words(group / "cpu.max")  # "QUOTA PERIOD", both in microseconds, or "max PERIOD"
        if len(share) == 2 and share[0].isdigit():
            cores = min(cores, max(1, int(share[0]) // int(share[1])))
    return Machine(memory, cores)


def _own_groups(groups: Path, membership: Path) -> Iterator[Path]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    group = groups / own.strip("/")
    yield group
    while group != groups and group.is_relative_to(groups):
        group = group.parent
        yield group


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
