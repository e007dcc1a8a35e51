"""The tasks, and the libraries they are about.

A task is one YAML file in `bench/real/tasks`; its name is the task's id. It holds what the owner asks for, the right
tests as QA would write them, the right change as a developer would make it, and a judge that nobody is shown. Texts of
libraries are quoted only as far as an edit needs them; the libraries themselves are fetched (`bench/real/sources.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

FOLDER = Path(__file__).resolve().parent
TASKS = FOLDER / "tasks"
LIBRARIES = FOLDER / "libraries.yaml"

Kind: TypeAlias = Literal[
    "feature", "bugfix", "refactoring", "tests", "documentation", "configuration", "performance", "chore"
]
RED_FIRST: frozenset[Kind] = frozenset({"feature", "bugfix"})
"""Kinds whose tests must fail before the change."""


class UnknownTask(Exception):
    """No task has such an id."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Library(_Model):
    """One source distribution, pinned."""

    name: str
    version: str
    sha256: str
    suite: tuple[str, ...]
    """Files and folders of the whole suite, for pytest."""
    options: tuple[str, ...] = ()
    """Options of pytest for every run."""
    packages: tuple[str, ...]
    """What the suite needs besides the library."""
    installs: bool = True
    """Whether it can be installed; otherwise its suite runs beside the sources."""
    wild: tuple[str, ...] = ()
    """What is unusual about the set-up of this project."""
    setup_command: str = ""
    """What sets the project up for its tests, if it is not pip with `packages`."""

    @property
    def key(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def right_setup(self) -> str:
        """The command that sets the project up for its tests."""
        own = ["-e", "."] if self.installs else []
        return self.setup_command or shlex.join(["pip", "install", *own, *self.packages])


class Edit(_Model):
    """A text that stands in a file exactly once, and what stands there afterwards."""

    old: str = Field(min_length=1)
    new: str


class FileChange(_Model):
    """A change of one file: edits, a new file, a move or a removal."""

    path: str
    edits: tuple[Edit, ...] = ()
    content: str | None = None
    move_to: str = ""
    delete: bool = False

    @model_validator(mode="after")
    def _one_change(self) -> FileChange:
        if [bool(self.edits), self.content is not None, bool(self.move_to), self.delete].count(True) != 1:
            raise ValueError(f"{self.path}: give one of edits, content, move_to and delete")
        return self


class Look(_Model):
    """A look that QA takes before it writes: lines of a file, or a search."""

    path: str = ""
    first_line: int | None = None
    last_line: int | None = None
    search: str = ""


class ChangedTest(_Model):
    """An existing test that has to change, and why."""

    test: str
    reason: str


class RealTask(_Model):
    """A task with its right answer."""

    id: str
    library: str
    """Name of an entry of `libraries.yaml`."""
    kind: Kind
    title: str
    description: str
    link: str
    """The public report or change that the task is after."""
    wild: tuple[str, ...] = ()
    look: tuple[Look, ...] = ()
    brief: str = ""
    """What QA tells the developer and the reviewer."""
    tests: tuple[FileChange, ...] = ()
    changed_tests: tuple[ChangedTest, ...] = ()
    benchmark: str = ""
    """A program that defines `benchmark()`, for work on performance."""
    change: tuple[FileChange, ...] = ()
    summary: str
    commit_message: str
    judge: str
    """A pytest file, run in the root of what landed; it fails on the library as it is."""


def read_libraries(path: Path = LIBRARIES) -> dict[str, Library]:
    """Name -> library."""
    entries: dict[str, dict[str, object]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: Library.model_validate({"name": name, **entry}) for name, entry in entries.items()}


def read_tasks(ids: Sequence[str] = (), folder: Path = TASKS) -> list[RealTask]:
    """The tasks with these ids, or all, in the order of their ids. Raises `UnknownTask`."""
    tasks = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    if unknown := set(ids) - {task.id for task in tasks}:
        raise UnknownTask(f"no such task: {', '.join(sorted(unknown))}; see {folder}")
    return [task for task in tasks if not ids or task.id in ids]


def _read(path: Path) -> RealTask:
    try:
        return RealTask.model_validate({"id": path.stem, **yaml.safe_load(path.read_text(encoding="utf-8"))})
    except ValueError as problem:
        raise ValueError(f"{path.name}: {problem}") from None


def apply(changes: Sequence[FileChange], root: Path) -> None:
    """Make the changes below `root`. Raises `ValueError` if an old text does not stand in its file exactly once."""
    for change in changes:
        path = root / change.path
        if change.content is not None:
            if path.exists():
                raise ValueError(f"{change.path} is there already")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change.content, encoding="utf-8")
        elif change.move_to:
            (root / change.move_to).parent.mkdir(parents=True, exist_ok=True)
            path.rename(root / change.move_to)
        elif change.delete:
            path.unlink()
        else:
            path.write_text(_edited(change, path.read_bytes().decode()), encoding="utf-8", newline="")


def _edited(change: FileChange, text: str) -> str:
    for edit in change.edits:
        if (count := text.count(edit.old)) != 1:
            raise ValueError(f"{change.path}: this stands {count} times in it:\n{edit.old}")
        text = text.replace(edit.old, edit.new)
    return text
