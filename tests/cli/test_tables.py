"""How rows are laid out: as Rich would, in a fraction of its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from cli.tables import Cell, Column, FittedTable

_WORDS = st.lists(st.text("abc-.", min_size=1, max_size=30), min_size=1, max_size=8).map(" ".join)


def _lines(text: str | Text, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    table = FittedTable([Column("x", least=width)], [[text]])
    with console.capture() as captured:
        console.print(table, crop=False)
    return [line.strip() for line in captured.get().splitlines()[1:]]


@given(_WORDS, st.integers(8, 40))
def test_a_cell_is_folded_as_rich_folds_it_without_its_blank_lines(text: str, width: int) -> None:
    told = [line.plain.strip() for line in Text(text).wrap(Console(), width, overflow="fold")]
    assert _lines(text, width) == [line for line in told if line]


def test_without_colours_a_row_is_one_segment_however_many_styles_it_has() -> None:
    columns = [Column("a", least=10), Column("b", least=10)]
    rows: list[list[Cell]] = [
        [f"some words {number} of a title that is folded", Text("completed", style="green")] for number in range(9)
    ]
    plain, coloured = (Console(width=30, color_system=system, force_terminal=True) for system in (None, "standard"))
    segments = [segment for segment in plain.render(FittedTable(columns, rows)) if segment.text]
    assert all(segment.text.endswith("\n") and not segment.style for segment in segments)
    words = {segment.text: str(segment.style) for segment in coloured.render(FittedTable(columns, rows))}
    assert (words["a"], words["completed"]) == ("bold", "green")
