"""One small change of a syntax tree, made in place and undone again, since thousands are tried in a second."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One change: `holder[key]` becomes `new`; `insert` puts it before `key`, `new` None takes out what is there."""

    holder: Any
    key: Any
    new: Any
    insert: bool = False

    def make(self) -> Any:
        """Make the change; gives what `undo` needs."""
        if self.insert:
            self.holder.insert(self.key, self.new)
            return None
        if not isinstance(self.holder, list):
            old = getattr(self.holder, self.key)
            setattr(self.holder, self.key, self.new)
            return old
        old = self.holder[self.key]
        if isinstance(self.key, slice):
            self.holder[self.key] = self.new
        elif self.new is None:
            del self.holder[self.key]
        else:
            self.holder[self.key] = self.new
        return old

    def undo(self, old: Any) -> None:
        """Put things back."""
        if self.insert:
            del self.holder[self.key]
        elif not isinstance(self.holder, list):
            setattr(self.holder, self.key, old)
        elif isinstance(self.key, slice):
            start = self.key.start
            self.holder[start : start + len(self.new)] = old
        elif self.new is None:
            self.holder.insert(self.key, old)
        else:
            self.holder[self.key] = old


def expression_places(function: ast.FunctionDef) -> list[tuple[Any, Any, ast.expr]]:
    """Where each expression hangs: in a field of a node, or in a list."""
    found: list[tuple[Any, Any, ast.expr]] = []
    for parent in (node for statement in function.body for node in ast.walk(statement)):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.expr):
                found.append((parent, field, value))
            elif isinstance(value, list):
                found += [(value, index, item) for index, item in enumerate(value) if isinstance(item, ast.expr)]
    return found
