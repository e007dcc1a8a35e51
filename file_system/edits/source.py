"""The source of definitions: cut out of one text and inserted into another; all other bytes stay."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from file_system.code.names import Definition, Function, bound_names, start_of
from file_system.errors import MergeRefused
from file_system.syntax import split_lines


def end_of(node: ast.stmt) -> int:
    """The last line of a statement, counted from 1."""
    return node.end_lineno or node.lineno


def with_comments_above(lines: Sequence[str], node: ast.stmt) -> int:
    """The first line of a statement and of the comments directly above it, counted from 1."""
    start = start_of(node)
    while start > 1 and lines[start - 2].lstrip().startswith("#"):
        start -= 1
    return start


def indent_of(lines: Sequence[str], node: ast.stmt) -> str:
    """The white space before a statement."""
    line = lines[start_of(node) - 1]
    return line[: len(line) - len(line.lstrip())]


def source_of(
    lines: Sequence[str], node: ast.stmt, newline: str, *, indent: str | None = None, comments: bool = False
) -> str:
    """The source of a statement, ended by a line end, moved to `indent` if that differs from its own.

    Lines inside strings that span several lines are not moved.
    """
    first = with_comments_above(lines, node) if comments else start_of(node)
    own = indent_of(lines, node)
    target = own if indent is None else indent
    inside_strings = set(_string_lines(node))
    moved = []
    for number in range(first, end_of(node) + 1):
        line = lines[number - 1]
        if number not in inside_strings and line.strip() and line.startswith(own):
            line = target + line[len(own) :]
        moved.append(line)
    return "".join(moved).rstrip("\r\n") + newline


def _string_lines(node: ast.AST) -> Iterator[int]:
    """Numbers of the lines that begin within a string."""
    for item in ast.walk(node):
        spans = isinstance(item, ast.JoinedStr) or (
            isinstance(item, ast.Constant) and isinstance(item.value, str | bytes)
        )
        if spans and isinstance(item, ast.expr):
            yield from range(item.lineno + 1, (item.end_lineno or item.lineno) + 1)


def renamed(path: str, code: str, old: str, new: str) -> str:
    """`code` with the global name `old` written as `new`; functions that bind `old` themselves are left as they are.

    Raises MergeRefused when a use cannot be located (within an f-string, before Python 3.12).
    """
    places = {(name.lineno, name.col_offset) for name in _global_uses(ast.parse(code), old)}
    return _rewritten(path, code, places, old, new)


def _rewritten(path: str, code: str, places: Collection[tuple[int, int]], old: str, new: str) -> str:
    """`code` with `new` for `old` at each of `places`: line from 1, column in bytes, as syntax trees count."""
    lines = [line.encode() for line in split_lines(code)]
    wanted = old.encode()
    for number, column in sorted(places, reverse=True):  # from the end, so that places before stay right
        line = lines[number - 1]
        if line[column : column + len(wanted)] != wanted:
            raise MergeRefused(path, f"{old!r} means something else here; write it under another name")
        lines[number - 1] = line[:column] + new.encode() + line[column + len(wanted) :]
    return b"".join(lines).decode()


def _global_uses(node: ast.AST, name: str) -> Iterator[ast.Name]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda) and name in bound_names([child]):
            continue
        if isinstance(child, ast.Name) and child.id == name:
            yield child
        yield from _global_uses(child, name)


def only_repeats(old: ast.stmt, new: ast.stmt) -> bool:
    """Whether `new` is only the heading of `old`, repeated as context."""
    return isinstance(old, Definition) and isinstance(new, Definition) and _is_stub(new) and not _is_stub(old)


def _is_stub(node: Definition) -> bool:
    """Whether the body is `...` or `pass`, besides a docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return all(
        isinstance(item, ast.Pass)
        or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and item.value.value is ...)
        for item in body
    )


def key_of(node: ast.stmt) -> tuple[str, str] | None:
    """The key of a definition: its name, and what distinguishes it from others of that name.

    A property and its setter share a name, as do overloads and registered implementations.
    """
    if isinstance(node, ast.ClassDef):
        return node.name, ""
    if not isinstance(node, Function):
        return None
    for decorator in node.decorator_list:
        match decorator:
            case ast.Attribute(attr="setter" | "deleter" | "getter" as kind):
                return node.name, kind
            case ast.Name(id="overload") | ast.Attribute(attr="overload"):
                return node.name, "overload"
            case ast.Attribute(attr="register") | ast.Call(func=ast.Attribute(attr="register")):
                return node.name, ast.unparse(decorator)
            case _:
                pass
    return node.name, ""


@dataclass(frozen=True)
class Splice:
    """Replace lines `start` to `end` by `text` (from 0, `end` excluded); equal numbers insert."""

    start: int
    end: int
    text: str


def spliced(lines: Sequence[str], splices: Sequence[Splice]) -> str:
    """The text after all `splices`, which must not overlap; insertions at one place keep their order."""
    parts: list[str] = []
    position = 0
    for splice in sorted(splices, key=lambda item: (item.start, item.end)):
        if splice.start < position:
            raise ValueError(f"splices overlap at line {splice.start + 1}")
        parts += lines[position : splice.start]
        if splice.text and parts and not parts[-1].endswith(("\n", "\r")):
            parts.append("\n")
        parts.append(splice.text)
        position = splice.end
    return "".join([*parts, *lines[position:]])


@dataclass(frozen=True)
class Element:
    """One item of a list in source text; lines from 1 and columns in UTF-8 bytes, as `ast` gives them."""

    key: str
    line: int
    column: int
    end_line: int
    end_column: int


def with_element(lines: Sequence[str], elements: Sequence[Element], key: str, source: str) -> Splice:
    """The splice that adds `source` to a list with at least one element: in order if it is sorted, else at its end."""
    keys = [element.key for element in elements]
    place = len(elements)
    if keys == sorted(keys):
        place = bisect.bisect(keys, key)
    elif keys == sorted(keys, key=str.casefold):
        place = bisect.bisect([k.casefold() for k in keys], key.casefold())
    if _one_a_line(lines, elements):
        return _on_own_line(lines, elements, place, source)
    if place < len(elements):
        following = elements[place]
        return _inserted(lines, following.line, following.column, f"{source}, ")
    last = elements[-1]
    return _inserted(lines, last.end_line, last.end_column, f", {source}")


def _one_a_line(lines: Sequence[str], elements: Sequence[Element]) -> bool:
    return all(not lines[element.line - 1].encode()[: element.column].strip() for element in elements)


def _on_own_line(lines: Sequence[str], elements: Sequence[Element], place: int, source: str) -> Splice:
    neighbour = elements[min(place, len(elements) - 1)]
    line = lines[neighbour.line - 1]
    indent = line.encode()[: neighbour.column].decode()
    newline = line[len(line.rstrip("\r\n")) :] or "\n"
    if place < len(elements):
        return Splice(neighbour.line - 1, neighbour.line - 1, f"{indent}{source},{newline}")
    last = lines[neighbour.end_line - 1].encode()
    head, tail = last[: neighbour.end_column].decode(), last[neighbour.end_column :].decode()
    if tail.lstrip().startswith(","):
        return Splice(neighbour.end_line, neighbour.end_line, f"{indent}{source},{newline}")
    if tail.strip() and not tail.lstrip().startswith("#"):
        return _inserted(lines, neighbour.end_line, neighbour.end_column, f", {source}")  # the bracket closes here
    return Splice(neighbour.end_line - 1, neighbour.end_line, f"{head},{tail}{indent}{source},{newline}")


def _inserted(lines: Sequence[str], line: int, column: int, text: str) -> Splice:
    source = lines[line - 1].encode()
    return Splice(line - 1, line, (source[:column] + text.encode() + source[column:]).decode())
