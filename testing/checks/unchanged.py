"""Whether a run left the tests and their configuration as they were."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from testing.sandbox.user import everything

_WATCHED = re.compile(
    r"test_.*\.py|.*_test\.(?:py|go)|conftest\.py|\.?pytest\.(?:ini|toml)|tox\.ini|setup\.cfg|pyproject\.toml|"
    r"package\.json|.*\.(?:test|spec)\.[cm]?[jt]sx?|(?:jest|vitest)\.config\..*"
)
_LARGEST = 4 << 20


class TestFiles:
    """The tests below a run folder and what they read their settings from, as they are now."""

    __test__ = False

    def __init__(self, source: Path) -> None:
        self._source = source
        files = [path for path in everything(source) if _WATCHED.fullmatch(path.name) and not path.is_symlink()]
        self._digests = {path: digest for path in files if (digest := _digest(path))}

    def changed(self) -> list[str]:
        """Those that are not as they were, relative to the run folder."""
        found = [path for path, digest in self._digests.items() if _digest(path) != digest]
        return sorted(path.relative_to(self._source).as_posix() for path in found)


def _digest(path: Path) -> str | None:
    """Of a regular file that is not too large; what stands there may have become anything."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        os.close(fd)
        return None
    with os.fdopen(fd, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
