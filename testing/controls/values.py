"""Values that stand in tests, and those that a plain program has written down (`measuring/values.py`), as objects that
no project's code has a part in."""

from __future__ import annotations

import ast
import builtins
import collections
import pathlib
import types
import uuid
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any
from unittest import mock

from testing.controls.python import NO_VALUE

NOT_READ = (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError, InvalidOperation)
"""What reading a value that is none may end with."""
_CLASSES = {name: each for name, each in vars(builtins).items() if isinstance(each, type)}


class Unknown(Exception):
    """A value that is no plain one."""


class Unlike(Exception):
    """An object of a class that is a plain type's subclass, and answers otherwise than by what it holds."""


class Opaque:
    """A value that is no plain one."""

    def __init__(self, kind: str = "", *, is_named: bool = False) -> None:
        """`kind`: the name of its class, empty if it is too large to tell; `is_named`: it may have ways of its own."""
        self.kind = kind
        self.is_named = is_named


@dataclass(frozen=True)
class OtherClass:
    """A class that is none of the builtin ones."""

    name: str


@dataclass(frozen=True)
class Approximately:
    """As `pytest.approx`: numbers, and lists, tuples and dicts of them."""

    expected: Any
    relative: float
    absolute: float

    def __eq__(self, other: object) -> bool:
        return self._is_near(self.expected, other)

    __hash__ = None  # type: ignore[assignment]  # as `pytest.approx`

    def _is_near(self, expected: Any, other: Any) -> bool:
        if isinstance(expected, list | tuple) and isinstance(other, list | tuple):
            return len(expected) == len(other) and all(map(self._is_near, expected, other))
        if isinstance(expected, dict) and isinstance(other, dict):
            return expected.keys() == other.keys() and all(self._is_near(expected[key], other[key]) for key in expected)
        if isinstance(expected, int | float | complex) and isinstance(other, int | float | complex):
            return bool(expected == other or abs(expected - other) <= max(self.relative * abs(expected), self.absolute))
        return bool(expected == other)


# ---- told values


def value_of(given: Any, may_be_unlike: Callable[[str], bool] = lambda _: True) -> Any:
    """The plain value that a program has written down. Raises Unknown for what is none, with its type, and Unlike for
    an object that answers otherwise than by what it holds, unless its type `may_be_unlike` that."""
    kind, content = given

    def parts(held: Any) -> list[Any]:
        return [value_of(part, may_be_unlike) for part in held]

    def pairs(held: Any) -> dict[Any, Any]:
        return {value_of(key, may_be_unlike): value_of(part, may_be_unlike) for key, part in held}

    match kind:
        case "NoneType":
            return None
        case "bool":
            return content == "True"
        case "int" | "float" | "complex" | "str":
            exact: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "complex": complex, "str": str}
            return exact[kind](content)
        case "list" | "tuple" | "set" | "frozenset" | "deque":
            kinds: dict[str, Any] = {
                "list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": collections.deque,
            }  # fmt: skip
            return kinds[kind](parts(content))
        case "dict":
            return pairs(content)
        case "OrderedDict":
            return collections.OrderedDict(pairs(content))
        case "Counter":
            return collections.Counter(pairs(content))
        case "mappingproxy":
            return types.MappingProxyType(pairs(content))
        case "ChainMap":
            return collections.ChainMap(*parts(content))
        case "dict_keys":
            return dict.fromkeys(parts(content)).keys()
        case "dict_values":
            return dict(enumerate(parts(content))).values()
        case "dict_items":
            return dict(parts(content)).items()
        case "class":
            return _CLASSES.get(str(content)) or OtherClass(str(content))
        case "call":
            return mock._Call((*parts(content),), two=len(content) == 2)
        case "approx":
            return Approximately(*parts(content))
        case "own":
            return value_of(content[-1], may_be_unlike)
        case "unlike":
            name, how, bare = content
            if may_be_unlike(str(name)):
                return value_of(bare)
            raise Unlike(f"an object of {name} that holds {value_of(bare)!r:.100}, of which {how}".replace("\n", " "))
    return _without_parts(str(kind), content)


def _without_parts(kind: str, content: Any) -> Any:
    """Those of the standard library's values that hold no others."""
    match kind:
        case "bytes":
            return bytes.fromhex(content)
        case "bytearray":
            return bytearray.fromhex(content)
        case "memoryview":
            data, form = content
            return memoryview(bytes.fromhex(data)).cast(form) if form != "B" else memoryview(bytes.fromhex(data))
        case "array":
            code, data = content
            return array(code, bytes.fromhex(data))
        case "range":
            return range(*map(int, content))
        case "date":
            return date(*content)
        case "datetime":
            return datetime(*content[0]).replace(tzinfo=_zone(content[1]))
        case "time":
            return time(*content[0]).replace(tzinfo=_zone(content[1]))
        case "timedelta":
            return timedelta(*content)
        case "timezone":
            return _zone(content)
        case "Decimal":
            return Decimal(content)
        case "Fraction":
            return Fraction(*map(int, content))
        case "UUID":
            return uuid.UUID(int=int(content))
        case "PurePosixPath":
            return pathlib.PurePosixPath(content)
        case "PureWindowsPath":
            return pathlib.PureWindowsPath(content)
    raise Unknown(str(content))


def _zone(offset: Any) -> timezone | None:
    return None if offset is None else timezone(timedelta(microseconds=offset))


def ways_of(given: Any) -> tuple[str, bool, bool]:
    """The class of a told value that has methods of its own for what claims do; whether it has them from the project,
    and whether from the standard library. Empty for any other value."""
    match given:
        case ["own", [str(name), list(by_project), list(by_library), _]]:
            return name, bool(by_project), bool(by_library)
    return "", False, False


# ---- values that stand in a test


def imported(module: ast.Module) -> dict[str, str]:
    """What names of a test file stand for: `from datetime import date as d` gives d: datetime.date. A name that is
    given another value, or another meaning, anywhere is none of them."""
    found: dict[str, str] = {}
    others: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                given = {each.asname or each.name.partition(".")[0]: each.name for each in names}
                given |= {top: top for each in names if not each.asname and (top := each.name.partition(".")[0])}
            case ast.ImportFrom(module=str(origin), names=names, level=0):
                given = {each.asname or each.name: f"{origin}.{each.name}" for each in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                given = {name: ""}
            case ast.arg(arg=name):
                given = {name: ""}
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                given = {name: ""}
            case _:
                continue
        others |= {name for name, what in given.items() if found.setdefault(name, what) != what}
    return {name: "" if name in others else what for name, what in found.items()}


def standing(node: ast.expr, names: Mapping[str, str]) -> Any:
    """The value that is written there: a literal, a builtin class, or one of the standard library's values that is
    made of literals, as in `[date(2020, 1, 31)]`. `names`: those that are `imported`. Raises ValueError for any other.
    """
    try:
        value = ast.literal_eval(node)
    except NO_VALUE:
        pass
    else:
        if value is not Ellipsis:
            return value
    match node:
        case ast.List(elts=parts):
            return [standing(part, names) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(standing(part, names) for part in parts)
        case ast.Set(elts=parts):
            return {standing(part, names) for part in parts}
        case ast.Dict(keys=keys, values=values):
            if None in keys:
                raise ValueError("parts of another dict")
            pairs = zip(keys, values, strict=True)
            return {standing(key, names): standing(value, names) for key, value in pairs if key}
        case ast.Name() | ast.Attribute():
            return _constant(_path(node, names))
        case ast.Call(func=func, args=arguments, keywords=keywords):
            made = _MAKERS.get(_path(func, names))
            if made is None or any(keyword.arg is None for keyword in keywords):
                raise ValueError("another call")
            given = [standing(argument, names) for argument in arguments]
            named = {str(keyword.arg): standing(keyword.value, names) for keyword in keywords}
            try:
                return made(*given, **named)
            except NOT_READ as problem:
                raise ValueError("no value") from problem
    raise ValueError("no value")


def _path(node: ast.expr, names: Mapping[str, str]) -> str:
    """What a name stands for, dotted; empty for what the test has made. A builtin stands for itself."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name if name in _CLASSES else "")
        case ast.Attribute(value=owner, attr=attr) if path := _path(owner, names):
            return f"{path}.{attr}"
    return ""


def _constant(path: str) -> Any:
    if path in ("datetime.UTC", "datetime.timezone.utc"):
        return UTC
    if path in _CLASSES:
        return _CLASSES[path]
    raise ValueError("another name")


def _of_parts(kind: Any) -> Callable[..., Any]:
    """A collection made of one that is written there, so that none is large."""

    def made(held: Any = (), **named: Any) -> Any:
        if not isinstance(held, list | tuple | set | dict | str | bytes):
            raise ValueError("no collection")
        return kind(held, **named)

    return made


_MAKERS: dict[str, Callable[..., Any]] = {
    **{kind.__name__: _of_parts(kind) for kind in (set, frozenset, list, tuple, dict, bytearray)},
    **{f"collections.{kind.__name__}": _of_parts(kind)
       for kind in (collections.deque, collections.Counter, collections.OrderedDict)},
    **{f"datetime.{kind.__name__}": kind for kind in (date, datetime, time, timedelta, timezone)},
    "datetime.date.fromisoformat": date.fromisoformat, "datetime.datetime.fromisoformat": datetime.fromisoformat,
    "decimal.Decimal": Decimal, "fractions.Fraction": Fraction, "uuid.UUID": uuid.UUID, "range": range,
    "types.MappingProxyType": _of_parts(types.MappingProxyType), "array.array": lambda code, held=(): array(code, held),
    "pathlib.Path": pathlib.PurePosixPath, "pathlib.PurePath": pathlib.PurePosixPath,
    "pathlib.PosixPath": pathlib.PurePosixPath, "pathlib.PurePosixPath": pathlib.PurePosixPath,
    "pathlib.PureWindowsPath": pathlib.PureWindowsPath,
}  # fmt: skip
"""How values of the standard library are made; nothing else is called here."""
