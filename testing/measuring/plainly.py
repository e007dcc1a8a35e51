"""Runs a test as a plain program would run its lines: the few things that tests ask of pytest and unittest, made anew.

`outside.py` takes the assertions out of a test and leaves a call in their place, which tells what they are about. What
is left of the test needs fixtures, rows of parameters, `raises` and the like. Its text is executed in the program of
`calls.py`, with no module and no file of its own. What it does not have ends the test as `Unable`, which says nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import logging
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from testing.measuring.fixtures import Asked, Capture, Folders, Monkeypatch, Ours, Unable, built_in, need

_MOST_ROWS = 8


class _Raises(Ours):
    """`pytest.raises` and `assertRaises`, as contexts."""

    def __init__(self, expected: Any, match: Any = None) -> None:
        self._expected, self._match = expected, match
        self.value: Any = None

    def __enter__(self) -> _Raises:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        need(kind is not None, "nothing is raised, where a test expects an error")
        if not issubclass(kind, self._expected):
            return False
        self.value = self.exception = value
        self.type = self.typename = kind
        self.typename = kind.__name__
        if self._match is not None:
            need(re.search(self._match, str(value)), f"the error says {value}")
        return True

    def match(self, pattern: Any) -> bool:
        need(re.search(pattern, str(self.value)), f"the error says {self.value}")
        return True


def _raises(expected: Any, *called: Any, match: Any = None, **named: Any) -> Any:
    context = _Raises(expected, match)
    if not called or called[0] is None:
        return context
    with context:
        called[0](*called[1:], **named)
    return context


class _Approximately:
    """`pytest.approx` where it is not decided outside."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expected: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> None:
        self._expected, self._rel, self._abs = expected, 1e-6 if rel is None else rel, 1e-12 if abs is None else abs

    def __eq__(self, other: object) -> bool:
        return self._near(self._expected, other)

    def _near(self, expected: Any, other: Any) -> bool:
        if isinstance(expected, Mapping):
            return expected.keys() == other.keys() and all(self._near(expected[key], other[key]) for key in expected)
        if isinstance(expected, list | tuple):
            return len(expected) == len(other) and all(map(self._near, expected, other))
        if isinstance(expected, int | float | complex) and isinstance(other, int | float | complex):
            return bool(expected == other or abs(expected - other) <= max(self._rel * abs(expected), self._abs))
        return bool(expected == other)


class _Marks:
    def __getattr__(self, name: str) -> Any:
        def mark(*given: Any, **named: Any) -> Any:
            if name == "parametrize":
                return lambda function: _with_rows(function, *given, **named)
            if name == "skipif" and not (given and given[0]):
                return lambda function: function
            if name in ("skip", "skipif", "xfail", "usefixtures"):
                return _unfit
            if len(given) == 1 and not named and (inspect.isfunction(given[0]) or inspect.isclass(given[0])):
                return given[0]
            return lambda function: function

        return mark


def _unfit(function: Any) -> Any:
    function._is_unfit = True
    return function


def _with_rows(function: Any, names: Any, rows: Any, **_: Any) -> Any:
    words = [word.strip() for word in names.split(",")] if isinstance(names, str) else [*names]
    single = isinstance(names, str) and len(words) == 1
    made = []
    for row in rows:
        values = [*row] if isinstance(row, _Row) or not single else [row]
        made.append(dict(zip(words, values)))  # noqa: B905
    function._rows = [*getattr(function, "_rows", []), made]
    return function


class _Row(tuple):  # type: ignore[type-arg]
    """`pytest.param`."""


def _param(*values: Any, marks: Any = (), id: Any = None) -> _Row:
    if marks:
        raise Unable
    return _Row(values)


def _fixture(*given: Any, params: Any = None, autouse: bool = False, name: Any = None, **_: Any) -> Any:
    def made(function: Any) -> Any:
        function._fixture, function._autouse, function._params = name or function.__name__, autouse, params
        return function

    return made(given[0]) if given else made


def _refuse(*_: Any, **__: Any) -> Any:
    raise Unable


class _Framework(Ours):
    """What stands in the place of the module `pytest`."""

    raises, approx, fixture, param, mark = (
        staticmethod(_raises),
        _Approximately,
        staticmethod(_fixture),
        _param,
        _Marks(),
    )
    skip = xfail = importorskip = staticmethod(_refuse)
    param = staticmethod(_param)
    MonkeyPatch, FixtureRequest, CaptureFixture, TempPathFactory = Monkeypatch, Asked, Capture, Folders

    @staticmethod
    def fail(reason: str = "", pytrace: bool = True) -> None:
        need(False, reason)


class _Case(Ours):
    """What stands in the place of `unittest.TestCase`."""

    maxDiff = None

    def __init__(self, *_: Any) -> None:
        self._cleanups: list[Any] = []

    setUp = tearDown = asyncSetUp = asyncTearDown = setup_method = teardown_method = staticmethod(lambda: None)
    setUpClass = setup_class = staticmethod(lambda: None)

    def addCleanup(self, function: Any, *given: Any, **named: Any) -> None:
        self._cleanups.append(lambda: function(*given, **named))

    addAsyncCleanup = skipTest = staticmethod(_refuse)

    def subTest(self, *_: Any, **__: Any) -> Any:
        return contextlib.nullcontext()

    def fail(self, said: Any = "") -> None:
        need(False, said)

    def assertRaises(self, expected: Any, *called: Any, **named: Any) -> Any:
        named.pop("msg", None)
        return _raises(expected, *called, **named)

    def assertRaisesRegex(self, expected: Any, pattern: Any, *called: Any, **named: Any) -> Any:
        return _raises(expected, *called, match=pattern, **named)

    def assertCountEqual(self, one: Any, other: Any, msg: Any = None) -> None:
        left = [*other]
        for each in one:
            need(each in left, msg)
            left.remove(each)
        need(not left, msg)

    def assertAlmostEqual(self, one: Any, other: Any, places: Any = 7, msg: Any = None, delta: Any = None) -> None:
        near = abs(one - other) <= delta if delta is not None else round(abs(one - other), places) == 0
        need(one == other or near, msg)


_DECIDED: dict[str, Callable[..., object]] = {
    **dict.fromkeys(("assertEqual", "assertListEqual", "assertDictEqual", "assertTupleEqual"), operator.eq),
    **dict.fromkeys(("assertSetEqual", "assertSequenceEqual", "assertMultiLineEqual"), operator.eq),
    "assertNotEqual": operator.ne, "assertLess": operator.lt, "assertLessEqual": operator.le,
    "assertGreater": operator.gt, "assertGreaterEqual": operator.ge, "assertIs": operator.is_,
    "assertIsNot": operator.is_not, "assertIn": lambda a, b: a in b, "assertNotIn": lambda a, b: a not in b,
    "assertIsInstance": isinstance, "assertNotIsInstance": lambda a, b: not isinstance(a, b),
    "assertRegex": lambda a, b: re.search(b, a), "assertNotRegex": lambda a, b: not re.search(b, a),
    "assertTrue": lambda a: a, "assertFalse": operator.not_, "assertIsNone": lambda a: a is None,
    "assertIsNotNone": lambda a: a is not None,
}  # fmt: skip


def _deciding(holds: Callable[..., object]) -> Callable[..., None]:
    count = 1 if holds is operator.not_ else getattr(getattr(holds, "__code__", None), "co_argcount", 2)

    def decide(self: _Case, *values: Any, msg: Any = None) -> None:
        need(holds(*values[:count]), msg)

    return decide


for _name, _holds in _DECIDED.items():
    setattr(_Case, _name, _deciding(_holds))


class _Cases(Ours):
    """What stands in the place of the module `unittest`."""

    TestCase = IsolatedAsyncioTestCase = _Case
    skip = skipIf = skipUnless = expectedFailure = staticmethod(_refuse)

    @property
    def mock(self) -> Any:
        return __import__("unittest.mock").mock


logging.getLogger().addHandler(logging.NullHandler())  # a framework takes what is logged; else it would be printed


def run(names: dict[str, Any], test: str, pause: Callable[[], None] | None = None) -> None:
    """Run the test `test`, `name` or `Class.name`, of a program with these names: once for each row, but not too
    many. `pause`: waits between what is prepared and the test, if anything is."""
    owner, _, name = test.rpartition(".")
    function = getattr(names[owner], name) if owner else names[test]
    if getattr(function, "_is_unfit", False) or (owner and getattr(names[owner], "_is_unfit", False)):
        raise Unable
    rows = [*getattr(function, "_rows", []), *(getattr(names[owner], "_rows", []) if owner else [])]
    for chosen in itertools.islice(itertools.product(*rows), _MOST_ROWS):
        given = {key: value for row in chosen for key, value in row.items()}
        pause = _run_once(names, owner, name, given, pause)


def _run_once(
    names: dict[str, Any], owner: str, name: str, given: dict[str, Any], pause: Callable[[], None] | None
) -> Callable[[], None] | None:
    """What is still to be waited for."""
    ends: list[Callable[[], Any]] = []
    known = {
        each._fixture: each for each in [*names.values()] if inspect.isfunction(each) and hasattr(each, "_fixture")
    }
    kind = names[owner] if owner else None
    one = kind() if kind else None
    made: dict[str, Any] = {}
    if one is not None:
        for each in dir(kind):
            found = inspect.getattr_static(kind, each)
            if inspect.isfunction(found) and hasattr(found, "_fixture"):
                known[found._fixture] = getattr(one, each)

    def value_of(wanted: str) -> Any:
        if wanted in given:
            return given[wanted]
        if wanted not in made:
            made[wanted] = built_in(wanted, ends) if wanted not in known else _made(known[wanted], value_of, ends)
        return made[wanted]

    try:
        if one is not None:
            for early in ("setUpClass", "setup_class"):
                _called(getattr(kind, early, None))
        for fixture, function in known.items():
            if getattr(function, "_autouse", False):
                value_of(fixture)
        for early in ("setUp", "asyncSetUp", "setup_method"):
            _called(getattr(one, early, None) if one is not None else None)
        target = getattr(one, name) if one is not None else names[name]
        values = {wanted: value_of(wanted) for wanted in _wanted(target)}
        if pause and (made or one is not None):
            pause()
            pause = None  # once is enough
        _finished(target(**values))
    finally:
        for late in ("tearDown", "asyncTearDown", "teardown_method"):
            _called(getattr(one, late, None) if one is not None else None)
        for end in [*ends, *getattr(one, "_cleanups", [])][::-1]:
            end()
    return pause


def _called(function: Any) -> None:
    if function is not None:
        _finished(function(*(None for _ in _wanted(function))))


def _finished(found: Any) -> None:
    if inspect.iscoroutine(found):
        import asyncio  # it takes long

        asyncio.run(found)


def _wanted(function: Any) -> list[str]:
    """Names that pytest would look for; `mock.patch` gives some itself."""
    if hasattr(function, "patchings"):
        raise Unable
    return [
        each.name for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]  # fmt: skip


def _made(function: Any, value_of: Callable[[str], Any], ends: list[Callable[[], Any]]) -> Any:
    asked = Asked(next(iter(function._params)) if function._params else None)
    found = function(**{each: asked if each == "request" else value_of(each) for each in _wanted(function)})
    if inspect.isasyncgen(found) or inspect.iscoroutine(found):
        raise Unable
    if not inspect.isgenerator(found):
        return found
    value = next(found)
    ends.append(lambda: [*found])
    return value


def given() -> Iterator[tuple[str, Any]]:
    """The names of modules, and what stands in their place."""
    yield "pytest", _Framework()
    yield "unittest", _Cases()
