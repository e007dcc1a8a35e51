"""What a killed daemon left in the sandbox."""

from __future__ import annotations

from contextlib import suppress

import psutil


def end_orphans(mark: str) -> int:
    """Kill the bubblewraps that have `mark` in their command line; gives how many. For what no living daemon started.

    bubblewrap dies with who started it, but for a moment at its beginning: its child waits for a word of its parent
    before it asks to die with it, and when that is gone by then, waits for ever (seen in `bench.chaos`).
    """
    ended = 0
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "bwrap" and any(mark in part for part in process.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                ended += 1
    return ended
