"""Whether an object that decides what it equals tells the truth: it cannot equal two values that differ.

Executed in the program of `calls.py` beside `interface.py`, before any code of the project. However a test compares
(`all(f(x) == y …)`, `match`, the arguments of a mock), an object of the project's whose class has an `__eq__` or a
`__bool__` of its own is compared here with many values of many types, and with those that stand in its own code.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import itertools
import os
import pathlib
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any

_MRO = type.__dict__["__mro__"].__get__
_BELOW: Any = type.__dict__["__subclasses__"]
_KNOWN = {"builtins", *sys.stdlib_module_names}
_MOST_OF_CODE = 200
_MOST_OBJECTS = 3
_MOST_PARTS = 20
_MOST_RETURNS = 5000
_READINGS = 3


def odd_classes(work: str) -> set[int]:
    """The ids of classes of the project's, below the folder `work`, that decide what they equal or whether they are
    true."""
    found: set[int] = set()
    seen: set[int] = set()
    left: list[type] = [object]
    while left:
        kind = left.pop()
        if id(kind) in seen:
            continue
        seen.add(id(kind))
        left += _BELOW(kind)
        own = vars(kind)
        if ("__eq__" in own or "__bool__" in own) and str(kind.__module__).partition(".")[0] not in _KNOWN:
            file = getattr(sys.modules.get(str(kind.__module__)), "__file__", None)
            if kind.__module__ != "program" and (file is None or str(file).startswith(work)):
                found.add(id(kind))
    return found


class Collector:
    """Looks at some objects of odd classes among what functions get and give; `sys.setprofile` calls it."""

    def __init__(self, odd: set[int], work: str, names: dict[str, Any]) -> None:
        """`names`: those of the program, whose functions are looked at, too."""
        self._odd, self._work, self._names = odd, work, names
        self._left = _MOST_RETURNS
        self._seen: dict[int, list[Any]] = {}
        self.lies: list[tuple[type, str]] = []

    def __call__(self, frame: types.FrameType, event: str, given: Any) -> None:
        if event != "return" or self._left < 0:
            return
        self._left -= 1
        if frame.f_code.co_filename.startswith(self._work) or frame.f_globals is self._names:
            self._look(given, 2)
            for value in [*frame.f_locals.values()] if frame.f_code.co_name != "<module>" else ():
                self._look(value, 1)

    def _look(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is list or kind is tuple or kind is dict:
            parts = itertools.islice(value.values() if kind is dict else value, _MOST_PARTS if depth else 0)
            for part in [*parts]:
                self._look(part, depth - 1)
        elif any(id(each) in self._odd for each in _MRO(kind)):
            known = self._seen.setdefault(id(kind), [])
            if len(known) < _MOST_OBJECTS and all(one is not value for one in known):
                known.append(value)
                if how := lie_of(value):  # at once, since it may be right the first time that it is asked
                    self.lies.append((kind, how))


def lie_of(value: Any) -> str:
    """What is not true of an object's equality or truth, in words; empty if nothing is found."""
    kind = type(value)
    if any("__bool__" in vars(each) for each in _MRO(kind)):
        said = {_truth(lambda: bool(value)) for _ in range(_READINGS)}
        if len(said) > 1:
            return "is true at one time and false at another"
    if not any("__eq__" in vars(each) for each in _MRO(kind)[:-1]):
        return ""
    equal: list[Any] = []
    for other in [*_values(), *_of_code(kind)]:
        said = {_truth(lambda other=other: value == other) for _ in range(_READINGS)}  # type: ignore[misc]
        if len(said) > 1:
            return f"equals {other!r:.40} at one time and does not at another"
        if True in said:
            equal.append(other)
    for other in equal[1:]:
        if equal[0] != other:
            return f"equals both {equal[0]!r:.40} and {other!r:.40}"
    return ""


def _truth(ask: Callable[[], Any]) -> bool:
    """Whether the answer is yes; an expression that something makes of `==`, as query builders do, is none."""
    try:
        answer = ask()
    except Exception:  # noqa: BLE001 — it is the code that is looked at
        return False
    return (type(answer) is bool or type(answer) is int) and bool(answer)


def _values() -> Iterator[Any]:
    """Two of each type that nobody can foresee, and some small ones; none is empty: many things are alike then."""
    for _ in range(2):
        number, word = int.from_bytes(os.urandom(4), "big") + 100, os.urandom(4).hex()
        day = datetime.date(1900 + number % 200, 1 + number % 12, 1 + number % 28)
        yield from (
            number, -number, number % 9 + 1, number / 7, complex(number, 1), word, word[:1], f"{word} {word}",
            word.encode(), bytearray(word.encode()), [number], [word, number], (number, word), {word: number},
            {number: word}, {number, 1}, frozenset({word}), day, datetime.timedelta(seconds=number),
            datetime.datetime(day.year, day.month, day.day, number % 24), datetime.time(number % 24, number % 60),
            decimal.Decimal(number) / 100, fractions.Fraction(number, 7), collections.deque([number]),
            collections.deque([number, word, 3]), pathlib.PurePosixPath(word, str(number)), uuid.UUID(int=number),
            range(number, number + 3), types.SimpleNamespace(n=number), object(), ValueError(word),
        )  # fmt: skip
    yield from (True, False, None, int, str, float, dict)


def _of_code(kind: type) -> Iterator[Any]:
    """Values that stand in the code of its classes' methods."""
    left = [each.__code__ for one in _MRO(kind) for each in vars(one).values() if isinstance(each, types.FunctionType)]
    count = 0
    while left and count < _MOST_OF_CODE:
        code = left.pop()
        for part in code.co_consts:
            if isinstance(part, types.CodeType):
                left.append(part)
            for each in part if isinstance(part, tuple | frozenset) else (part,):
                if isinstance(each, str | int | float | bytes) and each:
                    count += 1
                    yield each
