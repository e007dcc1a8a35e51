"""Ideas that were had before, in other words."""

from __future__ import annotations

import pytest

from agents import is_same_work

ADD = ("Add add", "Add `add(a: int, b: int) -> int` to calc.py. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`.")
MEDIAN = (
    "Add a median function to stats",
    "In stats.py add `median(values: list[float]) -> float`. `median([1, 3, 2])` returns `2`.",
)
SPEED = ("Make the parser faster", "It reads the same file again for each line.")


@pytest.mark.parametrize(
    ("title", "description", "known"),
    [
        ("Add  ADD!", "Anything else, said at length.", ADD),
        ("Implement add", ADD[1], ADD),
        ("Implement median in stats.py", MEDIAN[1].replace("In stats.py add", "Write in stats.py:"), MEDIAN),
        ("Make parser faster", "Nothing is said that was said before.", SPEED),
    ],
)
def test_the_same_work_in_other_words(title: str, description: str, known: tuple[str, str]) -> None:
    assert is_same_work(title, description, [SPEED, known])


@pytest.mark.parametrize(
    ("title", "description", "known"),
    [
        ("Add sub", ADD[1].replace("add", "sub"), ADD),
        ("Add mode function to stats", MEDIAN[1].replace("median", "mode"), MEDIAN),
        ("Let median refuse empty lists", "In stats.py `median([])` raises `ValueError`.", MEDIAN),
        ("Make the writer faster", SPEED[1], SPEED),
        ("Add export", "A description that is long enough.", ("Add import", "A description that is long enough.")),
    ],
)
def test_other_work_in_nearly_the_same_words(title: str, description: str, known: tuple[str, str]) -> None:
    assert not is_same_work(title, description, [SPEED, known] if known != SPEED else [known])
