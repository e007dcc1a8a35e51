"""The developer's tools. They return text for a model, of bounded length.

To add one, write its class, here or in a file of its own, and register it in `ACTIONS`. Its fields are the arguments;
its docstring is the description that models are shown.
"""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from pydantic import Field

from agents import UnusableAnswer
from file_system import Block, FileExists, FileManager, PathRefused, apply_blocks, matching_pattern, search
from orchestrator.workbench.tool_bench import DeveloperTool, ToolBench

SECRETS = ("**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/id_rsa*", "**/.netrc", "**/.npmrc", "**/.pypirc")
"""Neither shown nor searched, whatever the owner protects from writing."""
_PATH = "Path relative to the root of the repository, such as src/app.py."
_MOST_PATHS = 200
_MOST_LINES = 400
_MOST_CHARACTERS = 12_000
_MOST_MATCHES = 60
_SHOWN_AROUND = 3


class LookingTool(DeveloperTool):
    """A tool that reads files."""

    def use(self, bench: ToolBench) -> str:
        return self.look(bench.files())

    def look(self, files: FileManager) -> str:
        """What the model is shown of the files."""
        raise NotImplementedError


class ChangingTool(DeveloperTool):
    """A tool that changes one file."""

    path: str = Field(max_length=1000, description=_PATH)

    def use(self, bench: ToolBench) -> str:
        with bench.changing(self.path) as files:
            return self.change(files)

    def change(self, files: FileManager) -> str:
        """Change the file. Raises UnusableAnswer or FileSystemError when nothing was changed."""
        raise NotImplementedError


class ListFiles(LookingTool):
    """List the files whose path matches a glob."""

    tool = "list_files"
    pattern: str = Field("**", max_length=200, description="Such as src/** or *.py; ** spans folders.")

    def look(self, files: FileManager) -> str:
        """The paths, or how many there are in which folder when they are too many."""
        paths = [path.as_posix() for path in files.find_files(self.pattern)]
        shown = [path for path in paths if not matching_pattern(path, SECRETS)]
        if not shown:
            return f"no file matches {self.pattern}"
        if len(shown) <= _MOST_PATHS:
            return "\n".join(shown)
        folders = Counter(path.rpartition("/")[0] or "." for path in shown)
        lines = [f"{folder}/ ({count} files)" for folder, count in sorted(folders.items())][:_MOST_PATHS]
        return f"{len(shown)} files, too many to list; give a narrower pattern. By folder:\n" + "\n".join(lines)


class ReadFile(LookingTool):
    """Read a file, or a range of its lines. Lines come with their numbers, which are not part of the file."""

    tool = "read_file"
    path: str = Field(max_length=1000, description=_PATH)
    first_line: int = Field(1, ge=1)
    last_line: int | None = Field(None, ge=1, description="Inclusive; left out: as far as fits.")

    def look(self, files: FileManager) -> str:
        """Lines with their numbers, and where to read on."""
        _refuse_secret(self.path)
        _refuse_secret(files.resolved(self.path))
        lines = files.read_file(self.path).splitlines()
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
    """Find the lines of all files that hold a text, or match a regular expression."""

    tool = "search"
    text: str = Field(min_length=1, max_length=300)
    regex: bool = Field(False, description="Whether `text` is a regular expression.")
    files: str = Field("**", max_length=200, description="Glob of the files to look in.")

    def look(self, files: FileManager) -> str:
        """`path:line: text` of what was found."""
        found, whole = search(files, self.text, self.files, expression=self.regex, most=_MOST_MATCHES, hidden=SECRETS)
        if not found:
            return "nothing found"
        lines = [f"{match.path}:{match.line}: {match.text}" for match in found]
        return "\n".join(lines if whole else [*lines, f"[only the first {_MOST_MATCHES} are shown; look for less]"])


class EditFile(ChangingTool):
    """Replace a text in a file. `old` must stand in the file exactly once, blanks and line ends included."""

    tool = "edit_file"
    old: str = Field(min_length=1, max_length=100_000, description="Text as it stands in the file, no line numbers.")
    new: str = Field(max_length=100_000, description="What stands there afterwards.")

    def change(self, files: FileManager) -> str:
        """The place as it reads now."""
        _refuse_secret(self.path)
        _refuse_secret(files.resolved(self.path))
        before = files.read_file(self.path)
        count = before.count(self.old)
        if count > 1:
            raise UnusableAnswer(f"`old` stands {count} times in {self.path}; take in more lines until it is unique")
        if count == 1:
            after = before.replace(self.old, self.new, 1)
        else:
            # By whole lines, whatever their ends; the error of it shows the nearest lines.
            new = f"{self.new}\n" if self.new and not self.new.endswith("\n") else self.new
            after = apply_blocks(before, [Block(self.path, self.old, new, 1)])
        if not files.write_file(self.path, after):
            raise UnusableAnswer("`old` and `new` are the same: nothing was changed")
        first = after[: _first_difference(before, after)].count("\n")
        lines = after.splitlines()
        start, end = max(0, first - _SHOWN_AROUND), first + self.new.count("\n") + 1 + _SHOWN_AROUND
        shown = "\n".join(f"{number}\t{line}" for number, line in enumerate(lines[start:end][:40], start=start + 1))
        return f"changed; {self.path} now reads\n{shown}"


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


class RunTests(DeveloperTool):
    """Run tests in the sandbox: the task's own, or those named."""

    tool = "run_tests"
    tests: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Files or ids, such as tests/test_x.py::test_y; empty: the task's tests.",
    )

    def use(self, bench: ToolBench) -> str:
        return bench.test(self.tests)


class Finish(DeveloperTool):
    """Say that the work is done. The task's tests are run; if one fails, the work goes on."""

    tool = "finish"
    summary: str = Field("", max_length=2000, description="What was changed and why, in a few sentences.")

    def use(self, bench: ToolBench) -> str:
        return bench.finish()


ACTIONS: dict[str, type[DeveloperTool]] = {
    tool.tool: tool for tool in (ListFiles, ReadFile, Search, EditFile, CreateFile, RunTests, Finish)
}
"""Name -> class, in the order in which models are shown them."""


def _refuse_secret(path: str) -> None:
    if pattern := matching_pattern(PurePosixPath(path).as_posix(), SECRETS):
        raise PathRefused(path, "secret", f"it matches {pattern}, which may hold secrets", "do without it")


def _first_difference(before: str, after: str) -> int:
    return next(
        (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
        min(len(before), len(after)),
    )
