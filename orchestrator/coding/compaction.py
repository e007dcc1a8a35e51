"""Makes a conversation shorter when its model's context fills, by code, without losing what was decided.

Messages are left out from the oldest on. What stays of them: the words of the model and of everybody who spoke to it,
what was done and with what result, which lines of which files were read, and how the tests ended. With the change so
far and the open failures it stands behind the first message. If even that is too much, results, then the notes, then
the first message itself are cut.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from pydantic import BaseModel, JsonValue

from agents import UnusableAnswer
from agents.tools import action_of, as_data
from llm import PromptTooLong, ToolCall, Turn, estimate_tokens
from orchestrator.workbench.file_tools import ChangingTool, LookingTool, Outline, ReadFile
from orchestrator.workbench.tool_bench import BenchTool
from orchestrator.workbench.tools import ConcludingTool, RunTests

NO_CALL = "You called no tool. Go on with one; end the work with {ends}."
CUT_MESSAGE = "Your message was cut off at its length limit before it was complete. Go on, in smaller steps."
_OWN_WORDS = (NO_CALL.partition("{")[0], CUT_MESSAGE, "not done: ")
"""How messages begin that only keep a conversation going."""
_CUT_OUT = "\n[… cut …]\n"
_LINE = re.compile(r"^(\d+)\t", re.MULTILINE)
_LONGEST_SAID, _LONGEST_FIRST_LINES, _LONGEST_ARGUMENT, _LONGEST_TESTS = 3000, 300, 160, 4000
_MOST_KEPT = 300
"""Notes of each sort that are stored."""
_SHORT, _WHOLE = 240, 2000
"""Characters of older and of newer words, where they do not all fit."""
_SHORTEST_OPENING = 300
_CHARACTERS_PER_TOKEN = 3


class LeftOut(BaseModel):
    """What stays of messages that were left out, oldest first."""

    opening: str = ""
    """The conversation's first message as it was before anything was left out; empty: nothing was."""
    shown: str = ""
    """The first message as it reads now."""
    said: list[tuple[str, str]] = []
    """Who spoke, `you` (the model) or `told` (anybody else), and the words."""
    done: list[str] = []
    """Calls that changed or ran something, each with the beginning of its result."""
    read: dict[str, list[tuple[int, int]]] = {}
    """Path -> the ranges of lines that were read."""
    changed: list[str] = []
    """Of these, files that were changed after they were read."""
    looked: list[str] = []
    """Searches, lists and outlines, with how much they found."""
    tests: str = ""
    """What the last run of tests printed."""


class Present(BaseModel):
    """A conversation after it was compacted."""

    turns: list[Turn]
    left_out: LeftOut


@dataclass(frozen=True)
class Room:
    """What the turns may take, in the model's own tokens."""

    wanted: int
    most: int
    ratio: float
    """The model's tokens for one that is estimated."""

    def taken(self, turns: Sequence[Turn]) -> int:
        """The model's tokens of the turns."""
        return math.ceil(size_of(turns) * self.ratio)


class _Level(NamedTuple):
    """How much stays: latest messages, characters of each result in them, shares of the notes and of the opening."""

    turns: int
    older: int
    """Characters of a result that the model has seen."""
    latest: int
    """Characters of a result of the last calls."""
    notes: float
    opening: float
    """Share of the room."""


_LEVELS = (
    _Level(4, 4000, 14_000, 1.0, 1.0),
    _Level(4, 1500, 6000, 0.6, 1.0),
    _Level(2, 800, 3000, 0.4, 0.5),
    _Level(2, 400, 1200, 0.25, 0.4),
    _Level(0, 0, 600, 0.2, 0.4),
    _Level(0, 0, 300, 0.08, 0.3),
)
_SAID, _DONE, _READ, _TESTS, _DIFF, _LATEST = 10_000, 6000, 3000, 6000, 12_000, 10_000
"""Characters of the notes at most."""
_ALL_NOTES = _SAID + _DONE + _READ + _TESTS + _DIFF + _LATEST
_SHARE_OF_NOTES = 0.4
"""In the smallest context; the first message takes the rest."""


def size_of(turns: Iterable[Turn]) -> int:
    """Estimated tokens of messages, with what a chat template adds."""
    return sum(
        estimate_tokens("".join(f"[{heading}]\n{text}\n\n" for heading, text in turn.shown()))
        + sum(thought.tokens for thought in turn.thoughts)
        + 16
        for turn in turns
    )


def compacted(
    turns: Sequence[Turn],
    left_out: LeftOut,
    actions: Mapping[str, type[BenchTool]],
    room: Room,
    *,
    diff: str,
    evidence: str,
) -> Present:
    """The conversation without its middle, as much of it as `room` wants. `left_out`: what was left out before;
    `diff`: the change so far; `evidence`: how the task's tests failed last.

    Raises PromptTooLong when nothing of it fits.
    """
    space = int(room.most / room.ratio * _CHARACTERS_PER_TOKEN)
    shorten = partial(_shortened, turns, left_out, actions, diff, evidence)
    made = [shorten(level, max(_SHORTEST_OPENING, int(space * level.opening))) for level in _LEVELS]
    for target in (room.wanted, (room.wanted + room.most) // 2, room.most):
        for present in made:
            if room.taken(present.turns) <= target:
                return present
    while space >= _SHORTEST_OPENING:
        space = space * 3 // 4
        level = _LEVELS[-1]._replace(notes=min(_LEVELS[-1].notes, _SHARE_OF_NOTES * space / _ALL_NOTES))
        if room.taken((present := shorten(level, space)).turns) <= room.most:
            return present
    raise PromptTooLong(
        f"a conversation about the task does not fit into the model's context: its instructions and tools leave "
        f"{max(0, room.most)} tokens for it; use a model with a larger context, or set "
        "llm.capabilities.context_tokens if it takes more than is assumed"
    )


def _shortened(
    turns: Sequence[Turn],
    before: LeftOut,
    actions: Mapping[str, type[BenchTool]],
    diff: str,
    evidence: str,
    level: _Level,
    longest_opening: int,
) -> Present:
    first = next(
        (place for place in range(max(1, len(turns) - level.turns), len(turns)) if turns[place].role == "assistant"),
        len(turns),
    )
    left_out = _noted(before, turns, first, actions)
    latest = turns[-1].results if first == len(turns) else ()
    told = _told(left_out, level, diff, evidence, "\n".join(_cut(result.text, level.latest) for result in latest))
    opening = _cut_blocks(left_out.opening, longest_opening)
    left_out.shown = f"{opening}\n\n{told}" if told else opening
    kept = [
        replace(turn, results=tuple(
            replace(result, text=_cut(result.text, level.latest if turn is turns[-1] else level.older))
            for result in turn.results
        ))
        for turn in turns[first:]
    ]  # fmt: skip
    return Present(turns=[replace(turns[0], text=left_out.shown), *kept], left_out=left_out)


def read_in(
    turns: Sequence[Turn], before: LeftOut, actions: Mapping[str, type[BenchTool]]
) -> dict[str, list[tuple[int, int]]]:
    """Path -> the ranges of lines that were read in a conversation."""
    return _noted(before, turns, len(turns), actions).read


# -- what stays of messages ------------------------------------------------------------------------------------------


def _noted(before: LeftOut, turns: Sequence[Turn], end: int, actions: Mapping[str, type[BenchTool]]) -> LeftOut:
    """The notes with those of the messages up to `end`."""
    notes = before.model_copy(deep=True)
    if not notes.opening:
        notes.opening = turns[0].text
    elif turns[0].text.startswith(notes.shown):
        _hear(notes, turns[0].text[len(notes.shown) :])
    for turn, following in zip(turns[1:end], [*turns[2:], Turn("user")], strict=False):
        if turn.role == "user":
            _hear(notes, turn.text)
            continue
        if turn.text.strip() not in ("", "…"):
            notes.said.append(("you", turn.text.strip()[:_LONGEST_SAID]))
        results = {result.call_id: _plain(result.text) for result in following.results}
        for call in turn.calls:
            _note_call(notes, call, results.get(call.id, ""), actions)
    notes.said, notes.done = notes.said[-_MOST_KEPT:], notes.done[-_MOST_KEPT:]
    notes.looked, notes.read = notes.looked[-_MOST_KEPT:], dict(list(notes.read.items())[-_MOST_KEPT:])
    return notes


def _hear(notes: LeftOut, text: str) -> None:
    words = _plain(text)
    if words.startswith(_OWN_WORDS):  # news may stand behind it
        words = words.partition("\n\n")[2].strip()
    if words:
        notes.said.append(("told", words[:_LONGEST_SAID]))


def _note_call(notes: LeftOut, call: ToolCall, result: str, actions: Mapping[str, type[BenchTool]]) -> None:
    try:
        action = action_of(call, actions)
    except UnusableAnswer:
        return
    refused = result.startswith(("not done", "not finished"))
    if isinstance(action, ReadFile):
        if numbers := [int(number) for number in _LINE.findall(result)]:
            ranges = [] if action.path in notes.changed else notes.read.pop(action.path, [])
            notes.read[action.path] = _merged([*ranges, (numbers[0], numbers[-1])])
            notes.changed = [path for path in notes.changed if path != action.path]
        return
    if isinstance(action, LookingTool | Outline):
        notes.looked.append(f"{_named(action)}: {len(result.splitlines())} lines")
        return
    if isinstance(action, ConcludingTool):
        notes.said.append(("you", f"{action.tool}: {_arguments(action, _LONGEST_SAID)}"[:_LONGEST_SAID]))
    if isinstance(action, RunTests) or (isinstance(action, ConcludingTool) and refused):
        notes.tests = _cut(result, _LONGEST_TESTS)
    if isinstance(action, ChangingTool) and not refused:
        notes.changed += [path for path in action.paths() if path in notes.read and path not in notes.changed]
    first_lines = " / ".join(line.strip() for line in result.splitlines()[:4] if line.strip())
    notes.done.append(f"{_named(action)}: {first_lines[:_LONGEST_FIRST_LINES] or 'done'}")


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _named(action: BenchTool) -> str:
    return f"{action.tool} {_arguments(action, _LONGEST_ARGUMENT)}".strip()


def _arguments(action: BenchTool, longest: int) -> str:
    """The arguments that were given, without the texts of edits and files."""
    given = action.model_dump(mode="json", exclude_defaults=True, exclude={"content", "edits"})
    return "; ".join(f"{name}: {_written(value)[:longest]}" for name, value in given.items())


def _written(value: JsonValue) -> str:
    match value:
        case list():
            return ", ".join(_written(item) for item in value)
        case dict():
            return " – ".join(_written(item) for item in value.values())
        case _:
            return str(value)


def _plain(text: str) -> str:
    """Text without the marks of data; it is marked as a whole again."""
    return re.sub(r"</?data>\n?", "", text).strip()


# -- how it is told --------------------------------------------------------------------------------------------------


def _told(notes: LeftOut, level: _Level, diff: str, evidence: str, latest: str) -> str:
    """The notes as text, empty if there are none."""
    share = level.notes
    parts: list[str] = []
    if notes.said:
        parts.append(f"What was said and decided, oldest first:\n{_words(notes.said, int(_SAID * share))}")
    if notes.done:
        parts.append(f"What you did:\n{_last(notes.done, int(_DONE * share))}")
    if reading := "\n".join(_reading(notes, int(_READ * share))):
        parts.append(f"What you looked at; read again what you need:\n{reading}")
    if latest:
        parts.append(f"What your latest calls returned:\n{_cut(_plain(latest), int(_LATEST * share))}")
    if not parts:
        return ""
    parts.append(f"The change so far:\n{_cut(diff, int(_DIFF * share))}" if diff else "No file was changed so far.")
    if failed := evidence or notes.tests:
        how = "How the task's tests failed last" if evidence else "How the tests ended in the last run"
        parts.append(f"{how}:\n{_cut(failed, int(_TESTS * share))}")
    return "\n".join(["[Earlier messages were left out. What they held:]", *map(as_data, parts)])


def _words(said: Sequence[tuple[str, str]], characters: int) -> str:
    """As many of the words as fit: those of others first, the newest at length."""
    shown: dict[int, str] = {}
    left = characters
    newest_first = [*range(len(said) - 1, -1, -1)]
    for place in sorted(newest_first, key=lambda place: said[place][0] != "told"):
        who, words = said[place]
        longest = _WHOLE if left > characters // 2 else _SHORT
        line = f"- {who}: {words if len(words) <= longest else words[:longest] + ' …'}"
        if len(line) <= left:
            shown[place] = line
            left -= len(line) + 1
    missing = [f"- ({len(said) - len(shown)} more are left out)"] if len(shown) < len(said) else []
    return "\n".join([*missing, *(shown[place] for place in sorted(shown))])


def _last(lines: Sequence[str], characters: int) -> str:
    shown: list[str] = []
    for line in reversed(lines):
        characters -= len(line) + 3
        if characters < 0:
            shown.append(f"({len(lines) - len(shown)} earlier calls are left out)")
            break
        shown.append(line)
    return "\n".join(f"- {line}" for line in reversed(shown))


def _reading(notes: LeftOut, characters: int) -> Iterator[str]:
    lines = [
        f"{path}: lines {', '.join(f'{first}-{last}' for first, last in ranges)}"
        + (" (changed since)" if path in notes.changed else "")
        for path, ranges in notes.read.items()
    ]
    if notes.looked:
        yield _last(notes.looked, characters // 3)
    if lines:
        yield _last(lines, characters)


def _cut(text: str, longest: int) -> str:
    """The beginning and the end of a text; in a block of data it stays one."""
    if len(text) <= longest:
        return text
    return f"{text[: longest * 2 // 3]}{_CUT_OUT}{text[len(text) - longest // 3 :]}"


def _cut_blocks(text: str, longest: int) -> str:
    """The beginning and the end of a text with blocks of data, which are whole afterwards."""
    if len(text) <= longest:
        return text
    head, tail = text[: longest * 2 // 3], text[len(text) - longest // 3 :]
    if head.count("<data>") > head.count("</data>"):
        head += "\n</data>"
    first_end, first_begin = tail.find("</data>"), tail.find("<data>")
    if first_end >= 0 and (first_begin < 0 or first_end < first_begin):
        tail = f"<data>\n{tail}"
    return f"{head}{_CUT_OUT}{tail}"
