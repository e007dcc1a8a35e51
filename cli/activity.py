"""How the lines of the stream of what happens look on a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from cli.options import caller, folds, out
from memory import Activity
from owner.sentences import sentence, what_to_type
from owner.stream import PROBLEMS
from owner.words import agent_name

_CLOCK = 10
"""Characters of a line of the stream that its time takes."""
_LINES = {
    "task completed": "bold green",
    "task failed": "bold red",
    "task blocked": "bold yellow",
    "waiting for approval": "bold magenta",
    "task added": "bold",
    "landed": "green",
    "awaits its model": "dim",
}
"""Kinds of activity that stand out, or back; other problems are yellow."""
_AGENTS = {
    "ceo": "magenta", "product": "blue", "qa": "cyan", "developer": "bright_blue", "tech_lead": "bright_magenta",
}  # fmt: skip
"""Who it is, where the line itself has no colour."""


def activity_line(activity: Activity, title: str = "") -> Text:
    """One line of the activity stream, in words and in the time of the reader's clock. `title`: see `sentence`."""
    line = Text()  # a style given here would hold for the whole line
    line.append(f"{activity.timestamp.astimezone():%H:%M:%S}  ", style="dim")
    style = _LINES.get(activity.activity, "yellow" if activity.activity in PROBLEMS else "")
    said = Text(sentence(activity, title), style=style)
    who = agent_name(activity.agent_name, first=True)
    if not style and said.plain.startswith(who) and activity.agent_name in _AGENTS:
        said.stylize(_AGENTS[activity.agent_name], 0, len(who))
    return line.append_text(said)


def show_activity(activity: Activity, title: str = "") -> None:
    """Print one line of the activity stream. On a terminal it is folded between words, and what to type stands below
    it, unfolded, to be pasted; in a file or a pipe all of it is one line."""
    line, command = activity_line(activity, title), what_to_type(activity)
    typed = f"{caller()} {command}" if command else ""
    if not folds():
        out.print(line.append(f"; next: {typed}" if typed else ""), soft_wrap=True)
        return
    clock, said = line[:_CLOCK], line[_CLOCK:]
    if out.width < 2 * _CLOCK:
        out.print(line)
    else:
        grid = Table.grid()
        grid.add_column(width=_CLOCK)
        grid.add_column(overflow="fold")
        grid.add_row(clock, said)
        out.print(grid)
    if typed:
        out.print(f"{'':{_CLOCK}}{typed}", markup=False, soft_wrap=True)
