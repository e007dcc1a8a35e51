"""Makes a package export a name of one of its modules."""

from __future__ import annotations

import ast

from file_system.code.names import module_names
from file_system.edits.imports import Imported, import_elements, imports_of, with_imports
from file_system.edits.source import Element, Splice, spliced, with_element
from file_system.errors import MergeRefused
from file_system.files.syntax import parse_python, split_lines


def ensure_export(init_text: str, module: str, name: str) -> str:
    """`__init__.py` text that imports `name` from its submodule `module` and lists it in `__all__`, if it has one.

    `from package.module import …` is extended where the package writes it so, else `from .module import …` is used.
    Text that exports the name already is returned unchanged. Raises SyntaxProblem, or MergeRefused when the name
    means something else there.
    """
    path = "__init__.py"
    mark = "\ufeff" if init_text.startswith("\ufeff") else ""
    init_text = init_text.removeprefix(mark)
    tree = parse_python(path, init_text)
    if not _imports(tree, module, name):
        if name in module_names(tree):
            raise MergeRefused(path, f"{name!r} is bound there already, not from .{module}; choose another name")
        init_text = _with_import(init_text, tree, module, name)
    return mark + _with_listing(init_text, parse_python(path, init_text), name)


def _is_from(node: ast.stmt, module: str) -> bool:
    if not isinstance(node, ast.ImportFrom) or node.module is None:
        return False
    return (node.level == 1 and node.module == module) or (node.level == 0 and node.module.endswith(f".{module}"))


def _imports(tree: ast.Module, module: str, name: str) -> bool:
    return any(
        _is_from(node, module) and imported.bound in {name, "*"}
        for node in tree.body
        for imported in imports_of([node])
    )


def _with_import(text: str, tree: ast.Module, module: str, name: str) -> str:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and _is_from(node, module):
            lines = split_lines(text)
            if node.lineno != node.end_lineno or not set(lines[node.lineno - 1]) & set("#;\\"):
                return spliced(lines, [with_element(lines, import_elements(node), name, name)])
    return with_imports(text, [Imported(1, module, name, None)])


def _with_listing(text: str, tree: ast.Module, name: str) -> str:
    listing = next((found for node in tree.body if (found := _listing(node)) is not None), None)
    if listing is None:
        return text
    names = [item for item in listing.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    if name in {item.value for item in names}:
        return text
    lines = split_lines(text)
    if not listing.elts:
        closing = Element("", listing.lineno, listing.col_offset + 1, listing.lineno, listing.col_offset + 1)
        line = lines[closing.line - 1].encode()
        comma = b"," if isinstance(listing, ast.Tuple) else b""
        changed = line[: closing.column] + f'"{name}"'.encode() + comma + line[closing.column :]
        return spliced(lines, [Splice(closing.line - 1, closing.line, changed.decode())])
    elements = [_element(item) for item in listing.elts]
    first = lines[elements[0].line - 1].encode()[elements[0].column :].decode()
    quote = "'" if first.startswith("'") else '"'
    return spliced(lines, [with_element(lines, elements, name, f"{quote}{name}{quote}")])


def _element(item: ast.expr) -> Element:
    key = str(item.value) if isinstance(item, ast.Constant) else ast.unparse(item)
    return Element(key, item.lineno, item.col_offset, item.end_lineno or 0, item.end_col_offset or 0)


def _listing(node: ast.stmt) -> ast.List | ast.Tuple | None:
    """The list of `__all__ = […]`; None for any other statement and for an `__all__` that is computed."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=(ast.List() | ast.Tuple()) as value):
            return value
        case ast.AnnAssign(target=ast.Name(id="__all__"), value=(ast.List() | ast.Tuple()) as value):
            return value
        case _:
            return None
