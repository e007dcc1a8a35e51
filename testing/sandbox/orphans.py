"""What a killed daemon left in the sandbox."""

from __future__ import annotations

from contextlib import suppress

import psutil

_ENDING_SECONDS = 5.0
_LOOKS = 5
"""A bubblewrap that is just beginning makes another one, which only a second look finds."""


def end_orphans(mark: str) -> int:
    """Kill the bubblewraps that have `mark` in their command line; gives how many. For what no living daemon started.

    bubblewrap dies with who started it, but for a moment at its beginning: its child waits for a word of its parent
    before it asks to die with it, and when that is gone by then, waits for ever (seen in `bench.chaos`).
    """
    ended = 0
    for _ in range(_LOOKS):
        found = _left(mark)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=_ENDING_SECONDS)
        ended += len(found)
        if not found:
            break
    return ended


def _left(mark: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name", "cmdline", "status"])
        if process.info["name"] == "bwrap"
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and any(mark in part for part in process.info["cmdline"] or [])
    ]
