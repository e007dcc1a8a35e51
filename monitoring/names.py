"""Names of files that are not what they seem: to people, to git, or to a file system.

Agents' tools refuse them, and so does git's side when it records what a worktree holds.
"""

from __future__ import annotations

import unicodedata


def is_deceptive(name: str) -> bool:
    """Whether a file's name holds what is not shown as it is: control characters, marks of direction, invisible ones,
    separators of lines."""
    return any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in name)


def is_git_name(name: str) -> bool:
    """Whether some file system takes `name` for `.git`: other case, trailing dots or spaces, invisible characters.

    The list is git's own (`is_hfs_dotgit`, `is_ntfs_dotgit` in its path.c and utf8.c).
    """
    return _taken_for(name) in {".git", "git~1"}


def lists_submodules(path: str) -> bool:
    """Whether some file system takes the file for `.gitmodules`."""
    return _taken_for(path.rpartition("/")[2]) in {".gitmodules", "gitmod~1"}


def _taken_for(name: str) -> str:
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return visible.split(":", 1)[0].rstrip(". ").casefold()
