"""The tools that look at files and change them. What they give back is text for a model, cut to a bound."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from agents import UnusableAnswer
from agents.tool_developer import CreateFile, EditFile, ListFiles, ReadFile, Search
from file_system import Block, FileExists, FileManager, PathRefused, apply_blocks, matching_pattern, search

SECRETS = ("**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/id_rsa*", "**/.netrc", "**/.npmrc", "**/.pypirc")
"""Neither shown nor searched, whatever the owner protects from being written."""
_MOST_PATHS = 200
_MOST_LINES = 400
_MOST_CHARACTERS = 12_000
_MOST_MATCHES = 60
_SHOWN_AROUND = 3


def list_files(files: FileManager, action: ListFiles) -> str:
    """The paths, or how many there are in which folder when they are too many."""
    paths = [path.as_posix() for path in files.find_files(action.pattern)]
    shown = [path for path in paths if not matching_pattern(path, SECRETS)]
    if not shown:
        return f"no file matches {action.pattern}"
    if len(shown) <= _MOST_PATHS:
        return "\n".join(shown)
    folders = Counter(path.rpartition("/")[0] or "." for path in shown)
    lines = [f"{folder}/ ({count} files)" for folder, count in sorted(folders.items())][:_MOST_PATHS]
    return f"{len(shown)} files, too many to list; give a narrower pattern. By folder:\n" + "\n".join(lines)


def read_file(files: FileManager, action: ReadFile) -> str:
    """Lines with their numbers, and where to read on."""
    _refuse_secret(action.path)
    _refuse_secret(files.resolved(action.path))
    lines = files.read_file(action.path).splitlines()
    if action.first_line > max(1, len(lines)):
        return f"{action.path} has only {len(lines)} lines"
    last = min(action.last_line or len(lines), len(lines), action.first_line + _MOST_LINES - 1)
    shown: list[str] = []
    left = _MOST_CHARACTERS
    for number in range(action.first_line, last + 1):
        line = f"{number}\t{lines[number - 1]}"
        left -= len(line) + 1
        if left < 0:
            # One line may be longer than all that fits.
            shown += [f"{line[:_MOST_CHARACTERS]}…"] if not shown else []
            last = action.first_line + len(shown) - 1
            break
        shown.append(line)
    rest = f"\n[{len(lines)} lines in all; read on with first_line={last + 1}]" if last < len(lines) else ""
    return ("\n".join(shown) or "[the file is empty]") + rest


def search_files(files: FileManager, action: Search) -> str:
    """`path:line: text` of what was found."""
    found, whole = search(files, action.text, action.files, expression=action.regex, most=_MOST_MATCHES, hidden=SECRETS)
    if not found:
        return "nothing found"
    lines = [f"{match.path}:{match.line}: {match.text}" for match in found]
    return "\n".join(lines if whole else [*lines, f"[only the first {_MOST_MATCHES} are shown; look for less]"])


def edit_file(files: FileManager, action: EditFile) -> str:
    """The place as it reads now. Raises UnusableAnswer or FileSystemError when nothing was changed."""
    _refuse_secret(action.path)
    _refuse_secret(files.resolved(action.path))
    before = files.read_file(action.path)
    count = before.count(action.old)
    if count > 1:
        raise UnusableAnswer(f"`old` stands {count} times in {action.path}; take in more lines until it is unique")
    if count == 1:
        after = before.replace(action.old, action.new, 1)
    else:
        # By whole lines, whatever their ends; the error of it shows the nearest lines.
        new = f"{action.new}\n" if action.new and not action.new.endswith("\n") else action.new
        after = apply_blocks(before, [Block(action.path, action.old, new, 1)])
    if not files.write_file(action.path, after):
        raise UnusableAnswer("`old` and `new` are the same: nothing was changed")
    first = after[: _first_difference(before, after)].count("\n")
    lines = after.splitlines()
    start, end = max(0, first - _SHOWN_AROUND), first + action.new.count("\n") + 1 + _SHOWN_AROUND
    shown = "\n".join(f"{number}\t{line}" for number, line in enumerate(lines[start:end][:40], start=start + 1))
    return f"changed; {action.path} now reads\n{shown}"


def create_file(files: FileManager, action: CreateFile) -> str:
    """Says so. Raises UnusableAnswer or FileSystemError when nothing was changed."""
    _refuse_secret(action.path)
    content = action.content if not action.content or action.content.endswith("\n") else f"{action.content}\n"
    try:
        files.create_file(action.path, content)
    except FileExists:
        raise UnusableAnswer(f"{action.path} is there already; change it with edit_file") from None
    return f"{action.path} was made"


def _refuse_secret(path: str) -> None:
    if pattern := matching_pattern(PurePosixPath(path).as_posix(), SECRETS):
        raise PathRefused(path, "secret", f"it matches {pattern}, which may hold secrets", "do without it")


def _first_difference(before: str, after: str) -> int:
    return next(
        (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
        min(len(before), len(after)),
    )
