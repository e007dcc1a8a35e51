"""Locks between the threads of a daemon and between processes; the kernel frees them when their holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_ops.errors import LockBusy

_LONGEST_PAUSE = 0.1


@contextmanager
def locked(folder: Path, name: str, timeout: float) -> Iterator[None]:
    """Hold the lock `name`; raises LockBusy when it is not free within `timeout` seconds. Not reentrant."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    pause = 0.002
    with (folder / f"{name}.lock").open("a") as file:
        while True:
            try:
                # An open file of its own for each holder: so threads exclude one another too.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockBusy(name, timeout) from None
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        yield
