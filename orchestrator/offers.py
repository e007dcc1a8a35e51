"""A small model's code, cut down to what the task is about before it is merged into the module."""

from __future__ import annotations

import ast
from collections.abc import Collection

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def only_wanted(code: str, present: str, wanted: Collection[str]) -> str:
    """`code` without definitions of names that the module `present` has already and the task does not name, and
    without imports that nothing in it uses.

    A small model likes to write neighbouring functions anew, and worse, and to
    import what might be needed. What does not parse comes back as it is.
    """
    try:
        tree, module = ast.parse(code), ast.parse(present)
    except SyntaxError:
        return code
    taken = {node.name for node in module.body if isinstance(node, Definition)} - set(wanted)
    taken |= {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    } - set(wanted)
    lines = code.splitlines(keepends=True)
    kept = [node for node in tree.body if not _names(node) & taken]
    used = {name.id for node in kept for name in ast.walk(node) if isinstance(name, ast.Name)}
    for node in reversed(tree.body):
        if node not in kept or (isinstance(node, ast.Import | ast.ImportFrom) and not _imported(node) & used):
            first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
            del lines[first - 1 : node.end_lineno]
    return "".join(lines)


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()
