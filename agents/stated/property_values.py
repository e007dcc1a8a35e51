"""Values to check a property with: of the parameter's type, and of the kind that the task's examples show.

A property may hold only where a function is meant to be used, which its examples show best: numbers stay between
theirs, texts are made of their characters, and nothing is empty where no example is.
"""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

_MOST_ITEMS = 6
_GREATEST = 50
_FEW = 3
"""Where all examples give the same number, values go from it to about this one: 1 and 0 often mean something else."""
_LISTS = ("list", "Sequence", "Iterable", "Collection")


@dataclass(frozen=True)
class Known:
    """What is known of a value: its type, and the values of it in examples."""

    kind: ast.expr
    seen: Sequence[object]


def is_known(kind: ast.expr | None) -> TypeGuard[ast.expr]:
    """Whether values of this type can be made: whole numbers, texts, truth values, and lists of these."""
    match kind:
        case ast.Name(id="int" | "str" | "bool"):
            return True
        case ast.Subscript(value=ast.Name(id=name), slice=item) if name in _LISTS:
            return is_known(item)
    return False


def values(variables: Sequence[Known], count: int) -> list[tuple[object, ...]]:
    """Up to `count` different rows, a value for each variable, the same every time."""
    chooser = random.Random(0)  # noqa: S311  # nothing secret
    rows: dict[str, tuple[object, ...]] = {}
    for _ in range(3 * count):
        row = tuple(_value(known, chooser) for known in variables)
        rows.setdefault(repr(row), row)
        if len(rows) == count:
            break
    return list(rows.values())


def strategy(known: Known) -> str:
    """The strategy of hypothesis for such a value, as code that knows it as `st`."""
    match known.kind:
        case ast.Name(id="int"):
            low, high = _range(known.seen)
            return f"st.integers({low}, {high})"
        case ast.Name(id="str"):
            return f"st.text({_alphabet(known.seen)!r}, min_size={_least(known.seen)}, max_size={_MOST_ITEMS})"
        case ast.Subscript():
            return f"st.lists({strategy(_items(known))}, min_size={_least(known.seen)}, max_size={_MOST_ITEMS})"
    return "st.booleans()"


def _value(known: Known, chooser: random.Random) -> object:
    match known.kind:
        case ast.Name(id="int"):
            return chooser.randint(*_range(known.seen))
        case ast.Name(id="str"):
            return "".join(chooser.choices(_alphabet(known.seen), k=chooser.randint(_least(known.seen), _MOST_ITEMS)))
        case ast.Subscript():
            items = _items(known)
            return [_value(items, chooser) for _ in range(chooser.randint(_least(known.seen), _MOST_ITEMS))]
    return chooser.random() < 0.5


def _items(known: Known) -> Known:
    assert isinstance(known.kind, ast.Subscript)
    return Known(known.kind.slice, [item for one in known.seen if isinstance(one, list | tuple) for item in one])


def _range(seen: Sequence[object]) -> tuple[int, int]:
    numbers = [number for number in seen if type(number) is int]
    low, high = min(numbers, default=1), max(numbers, default=_GREATEST)
    return (low, high) if low < high else (min(low, _FEW - 1), max(high, _FEW))


def _alphabet(seen: Sequence[object]) -> str:
    return "".join(sorted({letter for text in seen if isinstance(text, str) for letter in text})) or (
        string.ascii_lowercase
    )


def _least(seen: Sequence[object]) -> int:
    """Length of the shortest one: 0 only where an example has nothing, too."""
    return 0 if any(isinstance(one, str | list | tuple) and not one for one in seen) else 1
