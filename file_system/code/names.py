"""Names in Python: those that code binds, those it uses, those it needs at import, and where a statement begins."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def used_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names read anywhere in `nodes`, those inside quoted annotations included."""
    found: set[str] = set()
    for node in nodes:
        for item in ast.walk(node):
            if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Store):
                found.add(item.id)
            for annotation in _annotations(item):
                found |= _quoted_names(annotation)
    return found


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names bound anywhere in `nodes`, in whatever scope: assigned, defined, imported, parameters, caught errors."""
    found: set[str] = set()
    for node in nodes:
        for item in ast.walk(node):
            match item:
                case ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.arg(arg=name):
                    found.add(name)
                case ast.alias(name=name, asname=alias):
                    found.add(alias or name.partition(".")[0])
                case ast.ExceptHandler(name=str(name)):
                    found.add(name)
                case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                    found.add(name)
                case _:
                    pass
    return found


def module_names(tree: ast.Module) -> set[str]:
    """Names bound at the top level of a module, also under `if`, `try`, `for` and `with`."""
    found: set[str] = set()
    for node in _top_level(tree.body):
        if isinstance(node, Definition):
            found.add(node.name)
        elif isinstance(node, ast.If | ast.Try | ast.For | ast.While | ast.With):
            found |= _bound_by_header(node)
        else:
            found |= bound_names([node])
    return found


def eager_names(node: ast.stmt) -> set[str]:
    """Names that must exist when `node` is executed at import: decorators, defaults, bases, annotations, values."""
    if isinstance(node, Function):
        arguments = node.args
        parts: list[ast.expr | None] = [*node.decorator_list, *arguments.defaults, *arguments.kw_defaults, node.returns]
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        parts += [argument.annotation for argument in every if argument is not None]
        return used_names(part for part in parts if part is not None)
    if isinstance(node, ast.ClassDef):
        outside = used_names([*node.decorator_list, *node.bases, *node.keywords])
        return outside.union(*(eager_names(item) for item in node.body))
    return used_names([node])


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.For | ast.While | ast.With):
                yield from _top_level(getattr(node, field, []))
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from _top_level(handler.body)


def _bound_by_header(node: ast.If | ast.Try | ast.For | ast.While | ast.With) -> set[str]:
    if isinstance(node, ast.For):
        return bound_names([node.target])
    if isinstance(node, ast.With):
        return bound_names([item.optional_vars for item in node.items if item.optional_vars])
    return set()


def _annotations(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.arg | ast.AnnAssign):
        return [node.annotation] if node.annotation else []
    if isinstance(node, Function):
        return [node.returns] if node.returns else []
    return []


def _quoted_names(annotation: ast.expr) -> set[str]:
    found: set[str] = set()
    for item in ast.walk(annotation):
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            try:
                quoted = ast.parse(item.value, mode="eval")
            except (SyntaxError, ValueError):
                continue
            found |= {name.id for name in ast.walk(quoted) if isinstance(name, ast.Name)}
    return found


def assigned_names(node: ast.stmt) -> list[str]:
    """Plain names that an assignment statement binds: `X = 1`, `X: int = 1`; empty for any other statement."""
    match node:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def first_line_of(node: Definition) -> int:
    """The line a definition starts on, its decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def start_of(node: ast.stmt) -> int:
    """The first line of a statement, decorators included, counted from 1."""
    if isinstance(node, Definition):
        return first_line_of(node)
    return node.lineno
