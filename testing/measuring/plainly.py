"""Runs a test as a plain program would run its lines: the few things that tests ask of pytest and unittest, made anew.

`outside.py` takes the assertions out of a test and leaves a call in their place, which tells what they are about. What
is left of the test needs fixtures, rows of parameters, `raises` and the like. Its text is executed in the program of
`calls.py`, with no module and no file of its own. What it does not have ends the test as `Unable`, which says nothing.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import logging
import operator
import os
import pathlib
import re
import shutil
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_MOST_ROWS = 8
_MISSING: Any = object()


class Unable(BaseException):
    """This test needs something that a plain program does not have."""


class Wrong(AssertionError):
    """An assertion that is decided here is false."""


class _Ours:
    """What has not all that the real one has."""

    def __getattr__(self, name: str) -> Any:
        raise Unable


def _need(holds: object, said: object = "") -> None:
    if not holds:
        raise Wrong(str(said)[:200] or "an assertion of the test's is false")


class _Raises(_Ours):
    """`pytest.raises` and `assertRaises`, as contexts."""

    def __init__(self, expected: Any, match: Any = None) -> None:
        self._expected, self._match = expected, match
        self.value: Any = None

    def __enter__(self) -> _Raises:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool:
        _need(kind is not None, "nothing is raised, where a test expects an error")
        if not issubclass(kind, self._expected):
            return False
        self.value = self.exception = value
        self.type = self.typename = kind
        self.typename = kind.__name__
        if self._match is not None:
            _need(re.search(self._match, str(value)), f"the error says {value}")
        return True

    def match(self, pattern: Any) -> bool:
        _need(re.search(pattern, str(self.value)), f"the error says {self.value}")
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


class _Monkeypatch(_Ours):
    """`monkeypatch`, as far as it sets things."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def setattr(self, target: Any, name: Any, value: Any = _MISSING, raising: bool = True) -> None:
        if value is _MISSING:
            value, (path, _, name) = name, target.rpartition(".")
            target = _resolved(path)
        old = vars(target).get(name, _MISSING) if inspect.isclass(target) else getattr(target, name, _MISSING)
        _need(old is not _MISSING or hasattr(target, name) or not raising, name)
        self._undo.append(lambda: delattr(target, name) if old is _MISSING else setattr(target, name, old))
        setattr(target, name, value)

    def delattr(self, target: Any, name: str = "", raising: bool = True) -> None:
        if isinstance(target, str):
            target, _, name = target.rpartition(".")
            target = _resolved(target)
        if hasattr(target, name):
            old = getattr(target, name)
            self._undo.append(lambda: setattr(target, name, old))
            delattr(target, name)

    def setitem(self, target: Any, name: Any, value: Any) -> None:
        old = target.get(name, _MISSING)
        self._undo.append(lambda: target.pop(name, None) if old is _MISSING else target.__setitem__(name, old))
        target[name] = value

    def delitem(self, target: Any, name: Any, raising: bool = True) -> None:
        if name in target:
            old = target.pop(name)
            self._undo.append(lambda: target.__setitem__(name, old))

    def setenv(self, name: str, value: Any, prepend: Any = None) -> None:
        self.setitem(os.environ, name, f"{value}{prepend}{os.environ.get(name, '')}" if prepend else str(value))

    def delenv(self, name: str, raising: bool = True) -> None:
        self.delitem(os.environ, name)

    def chdir(self, path: Any) -> None:
        old = os.getcwd()  # noqa: PTH109
        self._undo.append(lambda: os.chdir(old))
        os.chdir(path)

    def syspath_prepend(self, path: Any) -> None:
        old = [*sys.path]
        self._undo.append(lambda: sys.path.__setitem__(slice(None), old))
        sys.path.insert(0, str(path))

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


def _resolved(path: str) -> Any:
    parts = path.split(".")
    for place in range(len(parts), 0, -1):
        try:
            found = __import__(".".join(parts[:place]))
        except ImportError:
            continue
        for part in parts[1:]:
            found = getattr(found, part)
        return found
    raise Unable


_Captured = namedtuple("_Captured", "out err")


class _Capture(_Ours):
    """`capsys`."""

    def __init__(self) -> None:
        self._old = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
        # As where nothing is captured, they are what the program began with.
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self._new = io.StringIO(), io.StringIO()  # type: ignore[misc, assignment]

    def readouterr(self) -> Any:
        told = _Captured(*(stream.getvalue() for stream in self._new))
        for stream in self._new:
            stream.truncate(0)
            stream.seek(0)
        return told

    def end(self) -> None:
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = self._old  # type: ignore[misc]


class _CaptureOfFiles(_Ours):
    """`capfd`."""

    def __init__(self) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self._old = [os.dup(number) for number in (1, 2)]
        for number, file in enumerate(self._files, 1):
            os.dup2(file.fileno(), number)

    def readouterr(self) -> Any:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        told = []
        for file in self._files:
            file.seek(0)
            told.append(file.read().decode("utf-8", "replace").replace("\r\n", "\n"))
            file.seek(0)
            file.truncate()
        return _Captured(*told)

    def end(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, old in enumerate(self._old, 1):
            os.dup2(old, number)
            os.close(old)


class _Subtests(_Ours):
    """`subtests`."""

    def test(self, *_: Any, **__: Any) -> Any:
        return contextlib.nullcontext()


class _Folders(_Ours):
    """`tmp_path_factory`."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def mktemp(self, name: str, numbered: bool = True) -> pathlib.Path:
        self.made.append(tempfile.mkdtemp())
        folder = pathlib.Path(self.made[-1], name)
        folder.mkdir()
        return folder

    def end(self) -> None:
        for folder in self.made:
            shutil.rmtree(folder, ignore_errors=True)


class _Asked(_Ours):
    """`request`, as far as it has a parameter."""

    def __init__(self, param: Any) -> None:
        self.param = param


def _refuse(*_: Any, **__: Any) -> Any:
    raise Unable


class _Framework(_Ours):
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
    MonkeyPatch, FixtureRequest, CaptureFixture, TempPathFactory = _Monkeypatch, _Asked, _Capture, _Folders

    @staticmethod
    def fail(reason: str = "", pytrace: bool = True) -> None:
        _need(False, reason)


class _Case(_Ours):
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
        _need(False, said)

    def assertRaises(self, expected: Any, *called: Any, **named: Any) -> Any:
        named.pop("msg", None)
        return _raises(expected, *called, **named)

    def assertRaisesRegex(self, expected: Any, pattern: Any, *called: Any, **named: Any) -> Any:
        return _raises(expected, *called, match=pattern, **named)

    def assertCountEqual(self, one: Any, other: Any, msg: Any = None) -> None:
        left = [*other]
        for each in one:
            _need(each in left, msg)
            left.remove(each)
        _need(not left, msg)

    def assertAlmostEqual(self, one: Any, other: Any, places: Any = 7, msg: Any = None, delta: Any = None) -> None:
        near = abs(one - other) <= delta if delta is not None else round(abs(one - other), places) == 0
        _need(one == other or near, msg)


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
        _need(holds(*values[:count]), msg)

    return decide


for _name, _holds in _DECIDED.items():
    setattr(_Case, _name, _deciding(_holds))


class _Cases(_Ours):
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
            made[wanted] = _built_in(wanted, ends) if wanted not in known else _made(known[wanted], value_of, ends)
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
    asked = _Asked(next(iter(function._params)) if function._params else None)
    found = function(**{each: asked if each == "request" else value_of(each) for each in _wanted(function)})
    if inspect.isasyncgen(found) or inspect.iscoroutine(found):
        raise Unable
    if not inspect.isgenerator(found):
        return found
    value = next(found)
    ends.append(lambda: [*found])
    return value


def _built_in(name: str, ends: list[Callable[[], Any]]) -> Any:
    match name:
        case "tmp_path" | "tmp_path_factory":
            folders = _Folders()
            ends.append(folders.end)
            return folders.mktemp("made") if name == "tmp_path" else folders
        case "monkeypatch":
            patch = _Monkeypatch()
            ends.append(patch.undo)
            return patch
        case "capsys" | "capfd":
            capture = _Capture() if name == "capsys" else _CaptureOfFiles()
            ends.append(capture.end)
            return capture
        case "subtests":
            return _Subtests()
    raise Unable


def given() -> Iterator[tuple[str, Any]]:
    """The names of modules, and what stands in their place."""
    yield "pytest", _Framework()
    yield "unittest", _Cases()
