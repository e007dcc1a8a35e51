"""What a developer is shown for one task: the target file, the files around it, the tests.

What a strong model is shown of the repository before its task (conventions, the ranked map, an example test) is read
from the base commit of the work and never from an attempt. So it stays the same at the head of all prompts of a task,
where providers cache it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from agents import CodeView, FileText, Requirements, Surroundings
from file_system import (
    FileManager,
    FileSystemError,
    RepositoryMap,
    conventions_of,
    is_test_path,
    matching_pattern,
    text_of,
)
from file_system.code.outline import definition_line
from memory import Task
from orchestrator.services import Services
from orchestrator.workbench.protected import SECRETS
from orchestrator.workbench.sources import read_sources

_MAP_TOKENS = 2000
_MOST_CONVENTIONS = 1500
_MOST_PLACES = 9000
"""Characters of code that prompts show."""
_PLACE = re.compile(r"(?P<path>[^:\n]+?)(?::(?P<first>\d{1,6})(?:-(?P<last>\d{1,6}))?)?")
_CHANGELOG = re.compile(r"(^|/)(changelog|changes|history|news)(\.(md|rst|txt))?$", re.IGNORECASE)
_CHANGELOG_LINES = 14
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
        with self._suite.folders.for_reading(treeish) as (folder, _):
            paths = [path for path in self._services.repository_map(folder).tags if not is_test_path(path)]
            named = [path for path in paths if {path, PurePosixPath(path).name, PurePosixPath(path).stem} & words]
            shown = [requirements.target_file, *(path for path in named if path != requirements.target_file)][:5]
            files = [FileText(path, text_of(folder, path)) for path in shown]
        return CodeView(target=files[0], around=self.surroundings(requirements, lessons), others=files[1:])

    def project(self, base: str) -> str:
        """Facts about the project in a few lines, from the commit `base`: its folders, its tests, its conventions."""
        before = self._suite.baseline(base, self._task.id)
        with self._suite.folders.for_reading(base) as (folder, _):
            files, conventions = _files(folder), conventions_of(folder)[:_MOST_CONVENTIONS]
        tests = Counter(
            test_id.partition("::")[0].rpartition("/")[0] or "." for test_id in (*before.passed, *before.failed)
        )
        lines = [
            f"Files: {files}",
            f"Its suite: {len(before.passed)} tests pass"
            + (f", {before.skipped} are skipped" if before.skipped else "")
            + "; collected from "
            + (", ".join(f"{name}/ ({count})" for name, count in tests.most_common(5)) or "nowhere"),
        ]
        if before.failed:
            lines.append(f"{len(before.failed)} fail before the work already; they do not count")
        if conventions:
            lines.append(f"How it wants its code, from its own files:\n{conventions}")
        return "\n".join(lines)

    def files(self, base: str) -> str:
        """The files at the top of the repository and its folders, in a line."""
        with self._suite.folders.for_reading(base) as (folder, _):
            return _files(folder)

    def map(self) -> str:
        """The ranked map of the repository as it was before the work."""
        with self._suite.folders.for_reading(self._base) as (folder, _):
            return self._services.repository_map(folder).render(_MAP_TOKENS, about=self._words)

    def places(self, treeish: str, places: Sequence[str], most: int = _MOST_PLACES) -> list[FileText]:
        """The pieces of files that `places` name, as path:first-last, with the numbers of their lines; of all together
        at most so many characters."""
        found: list[FileText] = []
        left = most
        with self._suite.folders.for_reading(treeish) as (folder, _):
            files = FileManager(folder)
            for match in filter(None, map(_PLACE.fullmatch, places)):
                path = match["path"]
                if matching_pattern(path, SECRETS) or left <= 0:
                    continue
                try:
                    lines = files.read_file(path).splitlines()
                except FileSystemError:
                    continue
                first = max(1, int(match["first"] or 1))
                last = min(int(match["last"] or match["first"] or len(lines)), len(lines), first + 150)
                text = "\n".join(f"{number}\t{lines[number - 1]}" for number in range(first, last + 1))[:left]
                left -= len(text)
                found.append(FileText(path, text))
        return found

    def named(self) -> list[str]:
        """The places of the code that the task names, and of a test of it, as it was before the work."""
        with self._suite.folders.for_reading(self._base) as (folder, _):
            return self._services.repository_map(folder).named_in(self._words)

    def changelog(self, base: str) -> list[str]:
        """The head of the file in which the project keeps what has changed, as `path:first-last`; none if there is
        none."""
        with self._suite.folders.for_reading(base) as (folder, _):
            paths = [path.as_posix() for pattern in ("*", "docs/*") for path in FileManager(folder).find_files(pattern)]
        found = next((path for path in paths if _CHANGELOG.search(path)), "")
        return [f"{found}:1-{_CHANGELOG_LINES}"] if found else []

    def surroundings(self, requirements: Requirements, lessons: str) -> Surroundings:
        """What a strong model is shown of the repository before the task, as it was before any work on it."""
        with self._suite.folders.for_reading(self._base) as (folder, _):
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


def meets(place: str, others: Sequence[str]) -> bool:
    """Whether a place, `path:first-last`, has lines in common with one of the others."""
    path, first, last = _lines(place)
    return any(path == other and first <= end and start <= last for other, start, end in map(_lines, others))


def _lines(place: str) -> tuple[str, int, int]:
    """Path, first and last line; of a whole file all there may be."""
    match = _PLACE.fullmatch(place)
    if match is None or not match["first"]:
        return place, 1, sys.maxsize
    return match["path"], int(match["first"]), int(match["last"] or match["first"])


def _files(root: Path) -> str:
    paths = [path.as_posix() for path in FileManager(root).find_files("**")]
    folders = Counter(path.partition("/")[0] + "/" for path in paths if "/" in path)
    most = [f"{name} ({count})" for name, count in folders.most_common(12)]
    return ", ".join([*most, *sorted(path for path in paths if "/" not in path)[:20]])


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
