"""Finds what a change has put in the place of functions of Python's standard library, which tests use, too.

A file that `json.load` reads back says nothing if the change has replaced `json.load`. What stood there before any code
of the project was imported is noted; of modules that are loaded later, their own code tells which names they have. Data
(caches, registries, settings, contexts), new names beside the old, hooks that are there to be set, and what tests,
plugins or mocks put there is no replacement: what stands there now must be made in lines that the change has brought.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_TO_BE_SET = re.compile(
    r"(?:\w*hook|showwarning|formatwarning|_showwarnmsg|_formatwarnmsg|_loggerClass|_logRecordFactory|lastResort|_opener"
    r"|_event_loop_policy|std(?:in|out|err)|__std(?:in|out|err)__|raiseExceptions|_create_default_https_context|ps[12])$"
)
"""Names that programs are meant to give a value of their own, most by a function that the library has for it."""
_LIBRARY = {*sys.stdlib_module_names} - {"__main__", "unittest", "antigravity", "this"}


class Library:
    """What the standard library's modules and classes hold, as far as they are loaded."""

    def __init__(self) -> None:
        self._before: dict[int, dict[str, Any]] = {}
        for module in _modules():
            self._before[id(module)] = {**vars(module)}
            for value in [*vars(module).values()]:
                if isinstance(value, type) and id(value) not in self._before:
                    self._before[id(value)] = {**vars(value)}

    def replaced(self, is_new: Callable[[FunctionType], bool]) -> str:
        """By which line what is replaced; empty if nothing is. `is_new`: whether the change has brought a function."""
        for module in _modules():
            for owner, name, value in _held(module):
                if self._before.get(id(owner), {}).get(name) is value or _TO_BE_SET.match(name):
                    continue
                for function in _functions(value):
                    if is_new(function) and self._stood(module, owner, name):
                        code = function.__code__
                        kind = owner if isinstance(owner, type) else type(owner)
                        inner = "" if kind is ModuleType else f".{kind.__name__}"
                        return f"{code.co_filename}:{code.co_firstlineno}: {module.__name__}{inner}.{name} is replaced"
        return ""

    def _stood(self, module: ModuleType, owner: object, name: str) -> bool:
        """Whether there was something of this name: else it is new, as `logging.trace` is in many programs."""
        if id(owner) in self._before:
            return name in self._before[id(owner)] or any(
                name in vars(base) for base in getattr(owner, "__mro__", ())[1:]
            )
        if not isinstance(owner, ModuleType | type):
            return True  # a method of an instance, which its class has
        code = _code_of(module)
        if code is None:
            return True  # written in C
        if isinstance(owner, type):
            found = next((each for each in code.co_consts if getattr(each, "co_name", "") == owner.__name__), None)
            return found is not None and name in found.co_names
        return name in code.co_names


def _modules() -> list[ModuleType]:
    found = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] in _LIBRARY]
    return [module for module in found if type(module) is ModuleType]


def _held(module: ModuleType) -> Iterator[tuple[Any, str, Any]]:
    """What a module, its classes and the objects that it has made hold by name."""
    for name, value in [*vars(module).items()]:
        yield module, name, value
        of_module = getattr(type(value), "__module__", "")
        if isinstance(value, type):
            if value.__module__ == module.__name__:
                yield from ((value, inner, part) for inner, part in [*vars(value).items()])
        elif of_module == module.__name__ or of_module.startswith(f"{module.__name__}."):
            parts = getattr(value, "__dict__", None)
            for inner, part in [*parts.items()] if type(parts) is dict else ():
                if callable(getattr(type(value), inner, None)) or inner in _own_slots(value):
                    yield value, inner, part


def _own_slots(value: object) -> tuple[str, ...]:
    """Names that an object has from its own `__init__`, such as a decoder's `decode` or `scan_once`."""
    code = getattr(getattr(type(value), "__init__", None), "__code__", None)
    return code.co_names if isinstance(code, CodeType) else ()


def _functions(value: Any) -> Iterator[FunctionType]:
    """The functions that something which can be called is made of."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, functools.partial):
        value = value.func
    if isinstance(value, MethodType):
        value = value.__func__
    if isinstance(value, FunctionType):
        yield value
        return
    kind = value if isinstance(value, type) else type(value)
    if not isinstance(value, ModuleType) and kind.__module__.partition(".")[0] not in _LIBRARY:
        yield from (each for each in vars(kind).values() if isinstance(each, FunctionType))


def _code_of(module: ModuleType) -> CodeType | None:
    loader = getattr(module, "__loader__", None)
    try:
        code = loader.get_code(module.__name__) if loader is not None else None
    except (AttributeError, ImportError, OSError, SyntaxError):
        return None
    return code if isinstance(code, CodeType) else None
