"""Tables that fit the terminal: where it is narrow whole columns are left out, and no figure is ever cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Characters between two columns."""

Cell = str | Text


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    heading: str
    least: int = 0
    """Characters to which its texts may be folded; 0: they never are, as figures and ids."""
    rank: int = 0
    """The columns of the highest rank are left out first; those of rank 0 never are."""
    right: bool = False


class FittedTable:
    """Rows under headings. Where not even the columns of rank 0 fit side by side, each row becomes lines of its own,
    with all it has."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], title: str = "") -> None:
        self._columns, self._title = columns, title
        self._rows = [[_text(cell) for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        shown = list(range(len(self._columns)))
        while self._width(shown) > width:
            last = max(shown, key=lambda place: (self._columns[place].rank, place))
            if not self._columns[last].rank:
                yield from self._records()
                return
            shown.remove(last)
        table = Table(box=None, pad_edge=False, header_style="bold", title=self._title or None, title_justify="left")
        widths = self._shared_out(shown, width)
        for place in shown:
            column = self._columns[place]
            justify: JustifyMethod = "right" if column.right else "left"
            table.add_column(Text(column.heading), justify=justify, overflow="fold", width=widths[place])
        for row in self._rows:
            table.add_row(*(row[place] for place in shown))
        yield table

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)

    def _width(self, shown: Sequence[int]) -> int:
        return sum(map(self._least, shown)) + _GAP * (len(shown) - 1)

    def _shared_out(self, shown: Sequence[int], width: int) -> dict[int, int]:
        """The width of each column: what is left over goes to those that fold, the narrowest first."""
        widths = {place: self._least(place) for place in shown}
        wanted = {place: max(widths[place], self._widest(place)) for place in shown}
        for _ in range(width - self._width(shown)):
            if not (short := [place for place in shown if widths[place] < wanted[place]]):
                break
            widths[min(short, key=lambda place: widths[place])] += 1
        return widths

    def _widest(self, place: int) -> int:
        return max((_width_of(row[place]) for row in self._rows), default=0)

    def _least(self, place: int) -> int:
        """The fewest characters the column needs."""
        column = self._columns[place]
        widest = self._widest(place)
        return max(cell_len(column.heading), min(widest, column.least) if column.least else widest)

    def _records(self) -> RenderResult:
        head = max(cell_len(column.heading) for column in self._columns)
        if self._title:
            yield Text(self._title, style="italic")
        for number, row in enumerate(self._rows):
            if number:
                yield Text()
            for column, cell in zip(self._columns, row, strict=True):
                if cell.plain.strip():
                    line = Text(f"{column.heading:<{head}}  " if column.heading else "", style="bold")
                    yield Text.assemble(line, cell, overflow="fold")


def _text(cell: Cell) -> Text:
    return Text(cell) if isinstance(cell, str) else cell


def _width_of(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)
