"""Where definitions go in a module: new ones to a place of their own, new members into their class, others replace the
old ones.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from file_system.code.names import Definition, assigned_names, bound_names, eager_names, start_of
from file_system.edits.source import Splice, end_of, indent_of, key_of, only_repeats, source_of
from file_system.syntax import newline_of


def insertions(
    lines: Sequence[str],
    module: ast.Module,
    offered: Sequence[str],
    new: Sequence[ast.stmt],
    users: Sequence[tuple[int, ast.stmt]],
) -> list[Splice]:
    """Splices that insert `new`, statements of the text `offered`, into the module with the text `lines`.

    Definitions follow the last one of the module. Constants precede the first, unless they are computed from something
    that is defined later. `users` are replaced statements with their first line: what they need at import (a base
    class, a decorator, a default) is put before them.
    """
    newline = newline_of("".join(lines[:1]))
    early, late = _constants_spot(module), _definitions_spot(module, len(lines))
    before = _needed_before(lines, new, users)
    late_names = {name for node in module.body if end_of(node) > early for name in bound_names([node])}
    splices = []
    for node in new:
        source = source_of(offered, node, newline, comments=True)
        if id(node) in before:
            place = before[id(node)]
            splices.append(Splice(place, place, source + newline * 2))
        elif not isinstance(node, Definition) and not eager_names(node) & late_names and early < late:
            splices.append(Splice(early, early, newline + source if early else source + newline))
        else:
            late_names |= bound_names([node])
            gap = 2 if isinstance(node, Definition) else 1
            splices.append(Splice(late, late, newline * gap + source if late else source))
    return splices


def _needed_before(
    lines: Sequence[str], new: Sequence[ast.stmt], users: Sequence[tuple[int, ast.stmt]]
) -> dict[int, int]:
    """For new statements that a replaced one needs at import: the line index they must precede, by `id`."""
    needs = [(line, eager_names(node)) for line, node in users]
    found: dict[int, int] = {}
    for node in reversed(new):
        lines_needing = [line for line, names in needs if bound_names([node]) & names]
        if lines_needing:
            line = min(lines_needing)
            needs.append((line, eager_names(node)))
            found[id(node)] = _above_comments(lines, line) - 1
    return found


def _above_comments(lines: Sequence[str], line: int) -> int:
    while line > 1 and lines[line - 2].startswith("#"):
        line -= 1
    return line


def _constants_spot(module: ast.Module) -> int:
    """The line after the last statement above the first definition."""
    spot = 0
    for node in module.body:
        if isinstance(node, Definition) or is_main_guard(node):
            break
        spot = end_of(node)
    return spot


def _definitions_spot(module: ast.Module, length: int) -> int:
    """The line after the last definition, or before a main guard that stands above it."""
    spot = 0
    for node in module.body:
        if is_main_guard(node):
            return spot or start_of(node) - 1
        if isinstance(node, Definition):
            spot = end_of(node)
    return spot or (end_of(module.body[-1]) if module.body else length)


def is_main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(item, ast.Name) and item.id == "__name__" for item in ast.walk(node.test)
    )


def is_complete(old: ast.ClassDef, new: ast.ClassDef) -> bool:
    """Whether `new` has every member of `old`, so that it can take its place as a whole."""
    return _members(old.body).keys() <= _members(new.body).keys()


def member_splices(
    lines: Sequence[str], old: ast.ClassDef, offered: Sequence[str], members: Sequence[ast.stmt]
) -> list[Splice]:
    """Splices that bring `members`, statements of the text `offered`, into the class `old` of the text `lines`.

    An existing member is replaced in place, a new attribute goes before the first method, a new method to the end. A
    stub (`def f(self): ...`) does not replace a body.
    """
    newline = newline_of("".join(lines[:1]))
    indent = indent_of(lines, old.body[0])
    present = _members(old.body)
    splices = []
    for key, member in _members(members).items():
        current = present.get(key)
        if current is None:
            splices.append(
                _added(lines, old, member, source_of(offered, member, newline, indent=indent, comments=True))
            )
        elif not only_repeats(current, member):
            splices.append(replacement(lines, current, offered, member))
    return splices


def replacement(lines: Sequence[str], old: ast.stmt, offered: Sequence[str], new: ast.stmt) -> Splice:
    """The splice that replaces `old` by `new`. Decorators of `old` stay when `new` has none."""
    newline = newline_of("".join(lines[:1]))
    source = source_of(offered, new, newline, indent=indent_of(lines, old))
    start = start_of(old)
    if isinstance(old, Definition) and isinstance(new, Definition) and not new.decorator_list:
        start = old.lineno
    return Splice(start - 1, end_of(old), source)


def _members(body: Sequence[ast.stmt]) -> dict[tuple[str, str], ast.stmt]:
    """Members by key; of several with one key the last counts, as for Python."""
    found: dict[tuple[str, str], ast.stmt] = {}
    for node in body:
        key = key_of(node)
        if key is not None:
            found[key] = node
        for name in assigned_names(node):
            found[name, "attribute"] = node
    return found


def _added(lines: Sequence[str], old: ast.ClassDef, member: ast.stmt, source: str) -> Splice:
    newline = newline_of("".join(lines[:1]))
    methods = [node for node in old.body if key_of(node) is not None]
    if key_of(member) is None and methods:
        before = start_of(methods[0]) - 1
        earlier = [node for node in old.body if node is not methods[0] and end_of(node) <= before]
        place = end_of(earlier[-1]) if earlier else old.body[0].lineno - 1
        return Splice(place, place, source if earlier else source + newline)
    place = end_of(old)
    return Splice(place, place, newline + source if key_of(member) is not None else source)
