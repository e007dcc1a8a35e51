"""What of a model's code counts: definitions, the constants they need and the imports they use.

Example calls, prints, asserts, `if __name__ == "__main__"` blocks and tests beside the code are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from file_system.code.outline import assigned_names
from file_system.edits.definitions.import_names import Imported, imports_of
from file_system.edits.definitions.names import Definition, bound_names, used_names
from file_system.files.finding import is_test_file


@dataclass(frozen=True)
class Offer:
    """The statements that are kept, in their order, and the imports of the code."""

    statements: tuple[ast.stmt, ...]
    imports: tuple[Imported, ...]

    @property
    def definitions(self) -> list[Definition]:
        """The functions and classes among the statements."""
        return [node for node in self.statements if isinstance(node, Definition)]


def offer_of(tree: ast.Module, path: str, existing: Collection[str]) -> Offer:
    """What `tree` offers to the module at `path`, which binds the names `existing`."""
    tests_count = is_test_file(path)
    kept: list[ast.stmt] = [node for node in tree.body if _is_definition(node, existing, tests_count)]
    candidates = [node for node in tree.body if _is_constant(node) or _is_guarded_import(node)]
    chosen = [node for node in candidates if _stands_for_itself(node, existing)]
    # What kept statements use is kept too, and so on.
    while True:
        needed = used_names([*kept, *chosen])
        more = [node for node in candidates if node not in chosen and _new_names(node, existing) & needed]
        if not more:
            break
        chosen += more
    order = {id(node): number for number, node in enumerate(tree.body)}
    statements = sorted([*kept, *chosen], key=lambda node: order[id(node)])
    imports = imports_of(node for node in tree.body if not _is_guarded_import(node))
    return Offer(tuple(statements), tuple(imports))


def is_main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(item, ast.Name) and item.id == "__name__" for item in ast.walk(node.test)
    )


def _is_definition(node: ast.stmt, existing: Collection[str], tests_count: bool) -> bool:
    if not isinstance(node, Definition):
        return False
    is_test = node.name.startswith(("test_", "Test")) and node.name not in existing
    return tests_count or not is_test


def _is_constant(node: ast.stmt) -> bool:
    """Assignments to plain names; not to dunders, which describe the module, and not with parts left out as `...`."""
    names = assigned_names(node)
    if not names or any(name.startswith("__") for name in names):
        return False
    return not any(isinstance(item, ast.Constant) and item.value is ... for item in _value_nodes(node))


def _value_nodes(node: ast.stmt) -> Sequence[ast.AST]:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return list(ast.walk(value)) if value is not None else []


def _is_guarded_import(node: ast.stmt) -> bool:
    """`try: import x` with a fallback."""
    return isinstance(node, ast.Try) and bool(imports_of([node]))


def _stands_for_itself(node: ast.stmt, existing: Collection[str]) -> bool:
    """A constant the module has, or one that is written like a constant; `result = f(1)` is an example."""
    names = assigned_names(node)
    return any(name in existing or name.strip("_").isupper() for name in names)


def _new_names(node: ast.stmt, existing: Collection[str]) -> set[str]:
    return bound_names([node]) - (set(existing) if _is_guarded_import(node) else set())
