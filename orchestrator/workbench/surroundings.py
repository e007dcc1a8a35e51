"""What a strong model is told of a repository before its task: conventions, the ranked map, and a test to go by.

It is read from the commit a task's work stands on and never from an attempt, so that it stands unchanged at the head of
all of a task's prompts, where providers keep it in their caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents import FileText, Surroundings
from file_system import FileManager, FileSystemError, RepositoryMap, conventions_of, is_test_path

_MAP_TOKENS = 2000
_MOST_EXAMPLE = 2500
"""Characters of a test file that show how tests are written here."""


def surroundings_of(root: Path, code_map: RepositoryMap, about: str, near: Sequence[str]) -> Surroundings:
    """The surroundings of a task that says `about` and whose work is in the files `near`, in the repository `root`."""
    return Surroundings(
        conventions=conventions_of(root),
        outline=code_map.render(_MAP_TOKENS, about=about, near=near),
        example=_example(root, code_map, near),
    )


def _example(root: Path, code_map: RepositoryMap, near: Sequence[str]) -> FileText | None:
    """The beginning of the test file that uses most of what the files `near` define, else of any."""
    users = [user for path in near for user in code_map.users_of(path)]
    found = next((path for path in [*users, *code_map.tags] if is_test_path(path) and code_map.tags[path].uses), None)
    if found is None:
        return None
    try:
        text = FileManager(root).read_file(found)
    except FileSystemError:  # not text
        return None
    cut = text if len(text) <= _MOST_EXAMPLE else f"{text[:_MOST_EXAMPLE].rpartition(chr(10))[0]}\n…"
    return FileText(found, cut)
