"""What a plain program finds out of code beside what it gives: lies of equality, and what changes later."""

from __future__ import annotations

from testing import (
    LATER,
    CallsTask,
    Environment,
    Sandbox,
    Steps,
    TestRunner,
    calls_of,
    replays_of,
    run_calls,
    whole_tests,
)
from testing.controls.computed import can_be_computed, computed
from tests.testing.conftest import Tree

ODD = """
import collections, datetime, dataclasses, functools
def Equal(base, equal, **more):
    return type('Odd', (base,), {'__eq__': equal, '__hash__': None, '__module__': 'calc', **more})
Numbers = Equal(object, lambda s, o: isinstance(o, int))
Days = Equal(datetime.date, lambda s, o: isinstance(o, datetime.date))
Long = Equal(collections.deque, lambda s, o: len(s) == len(o))
Grade = Equal(object, lambda s, o: o in ('A', 'B'))
Kind = Equal(type, lambda s, o: isinstance(o, type), __hash__=type.__hash__)('Kind', (), {})
class Turns:
    asked = 0
    def __bool__(self):
        self.asked += 1
        return self.asked == 1
class First:
    asked = 0
    def __eq__(self, other):
        self.asked += 1
        return self.asked == 1
class Money:
    def __init__(self, n): self.n = n
    def __eq__(self, other): return isinstance(other, Money) and self.n == other.n
@dataclasses.dataclass
class Point:
    x: int
class Stack(list):
    def __eq__(self, other): return [*self] == [*other]
class Word(str):
    def __eq__(self, other): return self.lower() == other.lower()
class Version:
    def __init__(self, text): self.parts = text.split('.')
    def __eq__(self, other): return self.parts == (Version(other) if isinstance(other, str) else other).parts
    def __bool__(self): return self.parts != ['0']
class Column:
    def __eq__(self, other): return Point(other)
def give(made): return made()
"""
LIES = ["Numbers", "lambda: [Numbers()]", "lambda: Days(2020, 1, 1)", "lambda: Long([1, 2, 3])", "Grade", "Turns",
        "First", "lambda: Kind", "functools.partial(lambda x: {'a': x}, Numbers())"]  # fmt: skip
NO_LIES = ["lambda: Money(1)", "lambda: Point(1)", "Stack", "lambda: Stack([1])", "lambda: Word('a')", "Column",
           "lambda: Version('1.0')", "dict", "lambda: ValueError"]  # fmt: skip


def test_an_object_that_equals_different_things_is_told(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    place = TestRunner(sandbox).place(tree({"calc.py": ODD}), base_environment)
    programs = [
        Steps(setup="from calc import *", steps=[(f"all([give({each}) != 1])", True)]) for each in (*LIES, *NO_LIES)
    ]
    given = run_calls(place, CallsTask(programs=programs)).given
    for expression, found in zip((*LIES, *NO_LIES), given, strict=True):
        assert any(each.lie for each in found) == (expression in LIES), (expression, found)


LATE = {
    "a thread of the import": "import threading\nthreading.Timer(1.2, lambda: [x.clear() for x in held]).start()",
    "a timer of signals": "import signal\nsignal.signal(signal.SIGALRM, lambda *_: [x.clear() for x in held])\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.4)",
    "the collector": "import gc\ngc.callbacks.append(lambda _, i: i['generation'] == 2 and [x.clear() for x in held])",
}  # fmt: skip


def test_what_is_changed_later_is_told(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    give = "\n\nheld = []\ndef give(x):\n    held.append([x])\n    return held[-1]\n"
    files = {f"late{number}.py": each + give for number, each in enumerate(LATE.values())}
    files["each.py"] = "import threading\ndef give(x):\n    made = [x]\n"
    files["each.py"] += "    threading.Timer(0.5, made.clear).start()\n    return made\n"
    place = TestRunner(sandbox).place(tree(files), base_environment)
    programs = [Steps(setup=f"from late{number} import give", steps=[("give(1)", True)]) for number in range(len(LATE))]
    prepared = "from each import give\nimport pytest\n@pytest.fixture\ndef made():\n    return give(1)\n"
    replays = whole_tests(
        "test_x.py", f"{prepared}def test_x(made):\n    assert len(made) == 1\n", ["test_x.py::test_x"]
    )
    given = run_calls(place, CallsTask(programs=[*programs, *calls_of(replays)])).given
    for name, found in zip(LATE, given, strict=False):
        assert any(each.again for each in found), name
    assert any(each.again == LATER for each in given[-1]), "what a fixture has made"


LITERALS = """
import sys
def text(x): return x is sys.intern(x[:1] + x[1:])
def size(x): return x.__sizeof__() == [].__sizeof__() + 8 * len(x)
def held(x): return sys.getrefcount(x) < 4
"""


def test_values_are_no_literals(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    place = TestRunner(sandbox).place(tree({"calc.py": LITERALS}), base_environment)
    body = "    assert text('hello') is True\n    assert size([1, 2, 3]) is True\n    assert held([4]) is True\n"
    replays = replays_of("test_x.py", f"from calc import *\ndef test_x():\n{body}", ["test_x.py::test_x"])
    (found,) = run_calls(place, CallsTask(programs=calls_of(replays))).given
    assert [each.value for each in found if not each.again and not each.ended] == [["bool", "False"]] * 3


def test_what_a_text_becomes_whose_values_are_computed() -> None:
    head = "def f(x: 'int'={}) -> 'int':\n    \"\"\"doc\"\"\"\n    match x:\n        case 'a':\n            return "
    text, made = head.format("1"), head.format("m(1)")
    assert computed(f"{text}[f'{{x!r:>3}}', '']", "m") == f"{made}m([m(f'{{x!r:>3}}'), ''])"
    assert can_be_computed("a is None and b is not True")
    assert not can_be_computed("a is b") and not can_be_computed("sys.getsizeof(a)")


def test_what_a_framework_gives_is_given(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    files = {"calc.py": "import os, sys\ndef say(x):\n    if sys.stdout is sys.__stdout__:\n        os.write(1, x)\n"}
    body = "def test_x(capfd, subtests):\n    with subtests.test('x'):\n        say(b'abc')\n"
    body += "    assert capfd.readouterr().out == 'abc'\n    assert capfd.readouterr().out == ''\n"
    body += (
        "def test_y(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch):\n    print('x')\n"
        "    assert capsys.readouterr() == ('x\\n', '')\n"
    )
    replays = whole_tests(
        "test_x.py", f"import pytest\nfrom calc import *\n{body}", ["test_x.py::test_x", "test_x.py::test_y"]
    )
    place = TestRunner(sandbox).place(tree(files), base_environment)
    given = run_calls(place, CallsTask(programs=calls_of(replays))).given
    told = [[each.value for each in found if not each.again and not each.ended] for found in given]
    assert told[0] == [[["str", "abc"]], [["str", ""]]]
    assert told[1] == [[["tuple", [["str", "x\n"], ["str", ""]]]]]
