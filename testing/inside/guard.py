"""Notices when the code under test changes the test framework or Python's builtins, which it runs beside.

It ignores a change by an installed plugin, or by a test or a conftest.py, which no developer may write. Code that knows
of it can get around it; it makes the known ways fail.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
from collections.abc import Iterator
from types import CodeType, ModuleType

_WATCHED = re.compile(r"(?:_pytest|pytest|pluggy|unittest|xmlrunner)(?:\.|$)")
_TESTS = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)")
_Seen = tuple[object, CodeType | None]


class Guard:
    """What the framework's functions and classes were before any code of the project was imported."""

    def __init__(self) -> None:
        self._project = os.getcwd() + "/"  # noqa: PTH109
        self._modules = [builtins, *(module for name, module in list(sys.modules.items()) if _WATCHED.match(name))]
        self._before = self._seen()
        self._watched: dict[str, _Seen] = {}

    def watch(self, name: str, function: object) -> None:
        """Watch a test's function, too."""
        if (code := _code(function)) is not None:
            self._watched[name] = (function, code)

    def changes(self) -> list[str]:
        """Names that the project's code has replaced."""
        now = self._seen()
        replaced = [name for name, (function, code) in self._watched.items() if _code(function) is not code]
        return replaced + [
            name for name, seen in self._before.items() if now.get(name) != seen and self._foreign(now.get(name))
        ]

    def _foreign(self, seen: _Seen | None) -> bool:
        """Whether what stands there now is the project's own, or of unknown origin."""
        origin = _origin(seen) if seen else None
        if origin is None:
            return True
        if not os.path.isabs(origin):  # noqa: PTH117
            return True  # made by exec
        inside = origin.startswith(self._project)
        return inside and not _TESTS.search(origin[len(self._project) :])

    def _seen(self) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        for module in self._modules:
            if isinstance(module, ModuleType):
                for name, value in list(vars(module).items()):
                    for inner, part in _parts(value, module):
                        found[f"{module.__name__}.{name}{inner}"] = part
        return found


def _parts(value: object, module: ModuleType) -> Iterator[tuple[str, _Seen]]:
    """A function with its code; a class of this module and its members."""
    if callable(value):
        yield "", (value, _code(value))
    if isinstance(value, type) and value.__module__ == module.__name__ and module is not builtins:
        for name, member in list(vars(value).items()):
            if _code(member) is not None:
                yield f".{name}", (member, _code(member))


def _code(value: object) -> CodeType | None:
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
    code = getattr(inner, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _origin(seen: _Seen) -> str | None:
    value, code = seen
    if code is not None:
        return code.co_filename
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return getattr(module, "__file__", None)
