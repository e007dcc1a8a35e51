"""How the life of a task looks on a terminal: what the page of the task tells, in the same order and words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.options import caller
from memory import Task
from owner.thread import MOST_OF_A_MESSAGE, Entry
from owner.words import count, one_line

_MOST, _EVIDENCE_LINES, _LINE = 60, 3, 160
_CLOCK = 10
_COLOURS = {"good": "green", "bad": "red", "": ""}


def timeline(task: Task, entries: list[Entry]) -> RenderableType:
    """The latest entries of a task's thread, the oldest first, under the day of the reader's clock."""
    table = Table.grid()
    table.add_column(width=_CLOCK, style="dim")
    table.add_column(overflow="fold")
    day = ""
    for entry in entries[-_MOST:]:
        at = entry.at.astimezone()
        if day != (day := f"{at:%Y-%m-%d}"):
            table.add_row("", Text(day, style="dim"))
        most = MOST_OF_A_MESSAGE if entry.details.get("activity") == "message" else 3 * _LINE
        table.add_row(f"{at:%H:%M:%S}", Text(one_line(entry.text, most), style=_COLOURS[entry.mark]))
        for line in _more(entry):
            table.add_row("", Padding(Text(line, style="dim"), (0, 0, 0, 2)))
    left = len(entries) - _MOST
    earlier = f"… and {count(left, 'earlier line')}: {caller()} task show {task.id} --json"
    return Group(Text("What happened", style="bold"), *([Text(earlier, style="dim")] if left > 0 else []), table)


def _more(entry: Entry) -> Iterator[str]:
    """What failed in an attempt, what a review says, what a planner chose."""
    details = entry.details
    evidence = [line for line in str(details.get("evidence") or "").splitlines() if line.strip()]
    if entry.kind == "attempt" and entry.mark == "bad":
        yield from (f"| {one_line(line, _LINE)}" for line in evidence[:_EVIDENCE_LINES])
        if (left := len(evidence) - _EVIDENCE_LINES) > 0:
            yield f"| … {count(left, 'more line')}"
    if entry.kind == "decision":
        answers = details.get("answers")
        for answer in answers if isinstance(answers, list) else []:
            if isinstance(answer, dict):
                yield one_line(f"{answer.get('objection')}: {answer.get('answer')}", _LINE)
        choices = details.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                yield f"{choice.get('question')} {choice.get('choice')}"
