"""The hand of a player: the calls of a model that looks before it writes, and edits with texts it has been shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from bench.real.real_tasks import FileChange, Look, RealTask
from tests.support import Request

Call: TypeAlias = tuple[str, dict[str, JsonValue]]

GIVES_UP = "I cannot go on: "
"""Begins the prose in which a player gives up."""
REFUSED = re.compile(r"(not (done|finished|accepted|made)|refused|error|there is no)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"^\s*\d+\t|^[^\s:]+:\d+: ?")
_SHOWN_AROUND = 4
_LONGEST_READ = 380
_MOST_AROUND = 30
_MOST_PLACES = 4


@dataclass(frozen=True)
class Heard:
    """What came back after an answer."""

    results: tuple[str, ...]
    """Of its calls, in order."""
    said: str
    """What the product said besides."""

    @property
    def text(self) -> str:
        return "\n".join([*self.results, self.said])


class Hand:
    """What all players of a task do: calls that fit the tools offered, looking, editing, and noting refusals."""

    def __init__(self, task: RealTask, log: list[str], role: str, request: Request) -> None:
        self.task = task
        self._log = log
        self._role = role
        self._fields = _fields_of(request)
        self._seen: set[str] = set()
        self._numbers: dict[str, set[int]] = {}
        self._disputed: set[str] = set()
        self.see(request.system)
        for message in request.messages:
            self.see(message.text)

    def note(self, text: str) -> None:
        self._log.append(f"{self._role}: {text}")

    def call(self, tool: str, **arguments: JsonValue) -> Call:
        """A call with those arguments that the tool has."""
        known = self._fields.get(tool)
        if known is None:
            self.note(f"there is no tool {tool}")
            return tool, dict(arguments)
        return tool, {name: value for name, value in arguments.items() if name in known}

    def see(self, text: str) -> None:
        """Remember the lines of what was shown, and their numbers where they stand below the path of their file."""
        path = ""
        for line in text.splitlines():
            self._seen.add(_NUMBERED.sub("", line).strip())
            if heading := re.match(r"## (\S+\.\w+)$", line):
                path = heading[1]
            elif path and (numbered := re.match(r"(\d+)\t", line)):
                self._numbers.setdefault(path, set()).add(int(numbered[1]))

    def has_seen(self, look: Look) -> bool:
        """Whether most of what a look is for has been shown already."""
        if look.search:
            return any(look.search in line for line in self._seen)
        wanted = range(look.first_line or 1, (look.last_line or 0) + 1)
        return bool(wanted) and 2 * len(self._numbers.get(look.path, set()) & set(wanted)) > len(wanted)

    def unseen(self, change: FileChange) -> list[str]:
        """The old texts of the change that have not been shown, each once."""
        return [
            edit.old for edit in change.edits if not all(self._shown(line.strip()) for line in edit.old.splitlines())
        ]

    def _shown(self, line: str) -> bool:
        """Whether a line, or the part of one that an edit names, has been shown."""
        return not line or line in self._seen or any(line in seen for seen in self._seen)

    def looks(self, changes: Sequence[FileChange]) -> list[Call]:
        """Searches for the places that are to be changed and have not been shown, with the lines around them."""
        return [
            self.call("search", text=_telling(old), files=change.path, around=_around(old))
            for change in changes
            for old in self.unseen(change)
        ]

    def finds(self, changes: Sequence[FileChange]) -> list[Call]:
        """Searches for the places of texts that are too long to be shown with one."""
        return [
            self.call("search", text=_telling(old), files=change.path)
            for change in changes
            for old in self.unseen(change)
        ]

    def reads(self, changes: Sequence[FileChange], results: Sequence[str]) -> list[Call]:
        """Reads of the lines around what `finds` for the same changes has found."""
        wanted = [(change.path, old) for change in changes for old in self.unseen(change)]
        calls = []
        for (path, old), result in zip(wanted, results, strict=False):
            found = re.findall(rf"^{re.escape(path)}:(\d+):", result, re.MULTILINE)
            if not found:
                self.note(f"search does not find in {path}: {_telling(old)!r}: {result[:200]}")
            lines = old.splitlines()
            before = [line.strip() for line in lines].index(_telling(old))
            for place in found[:_MOST_PLACES]:
                first = max(1, int(place) - before - _SHOWN_AROUND)
                last = int(place) - before + min(len(lines) + _SHOWN_AROUND, _LONGEST_READ)
                calls.append(self.call("read_file", path=path, first_line=first, last_line=last))
        return _merged(calls)

    def foreign(self, text: str) -> str:
        """A failing test that `text` names and that is neither QA's nor was there before, as far as is known; once."""
        own = {change.path for change in self.task.tests}
        for found in re.finditer(r"[\w./-]+\.py::[\w:]+(?:\[[^\]]*\])?", text):
            test = found.group()
            if test.partition("::")[0] not in own and test not in self._disputed:
                self._disputed.add(test)
                return test
        return ""

    def missing(self) -> str:
        """What of the right change is not among the added lines that were shown; an edit may be part of a line."""
        added = "\n".join(line[1:].strip() for line in self._seen if line.startswith("+"))
        lost = [(change.path, line) for change in self.task.change for line in _new_lines(change) if line not in added]
        return f"{lost[0][0]} lacks {lost[0][1]!r} and {len(lost) - 1} other lines" if lost else ""

    def edits(self, changes: Sequence[FileChange]) -> list[Call]:
        calls = []
        for change in changes:
            if change.content is not None:
                calls.append(self.call("create_file", path=change.path, content=change.content))
            elif change.move_to:
                calls.append(self.call("move_file", path=change.path, to=change.move_to))
            elif change.delete:
                calls.append(self.call("delete_file", path=change.path))
            elif "edits" in self._fields.get("edit_file", ()):
                pairs: list[JsonValue] = [{"old": edit.old, "new": edit.new} for edit in change.edits]
                calls.append(self.call("edit_file", path=change.path, edits=pairs))
            else:
                calls += [self.call("edit_file", path=change.path, old=e.old, new=e.new) for e in change.edits]
        return calls

    def refused(self, calls: Sequence[Call], heard: Heard) -> list[str]:
        """What was refused of `calls`, which also goes into the log."""
        found = []
        for (tool, arguments), result in zip(calls, heard.results, strict=False):
            if REFUSED.match(result):
                what = f"{tool} {arguments.get('path', '')}".strip()
                found.append(f"{what}: {result[:600]}")
                self.note(f"flow said no: {what}: {result[:600]}")
        return found


def _fields_of(request: Request) -> dict[str, set[str]]:
    """Tool -> its arguments, as the request offers them."""
    offered = request.body.get("tools")
    found: dict[str, set[str]] = {}
    for tool in offered if isinstance(offered, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict):
            parameters = function.get("parameters")
            properties = parameters.get("properties") if isinstance(parameters, dict) else None
            found[str(function.get("name"))] = set(properties) if isinstance(properties, dict) else set()
    return found


def _telling(text: str) -> str:
    """The line of a text to search for: the longest, since it is least likely to stand elsewhere."""
    return max((line.strip() for line in text.splitlines()), key=len)[:300]


def _around(text: str) -> int:
    """Lines around the telling one that show all of a text."""
    lines = text.splitlines()
    before = [line.strip() for line in lines].index(_telling(text))
    return min(max(before, len(lines) - 1 - before) + _SHOWN_AROUND, _MOST_AROUND)


def _merged(calls: Sequence[Call]) -> list[Call]:
    """Reads of one file that overlap become one."""
    merged: list[Call] = []
    for tool, arguments in sorted(calls, key=lambda call: (str(call[1]["path"]), _int(call[1]["first_line"]))):
        last = merged[-1][1] if merged else {}
        if last.get("path") == arguments["path"] and _int(arguments["first_line"]) <= _int(last["last_line"]) + 10:
            last["last_line"] = max(_int(last["last_line"]), _int(arguments["last_line"]))
        else:
            merged.append((tool, arguments))
    return merged


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def name_of(call: Call) -> str:
    return f"{call[0]} {call[1].get('path', '')}".strip()


def _new_lines(change: FileChange) -> Iterator[str]:
    texts: Mapping[str, str] = {edit.new: edit.old for edit in change.edits}
    for new, old in texts.items():
        known = {line.strip() for line in old.splitlines()}
        yield from (line.strip() for line in new.splitlines() if line.strip() and line.strip() not in known)
    yield from (line.strip() for line in (change.content or "").splitlines() if line.strip())
