"""How a task that goes on only by the owner's word looks on a terminal."""

from __future__ import annotations

from rich.padding import Padding
from rich.text import Text

from cli.options import caller, out
from memory import ANSWER_GATE
from owner.sentences import count, one_line, reason_words
from owner.stopped import Stopped

_EVIDENCE_LINES, _LINE = 3, 160
_COLOURS = {"gate": "magenta", "blocked": "yellow", "failed": "red"}


def show_stopped(row: Stopped, *, brief: bool = False) -> None:
    """Print a stopped task: why it stopped, the last evidence unless it is to be `brief`, what can be done."""
    head = Text(f"{row.id}  ", style="bold")
    head.append(one_line(row.title))
    head.append(f"  {row.kind}: {reason_words(row.reason)}", style=_COLOURS[row.kind])
    lines = [line for line in row.detail.splitlines() if line.strip()]
    told = lines if len(lines) <= 2 else [lines[0], lines[-1]]  # the last one is the tech lead's word
    if row.kind == "gate" and row.reason != ANSWER_GATE and told:
        told[-1] += f"; `{caller()} task diff {row.id}` shows it"
    if brief:
        told = told[-1:]
    else:
        told += [f"| {line}" for line in row.evidence[:_EVIDENCE_LINES]]
    out.print(head)
    for line in told:
        out.print(Padding(Text(one_line(line, _LINE), style="dim"), (0, 0, 0, 2), expand=False))
    if not brief and (more := len(row.evidence) - _EVIDENCE_LINES) > 0:
        out.print(f"  | … {count(more, 'more line')}: {caller()} approvals list --json", style="dim", markup=False,
                  soft_wrap=True)  # fmt: skip
    show_choices(row)
    if not brief:
        out.print()


def show_choices(row: Stopped) -> None:
    """Print what can be done about a stopped task; what to type stands on lines of its own, which can be pasted."""
    for action in row.actions:
        out.print(f"  so that it {action.effect}:", style="dim", markup=False)
        out.print(f"    {caller()} {action.command}", markup=False, soft_wrap=True)
