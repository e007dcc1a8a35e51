"""Brings a developer's answer into files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agents import Requirements
from file_system import AnswerError, FileManager, FileSystemError, apply_edits, parse_answer


class Apply(Protocol):
    """Puts one answer into the files below a folder."""

    def __call__(self, root: Path, protected: list[str], *, tests: str) -> str:
        """What is wrong with the answer, in words for its author, or nothing.

        `protected`: patterns of what it may not write. `tests`: the text of the new tests.
        """


def apply_file_edits(
    root: Path, protected: list[str], *, requirements: Requirements, answer: str, tests: str = ""
) -> str:
    """Make the edits of `answer`, whole files or search/replace blocks, in the files below `root`; see `Apply`."""
    files = FileManager(root, protected=protected)
    try:
        apply_edits(files, parse_answer(answer, target=requirements.target_file))
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    return ""
