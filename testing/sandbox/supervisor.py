"""Watches one confined command from outside: its output, its time, what it uses; and ends it without survivors.

A supervisor is used by one thread (`run`); `cancel` may be called from any other. That thread must outlive the
command: `--die-with-parent` follows the thread that started bubblewrap.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from monitoring import get_logger
from testing.sandbox.control_group import ControlGroup, control_group
from testing.sandbox.footprint import (
    DiskUse,
    disk_use,
    free_bytes,
    free_files,
    kernel_bytes,
    process_tree,
    proportional_bytes,
    resident_bytes,
    thread_count,
    unlinked_bytes,
)
from testing.sandbox.limits import SandboxLimits

KilledReason = Literal["timeout", "output", "memory", "processes", "disk", "cancelled"]

_log = get_logger(__name__)

_LOOK_EVERY = 0.1  # memory and processes: a process can touch some 3 GB in a second
_LOOK_CLOSELY = 0.02  # where an eighth of the processes is there already: they can be gone again soon
_DISK_EVERY = 0.2
_DISK_SHARE = 20  # a walk over the folders may take a twentieth of the time
_DISK_PARTS = 4  # unless so much of a limit is gone from the disk since the last walk
_KILL_GRACE = 5.0
_ORPHAN_SECONDS = 5.0
_ORPHAN_LOOKS = 5
"""A bubblewrap that is just beginning makes another one, which only a second look finds."""


@dataclass
class Launch:
    """A command ready to be started: what to run, and the descriptors it needs, which `close` gives back."""

    argv: list[str]
    env: dict[str, str]
    cwd: str | None = None
    fds: list[int] = field(default_factory=list)
    status_fd: int | None = None
    """Our end of bubblewrap's `--json-status-fd`; the other end is among `fds`."""

    def close_passed(self) -> None:
        """Close what the child has inherited."""
        while self.fds:
            os.close(self.fds.pop())

    def close(self) -> None:
        self.close_passed()
        if self.status_fd is not None:
            os.close(self.status_fd)
            self.status_fd = None


@dataclass(frozen=True)
class Outcome:
    """How a supervised command ended. A command killed here has exit code 137 and says why."""

    exit_code: int
    output: str
    output_bytes: int
    killed_reason: KilledReason | None
    seconds: float


class Supervisor:
    """One running command."""

    def __init__(
        self, launch: Launch, *, limits: SandboxLimits, timeout: float, writable: Sequence[Path], label: str = ""
    ) -> None:
        self.label = label
        self._launch = launch
        self._limits = limits
        self._timeout = timeout
        self._writable = list(writable)
        self._wake_lock = threading.Lock()
        self._wake: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._output_bytes = 0
        self._status = b""
        self._init_pid: int | None = None
        self._init_fd: int | None = None
        self._process_fd: int | None = None
        self._baseline = DiskUse(0, 0)
        self._free: list[int] = []
        self._left: list[tuple[int, int]] = []
        """Bytes and files that the disks could take at the last walk."""
        self._group: ControlGroup | None = None
        self._killed: KilledReason | None = None
        self._next_look = 0.0
        self._next_disk = 0.0

    def cancel(self) -> None:
        """Have the command killed; `run` then returns with the reason "cancelled"."""
        with self._wake_lock:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)

    def run(self) -> Outcome:
        """Start the command and stay until it and everything it started are gone."""
        self._baseline = disk_use(self._writable)
        self._free, self._left = [free_bytes(folder) for folder in self._writable], self._room()
        self._group = control_group(self._limits)
        started = time.monotonic()
        try:
            with self._start() as process:
                try:
                    self._follow(process, started + self._timeout)
                finally:
                    self._end(process)
            self._killed = self._killed or self._out_of_memory()
        finally:
            self.release()
            if self._group:
                self._group.remove()
        return Outcome(
            exit_code=137 if self._killed else process.returncode,
            output=b"".join(self._kept)[-self._limits.kept_output_bytes :].decode(errors="replace"),
            output_bytes=self._output_bytes,
            killed_reason=self._killed,
            seconds=time.monotonic() - started,
        )

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._group.entered(self._launch.argv) if self._group else self._launch.argv,
            env=self._launch.env,
            cwd=self._launch.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self._launch.fds,
            start_new_session=True,
        )
        self._launch.close_passed()
        self._process_fd = os.pidfd_open(process.pid)
        return process

    # ---- the loop

    def _follow(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        assert process.stdout is not None and self._process_fd is not None and self._wake is not None
        output = process.stdout.fileno()
        os.set_blocking(output, False)
        self._selector.register(output, selectors.EVENT_READ, self._read_output)
        self._selector.register(self._wake, selectors.EVENT_READ, self._read_wake)
        self._selector.register(self._process_fd, selectors.EVENT_READ, None)
        if self._launch.status_fd is not None:
            self._selector.register(self._launch.status_fd, selectors.EVENT_READ, self._read_status)
        ended = False
        while not ended and not self._killed:
            for key, _ in self._selector.select(self._pause(deadline)):
                if key.data is None:
                    ended = True
                else:
                    key.data(key.fd)
            if not ended:
                self._killed = self._killed or self._trespass(process.pid, deadline)
        self._read_output(output)

    def _pause(self, deadline: float) -> float:
        """Seconds until the next look."""
        now = time.monotonic()
        return max(0.0, min(self._next_look - now if self._next_look > now else _LOOK_EVERY, deadline - now))

    def _read_output(self, fd: int) -> None:
        for _ in range(64):  # in turns with the watch, however fast it prints
            try:
                piece = os.read(fd, 1 << 16)
            except BlockingIOError:
                return
            if not piece:
                self._forget(fd)
                return
            self._output_bytes += len(piece)
            self._kept.append(piece)
            self._kept_bytes += len(piece)
            while self._kept_bytes - len(self._kept[0]) >= self._limits.kept_output_bytes:
                self._kept_bytes -= len(self._kept.popleft())
            if self._output_bytes > self._limits.output_bytes:
                self._killed = self._killed or "output"
                return

    def _read_status(self, fd: int) -> bool:
        """Bubblewrap writes JSON lines, in fragments: {"child-pid": N, …} once the sandbox's init runs.
        False when it has closed its end."""
        piece = os.read(fd, 4096)
        if not piece:
            self._forget(fd)
            return False
        self._status += piece
        while self._init_pid is None and b"\n" in self._status:
            line, _, self._status = self._status.partition(b"\n")
            self._init_pid = json.loads(line).get("child-pid")
            if self._init_pid is not None:
                with suppress(ProcessLookupError):  # it has ended already
                    self._init_fd = os.pidfd_open(self._init_pid)
        return True

    def _read_wake(self, fd: int) -> None:
        os.eventfd_read(fd)
        self._killed = self._killed or "cancelled"

    def _forget(self, fd: int) -> None:
        with suppress(KeyError):
            self._selector.unregister(fd)

    # ---- the watch

    def _trespass(self, pid: int, deadline: float) -> KilledReason | None:
        """Which limit is passed now, if any; each is looked at in its own rhythm."""
        now = time.monotonic()
        if now >= deadline:
            return "timeout"
        if now < self._next_look:
            return None
        self._next_look = now + _LOOK_EVERY
        if short := self._out_of_memory():
            return short
        root = self._init_pid if self._launch.status_fd is not None else pid
        if root is not None:
            pids = process_tree(root)
            threads = thread_count(pids)
            if threads > self._limits.processes + 1:
                return "processes"
            if threads * 8 > self._limits.processes:
                self._next_look = now + _LOOK_CLOSELY
            kernel = kernel_bytes(pids)
            if resident_bytes(pids) + kernel > self._limits.memory_bytes < proportional_bytes(pids) + kernel:
                return "memory"
        if self._writable and (now >= self._next_disk or self._fills()):
            full = self._disk_is_full(process_tree(root) if root is not None else [])
            ended = time.monotonic()
            self._next_disk = ended + max(_DISK_EVERY, _DISK_SHARE * (ended - now))
            if full:
                return "disk"
        return None

    def _out_of_memory(self) -> KilledReason | None:
        return "memory" if self._group and self._group.is_out_of_memory else None

    def _fills(self) -> bool:
        """Whether the disks, which others use as well, can take much less than at the last walk."""
        left = self._room()
        size, files = self._limits.disk_bytes / _DISK_PARTS, self._limits.disk_files / _DISK_PARTS
        return any(was[0] - now[0] > size or was[1] - now[1] > files for was, now in zip(self._left, left, strict=True))

    def _room(self) -> list[tuple[int, int]]:
        return [(free_bytes(folder), free_files(folder)) for folder in self._writable]

    def _disk_is_full(self, pids: Sequence[int]) -> bool:
        self._left = self._room()
        size = self._baseline.size + self._limits.disk_bytes
        files = self._baseline.files + self._limits.disk_files
        found = disk_use(self._writable, enough_size=size, enough_files=files)
        if found.size + unlinked_bytes(pids, self._writable) > size or found.files > files:
            return True
        free = [free_bytes(folder) for folder in self._writable]
        if found.closed > self._baseline.closed:  # what lies in there is seen by what is gone of the disk
            return any(was - now > self._limits.disk_bytes for was, now in zip(self._free, free, strict=True))
        return any(now < self._limits.free_disk_bytes for now in free)

    # ---- the end

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Leave nothing alive. Killing the init of a PID namespace makes the kernel kill all the others first, and
        its own end is reported only after theirs; without a namespace, the group and all known descendants."""
        if self._launch.status_fd is not None:
            self._await_init()
        if self._init_fd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
            if not _ends_within(self._init_fd, _KILL_GRACE):
                _log.error("a sandbox is still ending", pid=self._init_pid, seconds=_KILL_GRACE)
        strays = [] if self._launch.status_fd is not None else process_tree(process.pid)[1:]
        if self._process_fd is None or self._init_fd is None or not _ends_within(self._process_fd, _KILL_GRACE):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # not reaped before here, so the number is still its own
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _await_init(self) -> None:
        """Bubblewrap that is still setting up has not reported its init yet; killed now, it could leave it behind."""
        assert self._launch.status_fd is not None
        until = time.monotonic() + 1.0
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._launch.status_fd, selectors.EVENT_READ)
            while self._init_pid is None and waiting.select(max(0.0, until - time.monotonic())):
                if not self._read_status(self._launch.status_fd):
                    return

    def release(self) -> None:
        """Close its descriptors. `run` does so at its end; whoever does not run it has to."""
        self._selector.close()
        with self._wake_lock:
            wake, self._wake = self._wake, None
        for fd in (self._init_fd, self._process_fd, wake):
            if fd is not None:
                os.close(fd)
        self._launch.close()


def _ends_within(pidfd: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as waiting:
        waiting.register(pidfd, selectors.EVENT_READ)
        return bool(waiting.select(seconds))


def end_orphans(place: str) -> int:
    """Kill the bubblewraps that were given a path that begins with `place`, an absolute path; returns how many.

    For what no living daemon started: the caller sees to it that nobody else uses such paths.

    bubblewrap dies with who started it, but for a moment at its beginning: its child waits for a message from its
    parent before it asks to die with it; if the parent is gone by then, it waits for ever (seen in `bench.chaos`).
    """
    ended = 0
    for _ in range(_ORPHAN_LOOKS):
        found = _bubblewraps(place)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=_ORPHAN_SECONDS)
        ended += len(found)
        if not found:
            break
    return ended


def _bubblewraps(place: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name", "cmdline", "status"])
        if process.info["name"] == "bwrap"
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and any(part.startswith(place) for part in process.info["cmdline"] or [])
    ]
