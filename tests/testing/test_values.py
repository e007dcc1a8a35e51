"""Values as a plain program writes them down, and objects that hold one thing and answer another."""

from __future__ import annotations

import re
from array import array
from collections import deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from uuid import UUID

import pytest

from testing import CallsTask, Environment, Sandbox, Steps, TestRunner, Unknown, Unlike, run_calls, value_of, ways_of
from tests.testing.conftest import Tree

VALUES = {
    "None": None,
    "True": True,
    "7 ** 70": 7**70,
    "1.5e300": 1.5e300,
    "-0.0": 0.0,
    "float('inf')": float("inf"),
    "2j": 2j,
    r"'\ud800é\n'": "\ud800é\n",
    "b'\\xff'": b"\xff",
    "[1, (2, {3}), {'a': None, 4: [5.5]}]": [1, (2, {3}), {"a": None, 4: [5.5]}],
    "Big(3)": 3,
    "Word('x')": "x",
    "Rows([Word('y')])": ["y"],
    "Pair(1, 'z')": (1, "z"),
    "collections.Counter('aab')": {"a": 2, "b": 1},
    "collections.OrderedDict(a=1)": {"a": 1},
    "Shade.RED": 1,
    "Plain('p')": "p",
    "{'a': 1}.keys()": {"a"},
    "{'a': [1]}.items()": {"a": [1]}.items(),
    "types.MappingProxyType({'a': 1})": {"a": 1},
    "[memoryview(b'ab')]": [b"ab"],
    "bytearray(b'ab')": b"ab",
    "range(0, 9, 2)": range(0, 9, 2),
    "collections.deque([1, 2], 5)": deque([1, 2]),
    "array.array('d', [1.5])": array("d", [1.5]),
    "collections.ChainMap({'a': 1}, {'b': 2})": {"a": 1, "b": 2},
    "collections.UserDict(a=1)": {"a": 1},
    "collections.abc.KeysView({'a': 1})": {"a"},
    "Day(2020, 2, 29)": date(2020, 2, 29),
    "datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.timezone.utc)": datetime(2020, 1, 1, 12, tzinfo=UTC),
    "datetime.time(1, 2)": time(1, 2),
    "datetime.timedelta(hours=-1)": timedelta(hours=-1),
    "decimal.Decimal('1.50')": Decimal("1.5"),
    "fractions.Fraction(1, 3)": Fraction(1, 3),
    "pathlib.Path('a', 'b')": PurePosixPath("a/b"),
    "uuid.UUID(int=5)": UUID(int=5),
    "[int, ValueError]": [int, ValueError],
    "Typed.__annotations__": {"n": int},
}
SETUP = """import array, collections, datetime, decimal, enum, fractions, pathlib, types, uuid
Day = type('Day', (datetime.date,), {'year': 1, 'isoformat': lambda s: 'lie'})
Big = type('Big', (int,), {'__int__': lambda s: 9, '__repr__': lambda s: '9'})
Word = type('Word', (str,), {'__str__': lambda s: 'lie'})
Equal = type('Equal', (dict,), {'__eq__': lambda s, o: True})
Rows = type('Rows', (list,), {'__iter__': lambda s: iter('lie')})
Pair = collections.namedtuple('Pair', 'a b')
Shade = enum.IntEnum('Shade', 'RED')
Plain = type('Plain', (str,), {})
class Own: ...
class Typed:
    n: int
"""


def test_values_are_written_down_by_their_plain_parts(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    place = TestRunner(sandbox).place(
        tree({"calc.py": "import os\n\n\ndef leave():\n    os._exit(0)\n"}), base_environment
    )
    expressions = [*VALUES, "'x' * 300_000", "Own()", "Equal()", "1 / 0", "__import__('calc').leave()", "1"]
    programs = [Steps(setup=SETUP, steps=[(expression, True)]) for expression in expressions[:-1]]
    last = Steps(setup="x = 1", steps=[("x += 1", False), ("x", True)])
    given = run_calls(place, CallsTask(programs=[*programs, last])).given
    told = [each[0] for each in given[: len(VALUES) + 4]]
    assert [value_of(each.value) for each in told[: len(VALUES)]] == list(VALUES.values())
    for unknown, what in (
        (told[len(VALUES)], "^$"),
        (told[len(VALUES) + 1], r"program\.Own"),
        (told[-2], r"program\.Equal"),
    ):
        with pytest.raises(Unknown, match=what):
            value_of(unknown.value)
    assert told[-1].error == "ZeroDivisionError: division by zero"
    assert given[-2] == []  # it left, and alone
    assert value_of(given[-1][0].value) == 2
    again = run_calls(place, CallsTask(programs=[last, last])).given
    assert [value_of(each[0].value) for each in again] == [2, 2]


CLASSES = """import collections, enum, typing
def Lie(base, *held, **answers):
    return type('Lie', (base,), {name: lambda *_, answer=answer: answer for name, answer in answers.items()})(*held)
def Attribute(held):
    made = type('Lie', (dict,), {})(held)
    made.get = lambda *_: 0
    return made
class Named(typing.NamedTuple('Named', [('a', int), ('b', int)])):
    a = property(lambda _: 0)
class Span(typing.NamedTuple):
    a: int
    b: int
    __len__ = lambda s: s.b - s.a
    __contains__ = lambda s, n: s.a <= n < s.b
class Vector(tuple):
    __add__ = lambda s, o: Vector(a + b for a, b in zip(s, o))
class Markup(str):
    __add__ = lambda s, o: Markup(str(s) + str(o).replace('<', '&lt;'))
    __radd__ = lambda s, o: Markup(str(o).replace('<', '&lt;') + str(s))
class Address(str):
    __add__ = lambda s, o: Address(f'{s}/{o}')
class Folded(dict):
    def __init__(self, held):
        super().__init__({key.lower(): part for key, part in held.items()})
        self.written = [*held]
    __getitem__ = lambda s, key: dict.__getitem__(s, key.lower())
    __iter__ = lambda s: iter(s.written)
    keys = lambda s: s.written
    items = lambda s: [(key, s[key]) for key in s.written]
class Recent(collections.OrderedDict):
    def __getitem__(self, key):
        self.move_to_end(key)
        return super().__getitem__(key)
class Open(dict):
    def __init__(self, held):
        super().__init__(held)
        self.__dict__ = self
class Celsius(float):
    __str__ = lambda s: f'{float(s):.1f} °C'
class Money(float):
    __str__ = lambda s: f'{float(s):.2f}'
class Sealed(list):
    def __add__(self, other):
        raise TypeError
class Shade(str, enum.Enum):
    RED = 'red'
Level = enum.IntEnum('Level', 'LOW')
Text = enum.StrEnum('Text', 'ONE')
Flag = enum.IntFlag('Flag', 'A B')
"""
LIES = [
    "Lie(dict, {'a': 2}, __getitem__=0)", "Lie(dict, {'a': 2}, get=None)", "Lie(dict, {'a': 2}, items=[])",
    "Lie(dict, {'a': 2}, values=[0])", "Lie(dict, {'a': 2}, keys=())", "Lie(dict, {'a': 2}, __contains__=False)",
    "Lie(dict, {'a': 2}, __len__=0)", "Lie(dict, {'a': 2}, __iter__=iter(()))", "Attribute({'a': 2})",
    "Lie(collections.Counter, 'aab', __getitem__=0)", "Lie(collections.OrderedDict, {'a': 1}, items=[])",
    "Lie(str, 'abc', __str__='')", "Lie(str, 'abc', __format__='')", "Lie(str, 'abc', __add__='')",
    "Lie(str, 'abc', __radd__='')", "Lie(str, 'abc', __ne__=True)", "Lie(str, 'abc', lower='')",
    "Lie(bytes, b'ab', decode='')", "Lie(bytes, b'ab', __getitem__=0)", "Lie(tuple, (1, 2), __iter__=iter(()))",
    "Lie(tuple, (1, 2), __len__=1)", "Lie(tuple, (1, 2), __getitem__=0)", "Named(1, 2)",
    "Lie(list, [1], __iter__=iter(()))", "Lie(list, [1], __contains__=False)", "Lie(list, [1], __add__=[])",
    "Lie(set, {1}, __contains__=False)", "Lie(frozenset, {1}, __or__=set())", "Lie(int, 5, __add__=0)",
    "Lie(int, 5, __int__=0)", "Lie(int, 5, __bool__=False)", "Lie(int, 5, __str__='0')",
    "Lie(int, 5, __format__='')", "Lie(float, 2.5, __float__=0.0)", "Lie(float, 2.5, __lt__=True)",
    "[{'x': Lie(str, 'abc', __str__='')}]", "Lie(dict, {n: 2 for n in range(90)}, __getitem__=0)",
    "Lie(list, [*range(90)], __getitem__=0)", "Lie(set, {*range(90)}, __contains__=False)",
]  # fmt: skip
NO_LIES = [
    "collections.Counter(a=0, b=-1)", "collections.OrderedDict(a=1)", "collections.defaultdict(list, a=[1])",
    "Span(1, 3)", "Span(1, 1)", "Vector((1, 2))", "Vector()", "Markup('<b>')", "Address('a')",
    "Folded({'A': 1, 'b': 2})", "Recent(a=1, b=2)", "Open({'items': 1, 'get': 2, 'keys': 3, 'x': 4})",
    "Celsius(21.26)", "Money(1.239)", "Sealed([1])", "Shade.RED", "Level.LOW", "Text.ONE", "Flag.A | Flag.B",
    "Flag(0)", "type('N', (float,), {})('nan')", "type('N', (float,), {})('-inf')", "type('S', (str,), {})()",
]  # fmt: skip


def test_what_an_object_holds_and_what_it_answers_are_compared(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    place = TestRunner(sandbox).place(tree({"calc.py": ""}), base_environment)
    programs = [Steps(setup=CLASSES, steps=[(expression, True)]) for expression in (*LIES, *NO_LIES)]
    given = run_calls(place, CallsTask(programs=programs)).given
    for expression, found in zip((*LIES, *NO_LIES), given, strict=True):
        assert not found[0].error, f"{expression}: {found[0].error}"
        is_lie = False
        try:
            value_of(found[0].value, lambda _: False)
        except Unlike as told:
            is_lie = bool(re.search("of which .+ (?:gives|ends with) .", str(told)))
        assert is_lie == (expression in LIES), expression


def test_ways_of_an_objects_own_are_told(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    place = TestRunner(sandbox).place(tree({"calc.py": ""}), base_environment)
    setup = "import enum\nFlag = enum.IntFlag('Flag', 'A B')\n"
    setup += "Box = type('Box', (dict,), {'__contains__': lambda s, k: True})\n"
    expressions = ["Flag.A", "Box()", "__import__('pathlib').Path('a')", "{}"]
    programs = [Steps(setup=setup, steps=[(each, True)]) for each in expressions]
    given = run_calls(place, CallsTask(programs=programs)).given
    assert [ways_of(each[0].value) for each in given] == [
        ("program.Flag", False, True), ("program.Box", True, False), ("", False, False), ("", False, False)
    ]  # fmt: skip
