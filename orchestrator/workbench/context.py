"""What a developer is shown for one task: the target file, the files around it, the tests.

What a strong model is shown of the repository before its task (conventions, the ranked map, an example test) is read
from the base commit of the work and never from an attempt. So it stays the same at the head of all prompts of a task,
where providers cache it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from agents import CodeView, FileText, Requirements, Surroundings
from file_system import FileManager, FileSystemError, RepositoryMap, conventions_of, is_test_path, text_of
from file_system.code.outline import definition_line
from memory import Task
from orchestrator.services import Services
from orchestrator.workbench.sources import read_sources

_MAP_TOKENS = 2000
_MOST_EXAMPLE = 2500
"""Characters of a test file that shows how tests are written here."""


class Views:
    """The code base as the developer of one task sees it, in commits and trees of the worktree."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._suite = services.suite
        self._task = task

    def wide_view(self, treeish: str, requirements: Requirements, lessons: str) -> CodeView:
        """The target file and other files that the task names, as they are in `treeish`, with their surroundings."""
        words = set(re.findall(r"[\w./-]+", self._words))
        with self._suite.exported(treeish) as (folder, _):
            paths = [path for path in self._services.repository_map(folder).tags if not is_test_path(path)]
            named = [path for path in paths if {path, PurePosixPath(path).name, PurePosixPath(path).stem} & words]
            shown = [requirements.target_file, *(path for path in named if path != requirements.target_file)][:5]
            files = [FileText(path, text_of(folder, path)) for path in shown]
        return CodeView(target=files[0], around=self.surroundings(requirements, lessons), others=files[1:])

    def files_of_code(self) -> int:
        """The number of files of code, without tests, before any work on the task."""
        with self._suite.exported(self._base) as (folder, _):
            return sum(not is_test_path(path) for path in self._services.repository_map(folder).tags)

    def surroundings(self, requirements: Requirements, lessons: str) -> Surroundings:
        """What a strong model is shown of the repository before the task, as it was before any work on it."""
        with self._suite.exported(self._base) as (folder, _):
            code_map = self._services.repository_map(folder)
            found = _surroundings(folder, code_map, self._words, [requirements.target_file])
        return replace(found, lessons=lessons)

    def signatures(self, text: str) -> list[str]:
        """The project's public functions that `text` names, as code."""
        words = set(re.findall(r"\w+", text))
        named = [(name, path) for name, path in sorted(read_sources(self._root).symbols.items()) if name in words]
        return [definition_line(text_of(self._root, path), name) for name, path in named]

    def overview(self, *, ranked: bool) -> str:
        """The code base in a few thousand characters, from the landing branch's tip; see `Services.overview`."""
        self._services.sync()
        return self._services.overview(ranked=ranked, about=self._words)

    @property
    def _root(self) -> Path:
        return self._services.git.worktrees.get(self._task.id).path

    @property
    def _base(self) -> str:
        return self._services.git.worktrees.get(self._task.id).base_commit

    @property
    def _words(self) -> str:
        return f"{self._task.title}\n{self._task.description}"


def _surroundings(root: Path, code_map: RepositoryMap, about: str, near: Sequence[str]) -> Surroundings:
    """The surroundings of a task with the words `about` whose work is in the files `near` of the repository `root`."""
    return Surroundings(
        conventions=conventions_of(root),
        outline=code_map.render(_MAP_TOKENS, about=about, near=near),
        example=_example(root, code_map, near),
    )


def _example(root: Path, code_map: RepositoryMap, near: Sequence[str]) -> FileText | None:
    """The beginning of the test file that uses the most of what the files `near` define, else of any."""
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
