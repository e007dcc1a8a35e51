"""What a change must not hold, whoever made it: refused by code before any of it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from file_system import FileManager, FileSystemError, readable_text
from git_ops import ChangedFile
from testing import Tampering, explain_tampering, tampering

_NAMED_BY_TASKS = {"exit", "stack", "shadow"}
"""What a task may ask for by its name, such as `os._exit` or a module `queue`."""


def refusal(files: FileManager, changes: Sequence[ChangedFile], before: Callable[[str], str], task: str) -> str:
    """Why `changes`, which `files` hold now, are refused, in words for their author; empty when they are not.

    `before` gives a file's text without the changes, `task` is what the task says.
    """
    marks: list[Tampering] = []
    for change in changes:
        try:
            for path in filter(None, (change.path, change.old_path)):
                files.check_writable(path)
        except FileSystemError as problem:
            return str(problem)
        after = "" if change.status == "deleted" else readable_text(files, change.path)
        if tampering(change.path, None, after):
            known = before(change.old_path or change.path) if change.status != "added" else None
            marks += [mark for mark in tampering(change.path, known, after) if not _asked_for(mark, task)]
    return explain_tampering(marks) if marks else ""


def _asked_for(mark: Tampering, task: str) -> bool:
    return mark.kind in _NAMED_BY_TASKS and mark.what.removeprefix("a new module ").strip("'") in task
