"""Whether an object of a subclass of a plain type answers by what it holds.

A `dict` that holds the right counts passes `== {'a': 2}`, and may still give 0 to whoever asks it for `['a']`. So the
program of `calls.py` looks at such an object through its own methods, too. Its text is executed there, with builtins
that the project's code does not have. What is there for display or for a unit (`'21 °C'`), for sorting, or as another
meaning of `+` and of a named tuple's length, is no disagreement.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PLAIN: dict[type, Callable[[Any], Any]] = {
    int: int.__int__, float: float.__float__, str: str.__str__, complex: complex.__complex__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)), list: lambda value: [*list.__iter__(value)],
    tuple: lambda value: (*tuple.__iter__(value),), set: lambda value: {*set.__iter__(value)},
    frozenset: lambda value: frozenset(frozenset.__iter__(value)), dict: lambda value: dict(dict.items(value)),
}  # fmt: skip
"""How the content of each plain type is taken, with no say of the object's."""
_MOST_PARTS = 1000
"""More parts are not asked for one by one."""
_LONGEST = 80

_Check = tuple[str, Callable[[], Any], Callable[[Any], bool]]
"""What is asked, how, and whether an answer to it is right."""


def unlike(value: Any, base: type, bare: Callable[[Any], Any]) -> str:
    """What an object answers that is not what it holds, in words; empty if all is. `base`: the plain type that it is a
    subclass of; `bare`: gives the plain parts of a value."""

    def same(one: Any, other: Any) -> bool:
        return one is other or bool(bare(one) == bare(other))

    content = PLAIN[base](value)
    if content != content:
        return ""  # not a number, which is not like itself
    for words, ask, is_right in _checks(value, base, content, same):
        try:
            answer = ask()
            if not is_right(answer):
                return f"{words} gives {_brief(bare(answer))}"
        except Exception as error:  # noqa: BLE001 — it is the code that is looked at
            if words.startswith(("len", "iteration", "[")):  # others may be refused on purpose
                return f"{words} ends with {type(error).__name__}"
    return ""


def _checks(value: Any, base: type, content: Any, same: Callable[[Any, Any], bool]) -> Iterator[_Check]:
    def like(expected: Any) -> Callable[[Any], bool]:
        return lambda answer: same(answer, expected)

    def listed(expected: Iterable[Any]) -> Callable[[Any], bool]:
        wanted = [*expected]
        return lambda answer: same(answer, wanted)

    is_named = base is tuple and hasattr(type(value), "_fields")
    if not is_named:
        yield "bool()", lambda: bool(value), like(bool(content))
    yield "!=", lambda: value != content, lambda answer: not answer
    if base in (int, float, complex):
        yield from _of_number(value, base, content, like)
        return
    if not is_named:
        yield "len()", lambda: len(value), like(len(content))
    if base in (str, bytes):
        yield from _of_text(value, base, content, like)
    if base in (dict, set, frozenset):
        yield from _of_unordered(value, base, content, same)
        return
    yield "iteration", lambda: _taken(value, len(content)), listed(content)
    yield "[:]", lambda: value[:], lambda answer: is_named or _is_in(content, answer, base, same)
    for place in range(len(content) if len(content) <= _MOST_PARTS else 0):
        yield f"[{place}]", lambda place=place: value[place], like(content[place])  # type: ignore[misc]
    for name, part in zip(type(value)._fields if is_named else (), content, strict=False):
        yield f".{name}", lambda name=name: getattr(value, name), like(part)  # type: ignore[misc]
    if base is list and len(content) <= _MOST_PARTS:  # a tuple may be an interval
        for place, part in enumerate(content):
            yield f"its part {place} in it", lambda part=part: part in value, bool  # type: ignore[misc]
    if base in (list, tuple) and content:  # vectors add part by part
        yield "+ itself", lambda: value + value, bool


def _of_number(value: Any, base: type, content: Any, like: Callable[[Any], Callable[[Any], bool]]) -> Iterator[_Check]:
    yield "+ 0", lambda: value + 0, like(content + 0)
    yield "0 +", lambda: 0 + value, like(0 + content)
    yield "- 0", lambda: value - 0, like(content - 0)
    if base is complex:
        return
    if base is int or content.is_integer():
        yield "int()", lambda: int(value), like(int(content))
    yield "float()", lambda: float(value), like(float(content))
    yield "<", lambda: value < content, lambda answer: not answer
    yield ">", lambda: value > content, lambda answer: not answer
    if not isinstance(value, enum.Enum):
        yield "str()", lambda: str(value), lambda answer: _shows(answer, content)
        yield "format()", lambda: format(value, ""), lambda answer: _shows(answer, content)


def _of_text(value: Any, base: type, content: Any, like: Callable[[Any], Callable[[Any], bool]]) -> Iterator[_Check]:
    yield "in", lambda: content in value, bool
    for words, add in (("+ nothing", lambda: value + content[:0]), ("nothing +", lambda: content[:0] + value)):
        yield words, add, lambda answer: content in PLAIN[base](answer)  # it may put something between
    if base is bytes:
        yield "bytes()", lambda: bytes(value), like(content)
        yield "decode()", lambda: value.decode("latin-1"), like(content.decode("latin-1"))
        return
    if not isinstance(value, enum.Enum):
        yield "str()", lambda: str(value), like(content)
        yield "format()", lambda: format(value, ""), like(content)
    yield "join()", lambda: "".join(value), like(content)
    for name in ("upper", "lower"):
        yield f"{name}()", lambda name=name: getattr(value, name)(), like(getattr(content, name)())  # type: ignore[misc]


def _of_unordered(value: Any, base: type, content: Any, same: Callable[[Any, Any], bool]) -> Iterator[_Check]:
    """Of sets and dicts, in any order; keys may be told in upper or in lower case."""

    def alike(*wanted: Iterable[Any]) -> Callable[[Any], bool]:
        return lambda answer: any(_matches(answer, [*parts], same) for parts in wanted)

    is_dict = base is dict
    # Some give their values when they are walked through.
    ways = (content, content.values(), content.items()) if is_dict else (content,)
    yield "iteration", lambda: _taken(value, len(content)), alike(*ways)
    parts = [*content] if len(content) <= _MOST_PARTS else []
    for part in parts:
        yield f"{_key(part)} in it", lambda part=part: part in value, bool  # type: ignore[misc]
    if not is_dict:
        yield "| nothing", lambda: value | set(), alike(content)
        return
    for part in parts:
        right = lambda answer, part=part: same(answer, content[part])  # noqa: E731
        yield f"[{_key(part)}]", lambda part=part: value[part], right  # type: ignore[misc]
        if "get" not in content:
            yield f"get({_key(part)})", lambda part=part: value.get(part), right  # type: ignore[misc]
    for name, wanted in (("keys", content.keys()), ("values", content.values()), ("items", content.items())):
        if name not in content:  # those of which attributes are keys
            yield f"{name}()", lambda name=name: _taken(getattr(value, name)(), len(content)), alike(wanted)  # type: ignore[misc]


def _matches(found: list[Any], wanted: list[Any], same: Callable[[Any, Any], bool]) -> bool:
    if len(found) != len(wanted):
        return False
    if all(same(one, other) or _folded(one) == _folded(other) for one, other in zip(found, wanted, strict=True)):
        return True
    return sorted(map(_folded, found)) == sorted(map(_folded, wanted))


def _folded(value: Any) -> str:
    plain = PLAIN.get(next((base for base in type(value).__mro__ if base in PLAIN), object), repr)(value)
    if isinstance(plain, tuple):
        return " ".join(map(_folded, plain))
    return repr(plain).casefold()


def _taken(answer: Iterable[Any], most: int) -> list[Any]:
    """What an iteration gives, and no more than one too many."""
    found = []
    for part in answer:
        found.append(part)
        if len(found) > most:
            break
    return found


def _is_in(content: Any, answer: Any, base: type, same: Callable[[Any, Any], bool]) -> bool:
    """Whether a slice of all is what it is a slice of; it may be of another type."""
    return same(answer, content) or (base in (list, tuple) and same(_taken(answer, len(content)), [*content]))


def _shows(text: str, number: float) -> bool:
    """Whether a number's text is no other number; it may be rounded, or have a unit."""
    plain = str.__str__(text)
    try:
        shown = float(plain)
    except ValueError:
        return bool(plain.strip())
    decimals = len(plain.partition(".")[2])
    return bool(shown == number or abs(shown - number) <= max(10.0**-decimals, abs(number) * 1e-3))


def _key(part: Any) -> str:
    return _brief([type(part).__name__, PLAIN[type(part)](part)]) if type(part) in (int, str) else "a key"


def _brief(told: Any) -> str:
    """Plain parts in a few words."""
    kind, content = told
    if content in ([], ""):
        return {"list": "[]", "dict": "{}", "tuple": "()", "str": "''"}.get(kind, f"an empty {kind}")
    if kind in ("list", "tuple", "set", "frozenset"):
        return f"[{', '.join(map(_brief, content))}]"[:_LONGEST]
    if kind in ("dict", "object", "deep", "bytes"):
        return f"another {kind}"
    return (json.dumps(content, ensure_ascii=False) if kind == "str" else str(content))[:_LONGEST]
