"""Walks a workspace: its files without those of tools, which match a glob, and which hold tests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import re2

from monitoring import is_git_name

SKIPPED_FOLDERS = frozenset(
    {"node_modules", "__pycache__", "site-packages", ".venv", "venv", ".tox", ".nox", ".eggs", ".mypy_cache"}
    | {".pytest_cache", ".ruff_cache", ".hypothesis", ".hg", ".svn"}
)
"""Folders of tools and installed packages: never the owner's code."""

_SCRIPT_TEST = re.compile(r"[._-](?:test|spec)\.[cm]?[jt]sx?$|^(?:jest|vitest)\.(?:config|setup)\.")

_SCRIPT_SPEC = re.compile(r"^spec/.*\.[cm]?[jt]s$|(?:^|/)[^/]*Spec\.[cm]?[jt]s$")
"""Tests of JavaScript by Jasmine's custom."""


def walk(root: Path) -> Iterator[str]:
    """Relative paths of all regular files, folder by folder in the order of names; links are not followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            continue  # removed, or not readable
        if folder and any(is_git_name(entry.name) for entry in entries):
            continue
        below = []
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if not _skipped(entry):
                    below.append(path)
            elif entry.is_file(follow_symlinks=False) and not is_git_name(entry.name):  # a worktree's `.git` is a file
                yield path
        pending.extend(reversed(below))


def _skipped(entry: os.DirEntry[str]) -> bool:
    if entry.name in SKIPPED_FOLDERS or entry.name.endswith(".egg-info") or is_git_name(entry.name):
        return True
    # A virtual environment under any other name.
    return Path(entry.path, "pyvenv.cfg").is_file()


def matching_files(root: Path, pattern: str) -> list[Path]:
    """Files of `root` that match `pattern`, relative and sorted. `**` spans folders; without `/` any folder matches."""
    return sorted(Path(path) for path in walk(root) if matches(path, pattern))


def matches(path: str, pattern: str) -> bool:
    """Whether a relative path matches such a pattern."""
    wanted = pattern.removeprefix("./")
    return _expression(wanted if "/" in wanted else f"**/{wanted}")(path)


def is_test_file(path: str) -> bool:
    """Whether a Python or JavaScript file holds tests, judged by its name and folders."""
    folders, _, name = path.rpartition("/")
    if (
        name.startswith("test_")
        or name.endswith(("_test.py", "_test.go"))
        or name == "conftest.py"
        or _SCRIPT_TEST.search(name)
    ):
        return True
    return bool({"tests", "test", "__tests__"} & set(folders.split("/"))) or _SCRIPT_SPEC.search(path) is not None


@lru_cache(maxsize=256)
def _expression(pattern: str) -> Callable[[str], bool]:
    """Whether a path matches a glob: `*` and `?` stay within a name, `**/` is any number of folders, `{a,b}` is one of
    both; braces do not nest.

    By RE2, which no glob of a model can make run for ever.
    """
    parts = []
    position = 0
    braces = "{" in pattern and pattern.count("{") == pattern.count("}") == len(re.findall(r"\{[^{}]*\}", pattern))
    inside_braces = False
    while position < len(pattern):
        if pattern.startswith("**/", position):
            parts.append("(?:[^/]+/)*")
            position += 3
        elif pattern.startswith("**", position):
            parts.append(".*")
            position += 2
        elif pattern[position] == "*":
            parts.append("[^/]*")
            position += 1
        elif braces and pattern[position] in ("{", "}" if inside_braces else "{", "," if inside_braces else "{"):
            inside_braces = pattern[position] != "}"
            parts.append({"{": "(?:", "}": ")", ",": "|"}[pattern[position]])
            position += 1
        elif pattern[position] == "?":
            parts.append("[^/]")
            position += 1
        elif (closing := pattern.find("]", position + 2)) != -1 and pattern[position] == "[":
            inside = pattern[position + 1 : closing].replace("\\", r"\\")
            parts.append(f"[{'^' + inside[1:] if inside.startswith('!') else inside}]")
            position = closing + 1
        else:
            parts.append(re.escape(pattern[position]))
            position += 1
    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile("".join(parts), options=options)
    except re2.error:  # an invalid class such as [z-a]: taken literally
        expression = re2.compile(re2.escape(pattern))
    # Git allows names that are not UTF-8, which RE2 does not take: their odd bytes count as a question mark.
    return lambda path: expression.fullmatch(path.encode("utf-8", "replace").decode()) is not None
