"""What a plain program gives to tests in the place of a framework's own fixtures; see `plainly.py`."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import pathlib
import shutil
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable
from typing import Any

_MISSING: Any = object()


class Unable(BaseException):
    """This test needs something that a plain program does not have."""


class Wrong(AssertionError):
    """An assertion that is decided here is false."""


class Ours:
    """What has not all that the real one has."""

    def __class_getitem__(cls, _: object) -> type:
        """As generic as the real one, such as `pytest.CaptureFixture[str]` in a signature."""
        return cls

    def __getattr__(self, name: str) -> Any:
        raise Unable


def need(holds: object, said: object = "") -> None:
    if not holds:
        raise Wrong(str(said)[:200] or "an assertion of the test's is false")


class Monkeypatch(Ours):
    """`monkeypatch`, as far as it sets things."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def setattr(self, target: Any, name: Any, value: Any = _MISSING, raising: bool = True) -> None:
        if value is _MISSING:
            value, (path, _, name) = name, target.rpartition(".")
            target = _resolved(path)
        old = vars(target).get(name, _MISSING) if inspect.isclass(target) else getattr(target, name, _MISSING)
        need(old is not _MISSING or hasattr(target, name) or not raising, name)
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


class Capture(Ours):
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


class _CaptureOfFiles(Ours):
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


class _Subtests(Ours):
    """`subtests`."""

    def test(self, *_: Any, **__: Any) -> Any:
        return contextlib.nullcontext()


class Folders(Ours):
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


class Asked(Ours):
    """`request`, as far as it has a parameter."""

    def __init__(self, param: Any) -> None:
        self.param = param


def built_in(name: str, ends: list[Callable[[], Any]]) -> Any:
    match name:
        case "tmp_path" | "tmp_path_factory":
            folders = Folders()
            ends.append(folders.end)
            return folders.mktemp("made") if name == "tmp_path" else folders
        case "monkeypatch":
            patch = Monkeypatch()
            ends.append(patch.undo)
            return patch
        case "capsys" | "capfd":
            capture = Capture() if name == "capsys" else _CaptureOfFiles()
            ends.append(capture.end)
            return capture
        case "subtests":
            return _Subtests()
    raise Unable
