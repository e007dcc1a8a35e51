"""Imports of a Python module: finds them and adds some."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from file_system.edits.source import Element, Splice, spliced, with_element
from file_system.syntax import newline_of, split_lines

_SAME_HOME = frozenset({"typing", "typing_extensions", "collections.abc"})
"""A name of one of these may stand for the name of another."""
_LONGEST_LINE = 88


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


def with_imports(text: str, wanted: Iterable[Imported]) -> str:
    """`text` with `wanted`, none of which it has yet.

    A name goes into an existing `from … import` of the same module where that stays on one line or has a line for each
    name; otherwise a new line stands with the imports of its kind (`__future__`, standard library, others, relative).
    """
    for imported in wanted:
        lines = split_lines(text)
        tree = ast.parse(text)
        header = _header(tree)
        statement = _extendable(lines, header, imported)
        if statement is not None:
            splice = with_element(lines, import_elements(statement), imported.item, imported.item)
        else:
            splice = _new_line(lines, tree, header, imported, newline_of(text))
        text = spliced(lines, [splice])
    return text


def statement_for(imported: Imported) -> str:
    """The import statement for one name."""
    if imported.name is None:
        return f"import {imported.item}"
    return f"from {imported.source} import {imported.item}"


def import_elements(statement: ast.ImportFrom) -> list[Element]:
    """The names of a `from … import` statement with their places."""
    return [
        Element(alias.name, alias.lineno, alias.col_offset, alias.end_lineno or 0, alias.end_col_offset or 0)
        for alias in statement.names
    ]


def _header(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Top-level imports above the first definition."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
    return found


def _extendable(lines: Sequence[str], header: Sequence[ast.stmt], imported: Imported) -> ast.ImportFrom | None:
    for node in header:
        if not isinstance(node, ast.ImportFrom) or imported.name in {None, "*"}:
            continue
        if (node.level, node.module or "") != (imported.level, imported.module) or node.names[0].name == "*":
            continue
        text = lines[node.lineno - 1].rstrip("\r\n")
        single = node.lineno == node.end_lineno
        if single and (len(text) + len(imported.item) + 2 > _LONGEST_LINE or set(text) & set("#;\\")):
            continue
        if not single and not all(len(lines[alias.lineno - 1].split()) == 1 for alias in node.names):
            continue
        return node
    return None


def _new_line(
    lines: Sequence[str],
    tree: ast.Module,
    header: Sequence[ast.Import | ast.ImportFrom],
    imported: Imported,
    newline: str,
) -> Splice:
    text = statement_for(imported) + newline
    kind = _kind(imported.level, imported.module)
    if kind == 0:  # must precede every other statement
        header = [node for node in header if _statement_kind(node) == 0]
    same = [node for node in header if _statement_kind(node) == kind]
    alike = [node for node in same if isinstance(node, ast.Import) == (imported.name is None)]
    if same and not alike and imported.name is None:
        before = same[0].lineno - 1  # `import x` goes before `from x import y`
        return Splice(before, before, text)
    lower = [node for node in header if _statement_kind(node) < kind]
    if same or lower:
        after = (alike or same or lower)[-1].end_lineno or 0
        return Splice(after, after, text if same else newline + text)
    if header:
        before = header[0].lineno - 1
        return Splice(before, before, text + newline)
    start = _after_heading(lines, tree)
    above = newline if start and lines[start - 1].strip() else ""
    below = newline if start < len(lines) and lines[start].strip() else ""
    return Splice(start, start, above + text + below)


def _after_heading(lines: Sequence[str], tree: ast.Module) -> int:
    """The line after the module's docstring, else after the comments at its top."""
    match tree.body[:1]:
        case [ast.Expr(value=ast.Constant(value=str()), end_lineno=int(end))]:
            return end
        case _:
            comments = 0
            while comments < len(lines) and lines[comments].startswith("#"):
                comments += 1
            return comments


def _statement_kind(node: ast.Import | ast.ImportFrom) -> int:
    if isinstance(node, ast.ImportFrom):
        return _kind(node.level, node.module or "")
    return _kind(0, node.names[0].name)


def _kind(level: int, module: str) -> int:
    """0 `__future__`, 1 standard library, 2 other packages, 3 relative."""
    if level:
        return 3
    if module == "__future__":
        return 0
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2
