"""Notices when the code under test changes the test framework or Python's builtins, which it runs beside.

What stands in a place at the end must be what stood there before; another function of the framework's own is a change,
too. The guard ignores what an installed package, a test or a conftest.py has put there, which no developer may write.
Afterwards only the origin of a function shows, not who has put it there; so what was done before any code of the
project was imported counts as having stood there from the start. Code that knows of the guard can get around it; it
makes the known ways fail.
"""

from __future__ import annotations

import builtins
import importlib
import os
import re
import sys
from collections.abc import Collection, Iterator
from types import CodeType, ModuleType

_TESTS = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)")
_PACKAGES = re.compile(r"/(?:site|dist)-packages/")
_MOST_WRAPPERS = 10
_Seen = tuple[object, CodeType | None, object, tuple[object, ...]]


class Guard:
    """What the framework's functions and classes were before any code of the project was imported."""

    watches = False
    """Whether the change is watched for looks: then nothing of the framework is left that code could look for."""

    def __init__(self, watched: Collection[str]) -> None:
        """`watched`: names of the framework's top-level modules; they are imported here."""
        self._project = os.getcwd() + "/"  # noqa: PTH109
        self._names = frozenset(watched)
        homes = [_home(importlib.import_module(name)) for name in sorted(watched)]
        self._homes = tuple(home for home in homes if home)
        self._python = os.path.dirname(os.__file__) + "/"  # noqa: PTH120
        self._tests: dict[str, tuple[object, CodeType]] = {}
        self._owners: dict[str, object] = {}
        self._remember()
        self._first = self._last

    def watch(self, name: str, function: object) -> None:
        """Watch a test's function, too."""
        if (code := _code(function)) is not None:
            self._tests[name] = (function, code)

    def settle(self) -> None:
        """Take what stands there now as what stood there before, unless code of the project has been imported."""
        if not any(self._is_own(_file(module)) for module in list(sys.modules.values())):
            self._remember()

    def changes(self) -> list[str]:
        """Names that the project's code has replaced."""
        now = self._seen()
        replaced = [name for name, (function, code) in self._tests.items() if _code(function) is not code]
        return replaced + [name for name in self._first | self._last | now if self._is_change(name, now.get(name))]

    def _remember(self) -> None:
        found = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in self._names]
        self._modules = [builtins, *found]
        self._last = self._seen()
        self._known = {id(known) for known in (*self._modules, *(value for value, *_ in self._last.values()))}

    def _is_change(self, name: str, now: _Seen | None) -> bool:
        # A plugin may take back at the end what it has changed at the start.
        before = (self._first.get(name), self._last.get(name))
        if any(_same(now, former) for former in before) or not (any(before) or self._shadows(name)):
            return False
        if now is None:
            return True
        if name.startswith("builtins.") and type(now[0]).__module__ == "unittest.mock":
            return False  # most often a test's patch of `open` or `print` that nobody has stopped
        origins = list(_origins(now))
        if any(self._is_own(origin) for origin in origins):
            return True
        return not any(self._is_others(origin) for origin in origins)

    def _shadows(self, name: str) -> bool:
        """Whether a new name is found in the place of an inherited one, or of a builtin; not in a new class."""
        owner, last = self._owners[name], name.rpartition(".")[2]
        if owner is builtins or id(owner) not in self._known:
            return False  # a new name in builtins, such as the `_` of gettext, shadows nothing
        homes = owner.__mro__[1:] if isinstance(owner, type) else [builtins]
        return any(last in vars(home) for home in homes)

    def _is_others(self, file: str) -> bool:
        """Whether it is a file of a test, or of an installed package that is not watched."""
        if file.startswith(self._project):
            return True  # a test's: the project's own were looked for before
        inside = file.startswith(self._python) and not _PACKAGES.search(file)
        # A function made by exec names no file.
        return os.path.isabs(file) and not inside and not file.startswith(self._homes)  # noqa: PTH117

    def _is_own(self, file: str) -> bool:
        """Whether it is a file of the project's and no test."""
        return file.startswith(self._project) and not _TESTS.search(file[len(self._project) :])

    def _seen(self) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        for module in self._modules:
            if isinstance(module, ModuleType):
                for name, value in list(vars(module).items()):
                    for inner, part in _parts(value, module):
                        full = f"{module.__name__}.{name}{inner}"
                        found[full], self._owners[full] = part, value if inner else module
        return found


def _parts(value: object, module: ModuleType) -> Iterator[tuple[str, _Seen]]:
    """What can be called: a function with its code, a class of this module and its members."""
    if callable(value):
        yield "", _look(value)
    if isinstance(value, type) and value.__module__ == module.__name__ and module is not builtins:
        for name, member in list(vars(value).items()):
            if callable(member) or _code(member) is not None:
                yield f".{name}", _look(member)


def _same(one: _Seen | None, other: _Seen | None) -> bool:
    """Compared by `is`: == could be the project's own."""
    if one is None or other is None:
        return one is other
    *parts, by_name = one
    *formers, by_name_before = other
    parts, formers = [*parts, *by_name], [*formers, *by_name_before]
    return len(parts) == len(formers) and all(part is former for part, former in zip(parts, formers, strict=True))


def _look(value: object) -> _Seen:
    code = _code(value)
    if not code:
        return value, None, None, ()
    function = _function(value)
    by_name = getattr(function, "__kwdefaults__", None)
    pairs = list(by_name.items()) if isinstance(by_name, dict) else []
    return value, code, getattr(function, "__defaults__", None), tuple(part for pair in pairs for part in pair)


def _function(value: object) -> object:
    return getattr(value, "__func__", None) or getattr(value, "fget", None) or value


def _code(value: object) -> CodeType | None:
    code = getattr(_function(value), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _origins(seen: _Seen) -> Iterator[str]:
    """The files of what stands there, and of what is wrapped in it."""
    value, code, *_ = seen
    for _ in range(_MOST_WRAPPERS):
        yield code.co_filename if code else _file(sys.modules.get(getattr(value, "__module__", None) or ""))
        value = getattr(_function(value), "__wrapped__", None)
        code = _code(value)
        if value is None:
            return


def _file(module: object) -> str:
    """A module's file; a module that is loaded when it is used is not loaded for it."""
    return (
        str(object.__getattribute__(module, "__dict__").get("__file__") or "") if isinstance(module, ModuleType) else ""
    )


def _home(module: ModuleType) -> str:
    """A module's file, or the folder of a package."""
    return _file(module).removesuffix("__init__.py")
