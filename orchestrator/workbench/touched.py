"""Which functions of a module a change has touched."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from file_system import Function
from file_system.code.definitions import parsed


def touched_functions(before: str, after: str) -> list[str]:
    """Names (`function`, `Class.method`) of what the module `after` defines anew or otherwise than `before` did.

    Docstrings and comments are no difference.
    """
    old = dict(_functions(parsed(before) or ()))
    return [name for name, code in _functions(parsed(after) or ()) if old.get(name) != code]


def _functions(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every function and method with its code in normal form."""
    for node in body:
        if isinstance(node, Function):
            told = ast.get_docstring(node) is not None
            yield (
                f"{prefix}{node.name}",
                "\n".join(
                    [ast.unparse(node.args), *map(ast.dump, node.decorator_list), *map(ast.dump, node.body[told:])]
                ),
            )
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
