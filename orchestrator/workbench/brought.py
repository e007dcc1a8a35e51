"""Which lines of code a change has brought, as Python counts lines."""

from __future__ import annotations

import re

from file_system import is_test_path
from git_ops import GitManager

_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_LONE_RETURN = re.compile(r"\r(?!\n)")


def lines_brought(git: GitManager, base: str, tree: str) -> dict[str, list[int]]:
    """The new or changed lines of Python files that are no tests, by path; an empty list stands for all lines.

    Each file is asked for by itself, so that no line in one can look like the heading of another. A carriage return
    alone ends a line for Python and not for git, so of such a file all lines count.
    """
    found: dict[str, list[int]] = {}
    for change in git.commits.changed_files(base, tree):
        if change.status == "deleted" or not change.path.endswith(".py") or is_test_path(change.path):
            continue
        paths = [path for path in (change.old_path, change.path) if path]
        diff = git.commits.diff(base, tree, paths=paths, context=0)
        hunks = [(int(hunk[1]), int(hunk[2] or "1")) for line in diff.split("\n") if (hunk := _HUNK.match(line))]
        lines = [line for first, count in hunks for line in range(first, first + count)]
        if lines:
            found[change.path] = [] if _LONE_RETURN.search(diff) else lines
    return found
