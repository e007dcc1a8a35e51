"""Why a line of a change is there: who wrote it in which attempt, which tests and which words asked for it.

The commit, the attempt and the answer of the model are records. Tests and words are found by the names that the line
has to do with: what is defined around it, and what it mentions of what the change defines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from memory import Attempt, MemoryStore, ModelCall, Task

_DEFINES = re.compile(
    r"\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:def|class|function\*?|const|let|var|interface|type|enum)\s+(\w+)"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_TEST = re.compile(r"(^|/)(tests?|__tests__)/|(^|/)test_|_test\.|\.(test|spec)\.")
Found = TypeVar("Found")
_LEAST = 8
"""Characters of a line by which it is looked for in the answers of models."""
_MOST_FOUND, _MOST_AROUND, _MOST_LINES = 5, 24, 500


class AddedLine(BaseModel):
    """A line that the change added, with its number in the new file."""

    number: int
    text: str


class TestFound(BaseModel):
    """A test of the change that mentions what the line is about."""

    file: str
    line: int
    text: str


class Why(BaseModel):
    """All that is known of one line."""

    file: str
    line: int
    text: str
    is_test: bool
    agent: str
    names: list[str]
    words: list[str]
    """Of the task."""
    tests: list[TestFound]
    by_name: bool
    """Whether the tests mention what the line is about; else they are those of the whole change."""
    red_at: datetime | None
    """When the tests of the change were seen to fail, before there was code."""
    attempt: Attempt | None
    failed_before: list[Attempt]
    call: ModelCall | None
    """The call in whose answer the line stands."""
    commit: str = ""
    subject: str = ""


def is_test(path: str) -> bool:
    """Whether a file is one of tests, by its name."""
    return bool(_TEST.search(path))


def why_of(store: MemoryStore, task: Task, added: dict[str, list[AddedLine]], file: str, line: int) -> Why | None:
    """Why this line is there. `added`: all that the change added, by file. None: it did not add this line."""
    lines = added.get(file, [])
    text = next((each.text for each in lines if each.number == line), None)
    if text is None:
        return None
    defined = {found[1] for each in added.values() for one in each if (found := _DEFINES.match(one.text))}
    names = _names(lines, line, text, defined)
    attempts = [each for each in store.evidence.attempts(task.id, run=task.run) if each.stage == "code"]
    passed = next((each for each in reversed(attempts) if each.outcome == "passed"), None)
    testing = is_test(file)
    others = [test for test in _tests(added, names) if test.file != file]
    by_name = bool(others) or testing
    if not by_name:
        others = list(_tests(added, None))
    red = [each for each in store.journal.latest(_MOST_LINES, task_id=task.id) if each.activity == "tests are red"]
    return Why(
        file=file, line=line, text=text, is_test=testing, agent="qa" if testing else "developer", names=names,
        words=_closest(text, _words(task.description, names), str),
        tests=_closest(text, others, lambda test: test.text), by_name=by_name,
        red_at=red[-1].timestamp if red else None,
        attempt=None if testing else passed,
        failed_before=[] if testing else [each for each in attempts if each.outcome != "passed"],
        call=store.browse.call_saying(task.id, text.strip()) if len(text.strip()) >= _LEAST else None,
    )  # fmt: skip


def _names(lines: Sequence[AddedLine], line: int, text: str, defined: set[str]) -> list[str]:
    """What is defined at the line, else around it, and what it mentions of what the change defines."""
    found = [match[1]] if (match := _DEFINES.match(text)) else []
    indent = len(text) - len(text.lstrip())
    for each in reversed([each for each in lines if each.number < line] if not found else []):
        around = _DEFINES.match(each.text)
        if around and len(each.text) - len(each.text.lstrip()) < indent:
            found.append(around[1])
            break
    mentioned = [word for word in _WORD.findall(text) if word in defined]
    return [name for name in dict.fromkeys([*found, *mentioned]) if not name.startswith("test")]


def _closest(line: str, found: Iterable[Found], told: Callable[[Found], str]) -> list[Found]:
    """Those that have most in common with the line first; among equals, the earlier."""
    said = set(_WORD.findall(line))
    return sorted(found, key=lambda each: -len(said & set(_WORD.findall(told(each)))))[:_MOST_FOUND]


def _words(description: str, names: Iterable[str]) -> Iterable[str]:
    """The paragraphs, or items of a list, that mention a name."""
    wanted = [re.compile(rf"\b{re.escape(name)}\b") for name in names]
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*[-*>] )", description):
        if any(name.search(paragraph) for name in wanted):
            yield paragraph.strip()


def _tests(added: dict[str, list[AddedLine]], names: Iterable[str] | None) -> Iterable[TestFound]:
    """Tests that mention a name (None: all that there are), each from its head to its end."""
    wanted = [re.compile(rf"\b{re.escape(name)}\b") for name in names or ()]
    for file, lines in added.items():
        for index, head in enumerate(lines) if is_test(file) else ():
            name = _DEFINES.match(head.text)
            if not (name and name[1].lower().startswith("test")) and not re.match(r"\s*(test|it)\(", head.text):
                continue
            indent = len(head.text) - len(head.text.lstrip())
            body = [head.text]
            for each in lines[index + 1 : index + _MOST_AROUND]:
                if each.text.strip() and len(each.text) - len(each.text.lstrip()) <= indent:
                    break
                body.append(each.text)
            told = "\n".join(body).rstrip()
            if names is None or any(name.search(told) for name in wanted):
                yield TestFound(file=file, line=head.number, text=told)
