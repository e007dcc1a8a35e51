"""What a sandbox sees of the file system beyond the machine's own programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Mount:
    """`source`, a folder or file of the host, appears in the sandbox as the absolute path `target`."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Interpreter:
    """The Python below the daemon's own virtual environment, from which project environments are made."""

    executable: Path
    mounts: tuple[Mount, ...]

    @property
    def identity(self) -> str:
        """Names this build of Python; an environment made with another one must not be used."""
        return f"{sys.implementation.cache_tag} {sys.version} {self.executable}"


@cache
def base_interpreter() -> Interpreter:
    """The interpreter and the folders it needs, at their own paths; which may be in a home folder."""
    found = Path(getattr(sys, "_base_executable", sys.executable))
    executable = found.resolve()
    prefixes = {Path(sys.base_prefix), Path(sys.base_exec_prefix), executable.parent.parent}
    prefixes |= {prefix.resolve() for prefix in prefixes}
    needed = sorted(prefix for prefix in prefixes if not prefix.is_relative_to("/usr"))
    return Interpreter(executable, tuple(Mount(prefix, os.fspath(prefix)) for prefix in needed))


def parents(targets: Iterable[str]) -> Iterator[str]:
    """Every folder above `targets`, outermost first and once, the root left out."""
    seen = set()
    for target in targets:
        for parent in reversed(PurePosixPath(target).parents[:-1]):
            if parent not in seen:
                seen.add(parent)
                yield str(parent)
