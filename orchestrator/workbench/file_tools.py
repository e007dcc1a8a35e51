"""The tools that read, search and change files. They return text for a model, of bounded length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from agents import DeveloperAgent, QAAgent, UnusableAnswer
from file_system import (
    BlockMismatch,
    FileExists,
    FileManager,
    Match,
    PathRefused,
    apply_edit,
    matching_pattern,
    outline_text,
    search,
)
from git_ops import is_pointer
from orchestrator.workbench.protected import SECRETS
from orchestrator.workbench.tool_bench import BenchTool, ToolBench

WRITERS = (QAAgent.name, DeveloperAgent.name)
"""The roles that change files."""
_MOST_PATHS = 200
_MOST_LINES = 400
_MOST_CHARACTERS = 12_000
_MOST_MATCHES = 60
_SHOWN_AROUND = 3
_MOST_AROUND = 30


class LookingTool(BenchTool):
    """A tool that reads files."""

    def use(self, bench: ToolBench) -> str:
        return self.look(bench.files())

    def look(self, files: FileManager) -> str:
        """What the model is shown of the files."""
        raise NotImplementedError


class ChangingTool(BenchTool):
    """A tool that changes files."""

    agents = WRITERS
    changes = True
    path: str = Field(max_length=1000)

    def use(self, bench: ToolBench) -> str:
        with bench.changing(*self.paths()) as files:
            for path in self.paths():
                files.check_writable(path)
            return self.change(files)

    def paths(self) -> list[str]:
        """The paths that it writes."""
        return [self.path]

    def change(self, files: FileManager) -> str:
        """Change the file. Raises UnusableAnswer or FileSystemError when nothing was changed."""
        raise NotImplementedError


class ListFiles(LookingTool):
    """List the files that match a glob."""

    tool = "list_files"
    pattern: str = Field("**", max_length=200, description="Such as src/**.")

    def look(self, files: FileManager) -> str:
        """The paths, or how many there are in which folder when they are too many."""
        paths = [path.as_posix() for path in files.find_files(self.pattern)]
        shown = [path for path in paths if not matching_pattern(path, SECRETS)]
        if not shown:
            return "\n".join([f"no file matches {self.pattern}", *_of_submodules(files, [self.pattern])])
        if len(shown) <= _MOST_PATHS:
            return "\n".join([*shown, *_of_submodules(files, shown)])
        folders = Counter(path.rpartition("/")[0] or "." for path in shown)
        lines = [f"{folder}/ ({count} files)" for folder, count in sorted(folders.items())][:_MOST_PATHS]
        return f"{len(shown)} files, too many to list; give a narrower pattern. By folder:\n" + "\n".join(lines)


class ReadFile(LookingTool):
    """Read lines of a file. They come with their numbers."""

    tool = "read_file"
    path: str = Field(max_length=1000)
    first_line: int = Field(1, ge=1)
    last_line: int | None = Field(None, ge=1)

    def look(self, files: FileManager) -> str:
        """Lines with their numbers, and where to read on."""
        _refuse_secret(self.path)
        _refuse_secret(files.resolved(self.path))
        if (other := files.other_of(self.path)) and not any(files.others[other].iterdir()):
            raise PathRefused(self.path, "submodule", f"the submodule {other} could not be had", "do without its files")
        text = files.read_file(self.path)
        lines = text.splitlines()
        if is_pointer(text):
            told = f"[{self.path} is kept by Git LFS: this is a pointer to its content, which is not here]"
            return "\n".join([told, *lines])
        if self.first_line > max(1, len(lines)):
            return f"{self.path} has only {len(lines)} lines"
        last = min(self.last_line or len(lines), len(lines), self.first_line + _MOST_LINES - 1)
        shown: list[str] = []
        left = _MOST_CHARACTERS
        for number in range(self.first_line, last + 1):
            line = f"{number}\t{lines[number - 1]}"
            left -= len(line) + 1
            if left < 0:
                # One line may be longer than all that fits.
                shown += [f"{line[:_MOST_CHARACTERS]}…"] if not shown else []
                last = self.first_line + len(shown) - 1
                break
            shown.append(line)
        rest = f"\n[{len(lines)} lines in all; read on with first_line={last + 1}]" if last < len(lines) else ""
        return ("\n".join(shown) or "[the file is empty]") + rest


class Search(LookingTool):
    """Find a text, or a regular expression, in the lines of files."""

    tool = "search"
    text: str = Field(min_length=1, max_length=300)
    regex: bool = False
    files: str = Field("**", max_length=200, description="Glob.")
    around: int = Field(0, ge=0, description=f"Lines to show around a match, at most {_MOST_AROUND}.")

    def look(self, files: FileManager) -> str:
        """`path:line: text` of what was found; with lines around it, the places with their numbers."""
        found, whole = search(
            files, self.text, self.files, expression=self.regex, most=_MOST_MATCHES, hidden=SECRETS,
            around=min(self.around, _MOST_AROUND),
        )  # fmt: skip
        if not found and not files.find_files(self.files):
            return f"no file matches {self.files}"
        if not found:
            return "nothing found"
        lines = [f"{match.path}:{match.line}: {match.text}" for match in found]
        if self.around:
            lines = _with_surroundings(found)
        return "\n".join(lines if whole else [*lines, f"[only the first {_MOST_MATCHES} are shown; look for less]"])


def _of_submodules(files: FileManager, paths: Sequence[str]) -> list[str]:
    """A line for each submodule that some of `paths` lie in, or that is empty."""
    empty = {other for other, folder in files.others.items() if not any(folder.iterdir())}
    lying = {other for other in files.others for path in paths if path.startswith(f"{other}/")}
    told = [f"[{other}/ is a submodule, another repository: its files can only be read]" for other in lying - empty]
    return sorted(told) + [f"[{other}/ is a submodule whose files could not be had]" for other in sorted(empty)]


def _with_surroundings(found: Sequence[Match]) -> list[str]:
    """The lines around all matches, each once, by file."""
    places: dict[str, dict[int, str]] = {}
    for match in found:
        places.setdefault(match.path, {}).update(match.around)
    shown: list[str] = []
    for path, lines in places.items():
        shown.append(f"## {path}")
        last = 0
        for number, text in sorted(lines.items()):
            shown += ["…"] if last and number > last + 1 else []
            shown.append(f"{number}\t{text}")
            last = number
    return shown


class Outline(BenchTool):
    """What a file defines; without a path, what those files define that matter most for the task."""

    tool = "outline"
    path: str = Field("", max_length=1000)

    def use(self, bench: ToolBench) -> str:
        if not self.path:
            return bench.rights.overview() or "no file of code was found"
        files = bench.files()
        _refuse_secret(self.path)
        _refuse_secret(files.resolved(self.path))
        return outline_text(self.path, files.read_file(self.path)) or f"{self.path} defines nothing"


class Edit(BaseModel):
    """One replacement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    old: str = Field(
        max_length=100_000, description="As in the file, without line numbers; empty: `new` goes to its end."
    )
    new: str = Field(max_length=100_000)


class EditFile(ChangingTool):
    """Replace texts in a file: all or none. Each `old` must stand in it exactly once."""

    tool = "edit_file"
    edits: list[Edit] = Field(min_length=1, max_length=50)

    def change(self, files: FileManager) -> str:
        """Where it was changed; a place that was not quite as `old` says is shown as it reads now."""
        _refuse_secret(self.path)
        _refuse_secret(files.resolved(self.path))
        before = text = files.read_file(self.path)
        if is_pointer(text):
            raise UnusableAnswer(f"{self.path} is kept by Git LFS: what is here is a pointer, and is not to be edited")
        done = []
        for number, edit in enumerate(self.edits, start=1):
            try:
                done.append(apply_edit(self.path, text, edit.old, edit.new, number))
            except BlockMismatch as mismatch:
                where = f"{mismatch.matches} times" if mismatch.matches else "nowhere"
                raise UnusableAnswer(
                    f"edit {number}: its `old` stands {where} in {self.path}, so none of the edits was made. "
                    f"{mismatch.detail}"
                ) from None
            text = done[-1].text
        if text == before or not files.write_file(self.path, text):
            raise UnusableAnswer("`old` and `new` are the same: nothing was changed")
        lines = text.splitlines()
        told = [f"changed at line {', '.join(str(each.line + 1) for each in done)}"]
        for number, (edit, made) in enumerate(zip(self.edits, done, strict=True), start=1):
            if made.note:
                first = max(0, made.line - _SHOWN_AROUND)
                shown = lines[first : made.line + edit.new.count("\n") + 1 + _SHOWN_AROUND][:40]
                told += [
                    f"edit {number}: {made.note}; it now reads",
                    *(f"{place}\t{line}" for place, line in enumerate(shown, first + 1)),
                ]
        return "\n".join(told)


class CreateFile(ChangingTool):
    """Make a new file."""

    tool = "create_file"
    content: str = Field(max_length=200_000)

    def change(self, files: FileManager) -> str:
        """The path of the new file."""
        _refuse_secret(self.path)
        content = self.content if not self.content or self.content.endswith("\n") else f"{self.content}\n"
        try:
            files.create_file(self.path, content)
        except FileExists:
            raise UnusableAnswer(f"{self.path} is there already; change it with edit_file") from None
        return f"{self.path} was made"


class MoveFile(ChangingTool):
    """Move or rename a file."""

    tool = "move_file"
    to: str = Field(max_length=1000)

    def paths(self) -> list[str]:
        """Both places."""
        return [self.path, self.to]

    def change(self, files: FileManager) -> str:
        """Where the file is now."""
        for path in self.paths():
            _refuse_secret(path)
        if files.exists(self.to):
            raise UnusableAnswer(f"{self.to} is there already")
        files.create_file(self.to, files.read_file(self.path))
        files.delete_file(self.path)
        return f"{self.path} is now {self.to}"


class DeleteFile(ChangingTool):
    """Delete a file."""

    tool = "delete_file"

    def change(self, files: FileManager) -> str:
        """That the file is gone."""
        _refuse_secret(self.path)
        if not files.delete_file(self.path):
            raise UnusableAnswer(f"there is no file {self.path}")
        return f"{self.path} was deleted"


def _refuse_secret(path: str) -> None:
    if pattern := matching_pattern(PurePosixPath(path).as_posix(), SECRETS):
        raise PathRefused(path, "secret", f"it matches {pattern}, which may hold secrets", "do without it")
