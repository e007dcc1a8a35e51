"""Reads, writes, finds and searches the files of one workspace.

The workspace is one task's git worktree. Paths may come from a model that has read hostile text, so every path is
checked by `paths.py` before anything is opened.
"""

from __future__ import annotations

import codecs
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import re2

from file_system import atomic
from file_system.atomic import Backups
from file_system.errors import (
    FileExists,
    FileMissing,
    FileSystemError,
    FileTooLarge,
    NotText,
    PathRefused,
    SearchRefused,
    WorkspaceFull,
)
from file_system.paths import check_writable, checked_parts, matching_pattern, opened_parent, without_links
from file_system.syntax import check_syntax, parses
from file_system.walk import matches, matching_files, walk

MAX_FILE_BYTES = 2 * 1024 * 1024
"""Larger files are data, not code that a model can see."""
_SEARCH_SECONDS = 5.0
"""The time limit of a search."""
_LONGEST_LINE = 200


class FileManager:
    """Files of one workspace, named by paths relative to its root, such as `src/app.py`.

    Every method raises PathRefused for a path that leaves the workspace, touches git's files, crosses a link or a
    nested repository; writing methods also for the owner's protected patterns (ProtectedPath).
    """

    def __init__(
        self, workspace_path: Path, protected: Sequence[str] = (), others: Mapping[str, Path] | None = None
    ) -> None:
        """Previous versions are kept in a hidden folder beside the workspace. `others`: folders of the workspace that
        belong to other repositories, and where their files are; these can be read, and not written."""
        self.workspace_path = workspace_path.resolve(strict=True)
        self.others = {path: folder.resolve(strict=True) for path, folder in (others or {}).items()}
        self._protected = tuple(protected)
        self._backups = Backups(self.workspace_path.with_name(f".{self.workspace_path.name}.previous"))
        self._sweep()

    def read_file(self, path: str) -> str:
        """The text of a file, line ends as they are. Links that stay inside the workspace are followed.

        Raises FileMissing, FileTooLarge, NotText.
        """
        root, parts = self._place(path)
        with opened_parent(root, parts) as parent:
            data = atomic.read_bytes(parent, parts[-1], path, MAX_FILE_BYTES)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotText(path, f"byte {error.start} is {data[error.start]:#04x}") from None

    def resolved(self, path: str) -> str:
        """The path that `path` is read from: links that stay inside the workspace are followed.

        Raises FileMissing when a folder on the way is missing.
        """
        _, parts = self._place(path)
        return "/".join(filter(None, (self.other_of(path), *parts)))

    def exists(self, path: str) -> bool:
        """Whether there is a regular file at `path`."""
        try:
            root, parts = self._place(path)
            with opened_parent(root, parts) as parent:
                return atomic.mode_of(parent, parts[-1], path) is not None
        except FileMissing:
            return False

    def check_writable(self, path: str) -> None:
        """Raise PathRefused or ProtectedPath when agents may not write `path`, judged by its name alone."""
        plain = "/".join(checked_parts(path))
        if other := self.other_of(plain):
            why = f"it lies in the submodule {other}, which is another repository"
            raise PathRefused(path, "submodule", why, "its files can be read here, and are changed there; do without")
        check_writable(plain, self._protected)

    def other_of(self, path: str) -> str:
        """The folder of another repository in which `path` lies, or which it is; empty if there is none."""
        plain = _normal(path)
        return next((other for other in self.others if plain == other or plain.startswith(f"{other}/")), "")

    def _place(self, path: str) -> tuple[Path, tuple[str, ...]]:
        """The root that a path is read below, and its parts from there on."""
        parts = checked_parts(path)
        if other := self.other_of(path):
            depth = other.count("/") + 1
            if len(parts) == depth:
                raise FileMissing(path)
            return self.others[other], without_links(self.others[other], parts[depth:])
        return self.workspace_path, without_links(self.workspace_path, parts)

    def write_file(self, path: str, content: str) -> bool:
        """Write `content` to `path`, new or not, keeping the mode. False when the file has it already.

        A link to a file of the workspace is followed, and line ends and byte order mark stay as they were. Raises
        SyntaxProblem for content that does not parse; then nothing was changed. A file that our parser could not read
        before (another version of the language) is not checked.
        """
        path = self._behind_link(path)
        with self._writing(path, content) as (parent, name, data):
            mode = atomic.mode_of(parent, name, path)
            if mode is None:
                check_syntax(path, content)
                self._backups.keep(_normal(path), None, None)
                atomic.replace_bytes(parent, name, data, None)
                return True
            previous = atomic.read_bytes(parent, name, path, MAX_FILE_BYTES)
            kept = _as_before(previous, data)
            if previous == kept:
                return False
            if parses(path, previous.decode("utf-8", errors="replace")):
                check_syntax(path, content)
            self._backups.keep(_normal(path), previous, mode)
            atomic.replace_bytes(parent, name, kept, mode)
            return True

    def create_file(self, path: str, content: str) -> bool:
        """Create a file. False when it exists with this content; raises FileExists when it has other content."""
        with self._writing(path, content) as (parent, name, data):
            if atomic.mode_of(parent, name, path) is not None:
                if atomic.read_bytes(parent, name, path, MAX_FILE_BYTES) == data:
                    return False
                raise FileExists(path)
            check_syntax(path, content)
            self._backups.keep(_normal(path), None, None)
            atomic.create_bytes(parent, name, data, path)
            return True

    def delete_file(self, path: str) -> bool:
        """Remove a file. False when there was none."""
        parts = checked_parts(path)
        self.check_writable(path)
        try:
            with opened_parent(self.workspace_path, parts) as parent:
                mode = atomic.mode_of(parent, parts[-1], path)
                if mode is None:
                    return False
                previous = atomic.read_bytes(parent, parts[-1], path, MAX_FILE_BYTES)
                self._backups.keep("/".join(parts), previous, mode)
                os.unlink(parts[-1], dir_fd=parent)
                os.fsync(parent)
        except FileMissing:
            return False
        self._remove_empty_folders(parts)
        return True

    def find_files(self, pattern: str) -> list[Path]:
        """Relative paths of the files that match a glob, sorted; `*.py` matches in every folder.

        Folders of git, virtual environments, caches and installed packages are left out, links are not followed.
        """
        found = matching_files(self.workspace_path, pattern)
        for other, folder in self.others.items():
            found += [path for path in map(Path(other).joinpath, walk(folder)) if matches(path.as_posix(), pattern)]
        return sorted(found)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes that are made within, or none of them when it ends in an error, as far as the disk allows.

        Not to be nested: its end forgets all previous versions.
        """
        try:
            yield
        except BaseException:
            with suppress(OSError, FileSystemError):  # such as a full disk, which the error at hand reports already
                self.restore()
            raise
        finally:
            self.discard_backups()

    def restore(self) -> list[str]:
        """Undo every change since the last `discard_backups`; gives the restored paths, in the order of first change.

        May be repeated after a crash.
        """
        entries = self._backups.entries()
        # Backwards, so that the place of a file that a folder replaced is free again.
        for kept in reversed(entries):
            parts = checked_parts(kept.path)
            if kept.content is None:
                self._take_away(parts)
                continue
            with opened_parent(self.workspace_path, parts, create=True) as parent:
                atomic.replace_bytes(parent, parts[-1], kept.content, kept.mode)
        self._backups.clear()
        return [kept.path for kept in entries]

    def discard_backups(self) -> None:
        """Forget the previous versions: the task has ended."""
        self._backups.clear()

    def _sweep(self) -> None:
        """Remove half-written files of a killed daemon: they are beside the files it was changing."""
        for kept in self._backups.entries():
            with (
                suppress(FileMissing, PathRefused),
                opened_parent(self.workspace_path, checked_parts(kept.path)) as parent,
            ):
                atomic.sweep(parent)

    def _take_away(self, parts: Sequence[str]) -> None:
        with suppress(FileNotFoundError, FileMissing):
            with opened_parent(self.workspace_path, parts) as parent:
                os.unlink(parts[-1], dir_fd=parent)
            self._remove_empty_folders(parts)

    def _remove_empty_folders(self, parts: Sequence[str]) -> None:
        """Remove the folders above a deleted file that are empty now, as git does."""
        for depth in range(len(parts) - 1, 0, -1):
            with opened_parent(self.workspace_path, parts[:depth]) as parent:
                try:
                    os.rmdir(parts[depth - 1], dir_fd=parent)
                except OSError:
                    return  # not empty

    def _behind_link(self, path: str) -> str:
        """The file of the workspace that a link points to; `path` itself if it is none, or points anywhere else."""
        with suppress(FileSystemError):
            target = self.resolved(path)
            if target != _normal(path) and self.exists(path):
                return target
        return path

    @contextmanager
    def _writing(self, path: str, content: str) -> Iterator[tuple[int, str, bytes]]:
        """The folder, the name and the bytes of a write whose path, rights and size have been checked."""
        parts = checked_parts(path)
        self.check_writable(path)
        try:
            data = content.encode("utf-8")
        except UnicodeEncodeError as error:
            raise NotText(path, f"character {error.start} is half of a surrogate pair") from None
        if len(data) > MAX_FILE_BYTES:
            raise FileTooLarge(path, len(data), MAX_FILE_BYTES)
        try:
            with opened_parent(self.workspace_path, parts, create=True) as parent:
                yield parent, parts[-1], data
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise WorkspaceFull(path, str(self.workspace_path)) from None
            raise


def _as_before(previous: bytes, data: bytes) -> bytes:
    """`data` with the line ends and the byte order mark of the file it replaces: models write neither."""
    if previous.count(b"\r\n") == previous.count(b"\n") > 0 and b"\r" not in data:
        data = data.replace(b"\n", b"\r\n")
    if previous.startswith(codecs.BOM_UTF8) and not data.startswith(codecs.BOM_UTF8):
        data = codecs.BOM_UTF8 + data
    return data


def _normal(path: str) -> str:
    return "/".join(checked_parts(path))


def text_of(root: Path, path: str) -> str:
    """The text of a file below `root`; empty when it is missing."""
    files = FileManager(root)
    return files.read_file(path) if files.exists(path) else ""


def readable_text(files: FileManager, path: str) -> str:
    """The text of a file; empty when it is missing, too large or not text."""
    try:
        return files.read_file(path) if files.exists(path) else ""
    except FileSystemError:
        return ""


@dataclass(frozen=True)
class Match:
    """A line that matches; `line` counts from 1, `text` is cut at 200 characters."""

    path: str
    line: int
    text: str
    around: tuple[tuple[int, str], ...] = ()
    """The lines around it, with their numbers."""


def search(
    files: FileManager,
    text: str,
    glob: str,
    *,
    expression: bool,
    most: int,
    hidden: Sequence[str] = (),
    around: int = 0,
) -> tuple[list[Match], bool]:
    """The first `most` lines with `text` in files that match `glob` and no pattern of `hidden`; whether these are all.
    With each come so many lines `around` it, before and after.

    `expression`: `text` is a regular expression. Raises SearchRefused when it is invalid or the search takes too long.
    """
    holds = _matcher(text) if expression else (lambda line: text in line)
    deadline = time.monotonic() + _SEARCH_SECONDS
    found: list[Match] = []
    for match in _matches(files, glob, hidden, holds, deadline, around):
        if len(found) == most:
            return found, False
        found.append(match)
    return found, True


def _matcher(text: str) -> Callable[[str], bool]:
    """RE2 is linear in the line's length; `re` can be made to run for ever, and `regex` cannot always be stopped."""
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text, options=options)
    except re2.error:
        raise SearchRefused(f"{text[:80]!r} is no regular expression of RE2 (no look-around, no references)") from None
    return lambda line: pattern.search(line) is not None


def _matches(
    files: FileManager, glob: str, hidden: Sequence[str], holds: Callable[[str], bool], deadline: float, around: int
) -> Iterator[Match]:
    for path in files.find_files(glob):
        name = path.as_posix()
        if matching_pattern(name, hidden):
            continue
        try:
            lines = files.read_file(name).splitlines()
        except FileSystemError:
            continue  # too large or not text
        for number, line in enumerate(lines, start=1):
            if holds(line):
                near = range(max(1, number - around), min(len(lines), number + around) + 1) if around else ()
                beside = tuple((each, lines[each - 1][:_LONGEST_LINE]) for each in near)
                yield Match(name, number, line.rstrip()[:_LONGEST_LINE], beside)
        if time.monotonic() > deadline:
            raise SearchRefused(f"it took longer than {_SEARCH_SECONDS:g} s")
