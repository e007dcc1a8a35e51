"""Writes values down by their plain parts, with no say of the objects that they are.

Executed in the program of `calls.py` beside `interface.py`, before any code of the project; `controls/values.py` reads
what it writes. Of the standard library's values (dates, decimals, paths, views of dicts, …) the content is taken by
the library's own methods, of a subclass's objects, too.
"""

from __future__ import annotations

import collections
import collections.abc
import datetime
import decimal
import fractions
import pathlib
import sys
import types
import uuid
from array import array
from collections.abc import Callable
from typing import Any

_MRO = type.__dict__["__mro__"].__get__
_TYPE, _LEN = type, len
_KNOWN = {"builtins", *sys.stdlib_module_names}
_DEEPEST = 20
_CLASSES = {each: name for name, each in vars(__import__("builtins")).items() if isinstance(each, type)}
_WAYS = {
    "__contains__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__", "__iter__", "__getitem__", "__add__",
    "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__neg__", "__abs__",
    "__round__",
}  # fmt: skip
"""Methods that decide what a claim other than `==` says."""
_NUMBERS: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, str: str.__str__, complex: complex.__complex__,
}  # fmt: skip
_PARTS: dict[type, Callable[[Any], Any]] = {
    list: list.__iter__, tuple: tuple.__iter__, set: set.__iter__, frozenset: frozenset.__iter__,
}  # fmt: skip


def _got(of: type, *names: str) -> Callable[[Any], list[Any]]:
    """Takes attributes as this very class gives them."""
    getters = [getattr(of, name).__get__ for name in names]  # descriptors, which know their class
    return lambda value: [get(value) for get in getters]


def _pairs(value: Any) -> list[Any]:
    return [[key, dict.__getitem__(value, key)] for key in collections.OrderedDict.__iter__(value)]


def _of_time(of: type, *names: str) -> Callable[[Any], list[Any]]:
    take = _got(of, *names)

    def parts(value: Any) -> list[Any]:
        offset = of.utcoffset(value)  # type: ignore[attr-defined]
        return [take(value), None if offset is None else offset / datetime.timedelta(microseconds=1)]

    return parts


_FRACTION = _got(fractions.Fraction, "_numerator", "_denominator")
_TAKEN: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytearray: ("bytearray", lambda value: bytes(memoryview(value)).hex()),
    memoryview: ("memoryview", lambda value: [memoryview.tobytes(value).hex(), value.format]),
    range: ("range", _got(range, "start", "stop", "step")),
    array: ("array", lambda value: [array.__dict__["typecode"].__get__(value), bytes(memoryview(value)).hex()]),
    datetime.datetime: (
        "datetime",
        _of_time(datetime.datetime, "year", "month", "day", "hour", "minute", "second", "microsecond"),
    ),
    datetime.time: ("time", _of_time(datetime.time, "hour", "minute", "second", "microsecond")),
    datetime.date: ("date", _got(datetime.date, "year", "month", "day")),
    datetime.timedelta: ("timedelta", _got(datetime.timedelta, "days", "seconds", "microseconds")),
    datetime.timezone: (
        "timezone",
        lambda value: datetime.timezone.utcoffset(value, None) / datetime.timedelta(microseconds=1),
    ),
    decimal.Decimal: ("Decimal", decimal.Decimal.__str__),
    fractions.Fraction: ("Fraction", lambda value: [*map(str, _FRACTION(value))]),
    uuid.UUID: ("UUID", lambda value: str(uuid.UUID.__dict__["int"].__get__(value))),
    pathlib.PureWindowsPath: ("PureWindowsPath", pathlib.PurePath.__str__),
    pathlib.PurePosixPath: ("PurePosixPath", pathlib.PurePath.__str__),
}  # fmt: skip
"""How the content of values that have no parts is taken, as JSON holds it."""
_HELD: dict[type, tuple[str, Callable[[Any], Any]]] = {
    collections.deque: ("deque", lambda value: [*collections.deque.__iter__(value)]),
    collections.OrderedDict: ("OrderedDict", _pairs),
    collections.Counter: ("Counter", lambda value: [*map(list, dict.items(value))]),
    collections.ChainMap: ("ChainMap", lambda value: vars(value)["maps"]),
    collections.UserDict: ("dict", lambda value: [*map(list, dict.items(vars(value)["data"]))]),
    collections.UserList: ("list", lambda value: vars(value)["data"]),
    types.MappingProxyType: ("mappingproxy", lambda value: [*map(list, value.items())]),
}
"""The same of those that have parts; pairs are lists of two."""
_dicts: tuple[dict[Any, Any], ...] = ({}, collections.OrderedDict())
for _of in _dicts:
    for _name in ("keys", "values", "items"):
        _HELD[type(getattr(_of, _name)())] = f"dict_{_name}", list
for _view, _name in ((collections.abc.KeysView, "keys"), (collections.abc.ItemsView, "items")):
    _HELD[_view] = f"dict_{_name}", list
_HELD[collections.abc.ValuesView] = "dict_values", list


def teller(
    plain: dict[type, Any], unlike: Callable[[Any, type, Callable[[Any], Any]], str], clock: Any, approximate: type
) -> Callable[[Any], Any]:
    """What writes a value down. `plain`, `unlike`: those of `interface.py`; `clock`: any module of few names;
    `approximate`: what stands in the place of `pytest.approx`."""
    modules, known = sys.modules, {*plain, *_TAKEN, *_HELD, type(None), bool}

    def bare(value: Any) -> Any:
        return told(value, 0, False)

    def name_of(kind: type) -> str:
        return f"{kind.__module__}.{kind.__qualname__}"

    def told(value: Any, depth: int, looked: bool) -> Any:
        kind = _TYPE(value)
        if value is None or kind is bool:
            return [str(kind.__name__), repr(value)]
        if depth > _DEEPEST:
            return ["deep", ""]
        if kind is approximate:
            return ["approx", [told(part, depth + 1, looked) for part in vars(value).values()]]
        if name_of(kind) == "unittest.mock._Call" and vars(modules["unittest.mock"]).get("_Call") is kind:
            return ["call", [told(part, depth + 1, looked) for part in tuple.__iter__(value)]]
        if kind is _TYPE:
            return [
                "class",
                _CLASSES.get(value) or f"{_of_class('__module__', value)}.{_of_class('__qualname__', value)}",
            ]
        if any("__eq__" in vars(each) and str(each.__module__).partition(".")[0] not in _KNOWN for each in _MRO(kind)):
            return ["object", name_of(kind)]
        if looked and kind not in plain:
            base = next((each for each in _MRO(kind) if each in plain), None)
            if base and (how := unlike(value, base, bare)):
                known_as = vars(modules.get(str(kind.__module__), clock)).get(str(kind.__qualname__))
                return ["unlike", [name_of(kind) if known_as is kind else kind.__name__, how[:200], bare(value)]]
        return content(value, kind, depth, looked)

    def content(value: Any, kind: type, depth: int, looked: bool) -> Any:
        def parts(values: Any) -> list[Any]:
            return [told(part, depth + 1, looked) for part in values]

        for base in _MRO(kind):
            if base in _NUMBERS:
                exact = _NUMBERS[base](value)
                return [base.__name__, exact if base is str else repr(exact)]
            if base is bytes:
                return ["bytes", bytes.__getitem__(value, slice(None)).hex()]
            if base in _PARTS:
                return [base.__name__, parts(_PARTS[base](value))]
            if base in _TAKEN:
                name, take = _TAKEN[base]
                return [name, take(value)]
            if base in _HELD:
                name, take = _HELD[base]
                held = take(value)
                are_pairs = name in ("OrderedDict", "Counter", "dict", "mappingproxy")
                return [name, [*map(parts, held)] if are_pairs else parts(held)]
            if base is dict:
                return ["dict", [*map(parts, dict.items(value))]]
        return ["object", name_of(kind)]

    def whole(value: Any) -> Any:
        found = told(value, 0, True)
        kind = _TYPE(value)
        if found[0] in ("object", "unlike", "class") or kind in known:
            return found
        above = {*_MRO(next((each for each in _MRO(kind) if each in known), object)), object}
        ways: list[list[str]] = [[], []]
        for each in _MRO(kind):
            if each not in above:
                ways[str(each.__module__).partition(".")[0] in _KNOWN] += sorted(_WAYS & vars(each).keys())
        return ["own", [name_of(kind), *ways, found]] if any(ways) else found

    return whole


def _of_class(name: str, value: type) -> str:
    return str(_TYPE.__dict__[name].__get__(value))
