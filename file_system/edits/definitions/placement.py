"""Where new definitions and constants go in a module."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from file_system.edits.definitions.names import Definition, bound_names, eager_names
from file_system.edits.definitions.offer import is_main_guard
from file_system.edits.definitions.relocation import end_of, source_of, start_of
from file_system.edits.definitions.splicing import Splice
from file_system.files.lines import newline_of


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
