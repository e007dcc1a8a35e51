"""How much of the machine one sandboxed run may use."""

from __future__ import annotations

import math
import os
import resource
from dataclasses import dataclass

MIB, GIB = 1 << 20, 1 << 30

_SPARE_PROCESSES = 32
_STACKS = 1 * GIB


@dataclass(frozen=True)
class SandboxLimits:
    """Limits of one run, in bytes and counts. The defaults suit a test suite; `SETUP_LIMITS` suit an installation."""

    memory_bytes: int = 1 * GIB
    """Resident memory of all processes together; above it the run is killed."""
    processes: int = 256
    """Processes and threads alive at one time."""
    disk_bytes: int = 512 * MIB
    """What the run may add to its writable folders; above it the run is killed."""
    disk_files: int = 50_000
    """Files and folders the run may add to its writable folders."""
    file_bytes: int = 256 * MIB
    """Size of one file (RLIMIT_FSIZE)."""
    open_files: int = 1024
    """Descriptors of one process (RLIMIT_NOFILE)."""
    tmp_bytes: int = 256 * MIB
    """Size of /tmp, which lives in memory."""
    shared_memory_bytes: int = 64 * MIB
    """Size of /dev/shm."""
    output_bytes: int = 64 * MIB
    """Printed output after which the run is killed."""
    kept_output_bytes: int = 1 * MIB
    """The end of the output that is kept."""
    free_disk_bytes: int = 128 * MIB
    """Free space that must stay on the disk of the writable folders."""

    def prlimit_arguments(self, timeout: float, shares: int = 1) -> list[str]:
        """Arguments of util-linux `prlimit` for a run of `timeout` seconds, beside `shares - 1` others of its user.

        RLIMIT_DATA rather than RLIMIT_AS, which kills runtimes that reserve address space (research, trap 7). It counts
        what is reserved, such as 8 MiB for each thread, and so lies well above the memory that may be touched.
        RLIMIT_NPROC lies a little above the watchdog's limit, so that a fork bomb is killed and not left to spin.
        """
        seconds = math.ceil(timeout) * (os.cpu_count() or 1)
        values = {
            "nproc": shares * (self.processes + _SPARE_PROCESSES),
            "cpu": seconds + 1,
            "fsize": self.file_bytes,
            "nofile": self.open_files,
            "data": 2 * self.memory_bytes + _STACKS,
            "core": 0,
        }
        allowed = {name: min(value, _hard_limit(name)) for name, value in values.items()}
        return [f"--{name}={value}:{value}" for name, value in allowed.items()]


def _hard_limit(name: str) -> float:
    """What this process may set at most; more is refused, also to a limit that only `ulimit` gave the daemon."""
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
    return math.inf if hard == resource.RLIM_INFINITY else hard


SETUP_LIMITS = SandboxLimits(
    memory_bytes=4 * GIB,
    processes=512,
    disk_bytes=8 * GIB,
    disk_files=500_000,
    file_bytes=4 * GIB,
    open_files=4096,
    free_disk_bytes=512 * MIB,
)
