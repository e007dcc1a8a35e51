"""What a target can say of the version that runs, beside whether it answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_UNITS = {"B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}
_UNITS |= {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_SIZE = re.compile(r"([\d.]+)\s*([A-Za-z]+)")


@dataclass(frozen=True)
class Gauge:
    """One figure of what runs."""

    metric: Literal["memory", "restarts"]
    """`memory` in bytes; `restarts`: how often it was started again since it was first started."""
    value: float
    of: str = ""


def container_gauges(ask: Callable[..., str], container: str) -> list[Gauge]:
    """Memory and restarts of one container. `ask` runs docker with words, and gives what it prints."""
    found = []
    used = ask("its memory", "stats", "--no-stream", "--format", "{{.MemUsage}}", container).partition("/")[0]
    if size := _SIZE.search(used):
        found.append(Gauge("memory", float(size[1]) * _UNITS.get(size[2], 1)))
    again = ask("its restarts", "inspect", "--format", "{{.RestartCount}}", container).strip()
    if again.isdecimal():
        found.append(Gauge("restarts", float(again)))
    return found
