"""One imported name, and what an import means in a given module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

_SAME_HOME = frozenset({"typing", "typing_extensions", "collections.abc"})
"""A name of one of these may stand for the name of another."""


@dataclass(frozen=True)
class Imported:
    """`from <level dots><module> import <name> as <alias>`; `name` None is `import <module> as <alias>`."""

    level: int
    module: str
    name: str | None
    alias: str | None

    @property
    def bound(self) -> str:
        """The name it binds, `*` for a star import."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def source(self) -> str:
        """Module part of a `from` statement, dots included."""
        return "." * self.level + self.module

    @property
    def item(self) -> str:
        """What stands after `import`."""
        what = self.name or self.module
        return f"{what} as {self.alias}" if self.alias else what

    def same_as(self, other: Imported) -> bool:
        """Whether both bind the same thing to the same name."""
        if self == other:
            return True
        homes = {self.module, other.module}
        return self.name == other.name is not None and self.bound == other.bound and homes <= _SAME_HOME


def imports_of(nodes: Iterable[ast.stmt]) -> list[Imported]:
    """All names imported by `nodes`, those under `if` and `try` included, functions and classes not."""
    found: list[Imported] = []
    for node in nodes:
        match node:
            case ast.Import(names=names):
                found += [Imported(0, alias.name, None, alias.asname) for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                found += [Imported(level, module or "", alias.name, alias.asname) for alias in names]
            case ast.If(body=body, orelse=orelse):
                found += imports_of([*body, *orelse])
            case ast.Try(body=body, handlers=handlers, orelse=orelse):
                found += imports_of([*body, *(item for handler in handlers for item in handler.body), *orelse])
            case _:
                pass
    return found


class ModuleIdentity:
    """The names under which a file may be imported, judged by its path: `src/shop/cart.py` is `shop.cart`, `cart`."""

    def __init__(self, path: str) -> None:
        parts = list(PurePosixPath(path).with_suffix("").parts)
        self.is_package = bool(parts) and parts[-1] == "__init__"
        if self.is_package:
            parts.pop()
        self._parts = parts
        tails = [parts[start:] for start in range(len(parts))]
        self._own = {".".join(tail) for tail in tails}
        if len(parts) > 1 and parts[0] not in {"src", "lib"}:
            self._own -= {parts[-1]} & sys.stdlib_module_names
        self._packages = {".".join(tail[:end]) for tail in tails for end in range(1, len(tail))}

    def is_self_import(self, imported: Imported, defined: Collection[str]) -> bool:
        """Whether a `from` import takes from this very module.

        Also true for a name in `defined` (what this module defines) taken from a package above it or from a module
        outside the standard library: models write `from your_module import f` beside `f`.
        """
        if imported.name is None:
            return False
        absolute = self._absolute(imported)
        if absolute in self._own:
            return True
        if imported.name not in defined:
            return False
        return absolute in self._packages or absolute.partition(".")[0] not in sys.stdlib_module_names

    def _absolute(self, imported: Imported) -> str:
        if imported.level == 0:
            return imported.module
        up = imported.level - (1 if self.is_package else 0)
        base = self._parts[: len(self._parts) - up] if up else self._parts
        return ".".join([*base, *([imported.module] if imported.module else [])])
