"""Tables that fit the terminal: where it is narrow whole columns are left out, and no figure is ever cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

_GAP = 2
"""Characters between two columns."""
_HEADING = Style(bold=True)

Cell = str | Text
_Line = tuple[int, Sequence[Segment]]


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
    with all it has. Rows are laid out here: Rich's table takes a millisecond for each, and there may be 100,000."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], title: str = "") -> None:
        self._columns, self._rows, self._title = columns, rows, title
        self._widest = [max((_width_of(row[place]) for row in rows), default=0) for place in range(len(columns))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        shown = list(range(len(self._columns)))
        while self._width(shown) > width:
            last = max(shown, key=lambda place: (self._columns[place].rank, place))
            if not self._columns[last].rank:
                yield from self._records()
                return
            shown.remove(last)
        widths = self._shared_out(shown, width)
        if self._title:
            yield Text(self._title, style="italic")
        headings = [Text(column.heading, style=_HEADING) for column in self._columns]
        for row in (headings, *self._rows):
            yield from self._laid_out(console, [(place, widths[place], row[place]) for place in shown])

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)

    def _laid_out(self, console: Console, cells: Sequence[tuple[int, int, Cell]]) -> Iterator[Segment]:
        """One row, whose cells are (column, width, text): as many lines as its longest cell needs."""
        columns = [_lines(console, cell, width) for _, width, cell in cells]
        for number in range(max(map(len, columns))):
            plain = ""  # what has no style is gathered: a segment costs more than its text
            for (place, width, _), lines in zip(cells, columns, strict=True):
                used, line = lines[number] if number < len(lines) else (0, ())
                right = self._columns[place].right
                plain += " " * ((_GAP if place != cells[0][0] else 0) + (width - used if right else 0))
                for segment in line:
                    if segment.style:
                        yield from (Segment(plain), segment)
                        plain = ""
                    else:
                        plain += segment.text
                plain += "" if right else " " * (width - used)
            yield Segment(plain + "\n")

    def _width(self, shown: Sequence[int]) -> int:
        return sum(map(self._least, shown)) + _GAP * (len(shown) - 1)

    def _shared_out(self, shown: Sequence[int], width: int) -> dict[int, int]:
        """The width of each column: what is left over goes to those that fold, the narrowest first."""
        widths = {place: self._least(place) for place in shown}
        wanted = {place: max(widths[place], self._widest[place]) for place in shown}
        for _ in range(width - self._width(shown)):
            if not (short := [place for place in shown if widths[place] < wanted[place]]):
                break
            widths[min(short, key=lambda place: widths[place])] += 1
        return widths

    def _least(self, place: int) -> int:
        """The fewest characters the column needs."""
        column, widest = self._columns[place], self._widest[place]
        return max(cell_len(column.heading), min(widest, column.least) if column.least else widest)

    def _records(self) -> RenderResult:
        head = max(cell_len(column.heading) for column in self._columns)
        if self._title:
            yield Text(self._title, style="italic")
        for number, row in enumerate(self._rows):
            if number:
                yield Text()
            for column, cell in zip(self._columns, row, strict=True):
                if str(cell).strip():
                    line = Text(f"{column.heading:<{head}}  " if column.heading else "", style="bold")
                    yield Text.assemble(line, cell, overflow="fold")


def _width_of(cell: Cell) -> int:
    text = str(cell)
    if text.isascii() and "\n" not in text:
        return len(text)
    return max((cell_len(line) for line in text.splitlines()), default=0)


def _lines(console: Console, cell: Cell, width: int) -> list[_Line]:
    """The text of a cell in lines of at most `width` characters, with the width of each."""
    if not console.color_system:
        cell = str(cell)
    used = _width_of(cell)
    if used <= width and "\n" not in str(cell):
        return [(used, [Segment(cell)] if isinstance(cell, str) else _styled(console, cell))]
    if isinstance(cell, str) and cell.isascii():  # a twentieth of the time, and there may be 100,000
        return [(len(line), [Segment(line)]) for part in cell.split("\n") for line in _folded(part, width)]
    text = Text(cell) if isinstance(cell, str) else cell
    return [(_width_of(line), _styled(console, line)) for line in text.wrap(console, width, overflow="fold")]


def _styled(console: Console, text: Text) -> list[Segment]:
    """`render` leaves the style of the whole text out when no part of it has one of its own."""
    return [*text.render(console)] if text.spans else [Segment(str(text), console.get_style(text.style))]


def _folded(line: str, width: int) -> Iterator[str]:
    """Lines of at most `width` characters, between words where that can be, as Rich folds them."""
    line = line.rstrip()
    while len(line) > width:
        end = line.rfind(" ", 1, width + 1)
        yield line[: end if end > 0 else width].rstrip()
        line = line[end if end > 0 else width :].lstrip()
    yield line
