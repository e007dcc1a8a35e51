"""How a task that goes on only by the owner's word looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from cli.options import caller, out
from memory import ANSWER_GATE
from owner.stopped import Stopped
from owner.words import count, one_line, reason_words

_EVIDENCE_LINES, _LINE = 3, 160
_COLOURS = {"gate": "magenta", "blocked": "yellow", "failed": "red"}


def show_stopped(row: Stopped, *, number: str = "", told: str = "") -> None:
    """Print a stopped task: why it stopped, the last evidence, what can be done. `told`: what the owner has told the
    daemon about it already."""
    for line in stopped_lines(row, number=number, told=told):
        out.print(line, soft_wrap=isinstance(line, Text))
    out.print()


def stopped_lines(row: Stopped, *, brief: bool = False, number: str = "", told: str = "") -> Iterator[RenderableType]:
    """The same, unprinted; `brief`: without evidence. A `Text` is a line that is not folded."""
    head = Text(f"{number}{row.id}  ", style="bold")
    head.append(one_line(row.title))
    head.append(f"  {row.kind}: {reason_words(row.reason)}", style=_COLOURS[row.kind])
    yield Padding(head, 0, expand=False)
    lines = [line for line in row.detail.splitlines() if line.strip()]
    why = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    if row.kind == "gate" and row.reason != ANSWER_GATE and why:
        why[-1] += f"; `{caller()} task diff {row.id}` shows it"
    why = why[-1:] if brief else [*why, *(f"| {line}" for line in row.evidence[:_EVIDENCE_LINES])]
    for line in why:
        yield Padding(Text(one_line(line, _LINE), style="dim"), (0, 0, 0, 2), expand=False)
    if not brief and (more := len(row.evidence) - _EVIDENCE_LINES) > 0:
        yield Text(f"  | … {count(more, 'more line')}: {caller()} approvals list --json", style="dim")
    if told:
        yield Text(f"  You said: {told}. A running daemon takes it within a second.")
    else:
        yield from choice_lines(row)


def choice_lines(row: Stopped) -> Iterator[Text]:
    """What can be done about a stopped task."""
    for action in row.actions:
        yield from typed_lines(f"it {action.effect}", action.command)


def typed_lines(effect: str, command: str) -> Iterator[Text]:
    """What to type so that something happens, on a line of its own, which can be pasted."""
    yield Text(f"  so that {effect}:", style="dim")
    yield Text(f"    {caller()} {command}")
