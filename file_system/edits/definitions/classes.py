"""Replacing and adding single members of a class."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from file_system.code.outline import assigned_names
from file_system.edits.definitions.names import Definition
from file_system.edits.definitions.relocation import end_of, indent_of, key_of, only_repeats, source_of, start_of
from file_system.edits.definitions.splicing import Splice
from file_system.files.lines import newline_of


def is_complete(old: ast.ClassDef, new: ast.ClassDef) -> bool:
    """Whether `new` has every member of `old`, so that it can take its place as a whole."""
    return _members(old.body).keys() <= _members(new.body).keys()


def member_splices(
    lines: Sequence[str], old: ast.ClassDef, offered: Sequence[str], members: Sequence[ast.stmt]
) -> list[Splice]:
    """Splices that bring `members`, statements of the text `offered`, into the class `old` of the text `lines`.

    A member that exists is replaced where it stands, a new attribute goes before the first method, a new method to the
    end. A stub (`def f(self): ...`) does not replace a body.
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
    """The splice that puts `new` where `old` stands. Decorators of `old` stay when `new` has none."""
    newline = newline_of("".join(lines[:1]))
    source = source_of(offered, new, newline, indent=indent_of(lines, old))
    start = start_of(old)
    if isinstance(old, Definition) and isinstance(new, Definition) and not new.decorator_list:
        start = old.lineno
    return Splice(start - 1, end_of(old), source)


def _members(body: Sequence[ast.stmt]) -> dict[tuple[str, str], ast.stmt]:
    """Members by what they are known by; of several with one key the last counts, as for Python."""
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
