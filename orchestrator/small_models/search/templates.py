"""Changes that people make again and again when a function nearly works, whatever the function is about.

A selection of the fix templates that surveys of program repair found in many projects' histories: a call wrapped around
an expression or taken away, a near relative called instead, empty items left out, the empty case returned early.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType

from testing.mutation.operators import Change, expression_places

_WRAPPINGS = (
    "sorted(_)", "sorted(set(_))", "list(dict.fromkeys(_))", "int(_)", "abs(_)", "_.strip()", "_.rstrip()", "_.lower()",
    "_.upper()",
)  # fmt: skip
"""No bare `set`: small numbers come out of one in order, which passes tests by chance."""
_RELATIVES = (
    ("strip", "lstrip", "rstrip"), ("upper", "lower", "capitalize", "title"), ("split", "rsplit"), ("find", "rfind"),
    ("min", "max"), ("any", "all"), ("append", "extend"), ("int", "round", "floor", "ceil"), ("startswith", "endswith"),
    ("ljust", "rjust"), ("isdigit", "isalpha", "isalnum"), ("zip", "zip_longest"),
)  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
}


@dataclass(frozen=True)
class Hints:
    """What is known beside the solutions."""

    empty: Sequence[ast.expr] = ()
    """What the function gives for nothing (0, "", []) as its first argument, as the tests say."""
    calls: Sequence[str] = ()
    """The module's own functions that take one argument."""
    constants: Sequence[ast.Constant] = ()
    """Those of all solutions, each once."""


def usual_mends(function: ast.FunctionDef, hints: Hints) -> Iterator[Change]:
    """The few changes that are most often right."""
    yield from _empty_cases(function, hints.empty)
    yield from _filters(function)
    yield from _relatives(function)


def empty_cases(name: str, tests: Sequence[Sequence[str]]) -> list[ast.expr]:
    """What `tests` (bodies, line by line) say that `name` gives for nothing as its first argument.

    Only of that: for any other value a branch of its own would be an answer to the test, not to the task.
    """
    found = []
    for lines in tests:
        try:
            last = ast.parse("\n".join(lines)).body[-1]
        except (SyntaxError, IndexError):
            continue
        match last:
            case ast.Assert(
                test=ast.Compare(
                    left=ast.Call(func=ast.Name(id=called), args=[argument, *_]), ops=[ast.Eq()], comparators=[result]
                )
            ) if called == name and _is_literal(argument) and not ast.literal_eval(argument) and _is_literal(result):
                found.append(result)
    return found


def constants_of(functions: Sequence[ast.FunctionDef]) -> list[ast.Constant]:
    """The constants in `functions`, each once."""
    nodes = (node for function in functions for node in ast.walk(function) if isinstance(node, ast.Constant))
    return list({ast.unparse(node): node for node in nodes}.values())


def one_argument_calls(module: ModuleType, name: str) -> list[str]:
    """Names of the functions of `module`, other than `name`, that can be called with one argument."""
    found = []
    for other, value in vars(module).items():
        if other != name and isinstance(value, FunctionType) and value.__module__ == module.__name__:
            code = value.__code__
            positional, defaults = code.co_argcount, len(value.__defaults__ or ())
            if positional and positional - defaults <= 1 and not code.co_kwonlyargcount:
                found.append(other)
    return found


def _empty_cases(function: ast.FunctionDef, empty: Sequence[ast.expr]) -> Iterator[Change]:
    parameters = [*function.args.posonlyargs, *function.args.args]
    for result in empty if parameters else ():
        nothing = ast.UnaryOp(ast.Not(), ast.Name(parameters[0].arg, ast.Load()))
        guard = ast.If(nothing, [ast.Return(result)], [])
        # Before anything is done with the argument: later on, nothing left of it is another case.
        yield from (Change(function.body, index, guard, insert=True) for index in range(_leading_guards(function) + 1))


def _leading_guards(function: ast.FunctionDef) -> int:
    """How many statements at the beginning only raise errors."""
    for index, node in enumerate(function.body):
        if not (isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise) and not node.orelse):
            return index
    return len(function.body)


def _filters(function: ast.FunctionDef) -> Iterator[Change]:
    """Leave empty items out."""
    for node in ast.walk(function):
        if isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name):
            yield Change(node.ifs, len(node.ifs), ast.Name(node.target.id, ast.Load()), insert=True)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            empty = ast.UnaryOp(ast.Not(), ast.Name(node.target.id, ast.Load()))
            yield Change(node.body, 0, ast.If(empty, [ast.Continue()], []), insert=True)


def _relatives(function: ast.FunctionDef) -> Iterator[Change]:
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            yield Change(node, "op", _OPERATORS[type(node.op)]())
        if not isinstance(node, ast.Call):
            continue
        called, field = (node.func, "attr") if isinstance(node.func, ast.Attribute) else (node.func, "id")
        name = getattr(called, field, "")
        for family in _RELATIVES:
            if name in family:
                yield from (Change(called, field, other) for other in family if other != name)


def exchanges(function: ast.FunctionDef, hints: Hints) -> Iterator[Change]:
    """Another name of the function, or a constant, in the place of one."""
    places = [
        place
        for place in expression_places(function)
        if isinstance(place[2], ast.Constant) or (isinstance(place[2], ast.Name) and isinstance(place[2].ctx, ast.Load))
    ]
    names = {argument.arg: ast.Name(argument.arg, ast.Load()) for argument in function.args.args}
    others = (
        {ast.unparse(constant): constant for constant in hints.constants}
        | names
        | {ast.unparse(leaf): leaf for _, key, leaf in places if key != "func"}
    )
    for holder, key, leaf in places:
        if key not in ("func", "annotation"):
            yield from (Change(holder, key, other) for text, other in others.items() if text != ast.unparse(leaf))


def wrappings(function: ast.FunctionDef, hints: Hints) -> Iterator[Change]:
    """A call around an expression, or one taken away."""
    patterns = [*_WRAPPINGS, *(f"{name}(_)" for name in hints.calls)]
    for holder, key, node in expression_places(function):
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or key in ("func", "annotation"):
            continue
        if isinstance(node, ast.Call) and not node.keywords:
            if isinstance(node.func, ast.Name) and len(node.args) == 1:
                yield Change(holder, key, node.args[0])
            elif isinstance(node.func, ast.Attribute) and not node.args:
                yield Change(holder, key, node.func.value)
        if isinstance(node, ast.Constant):
            continue
        yield from (Change(holder, key, _wrapped(pattern, node)) for pattern in patterns)


def _wrapped(pattern: str, node: ast.expr) -> ast.expr:
    """`node` in the place of the `_` in `pattern`."""

    class Filling(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return node if name.id == "_" else name

    filled: ast.expr = Filling().visit(ast.parse(pattern, mode="eval").body)
    return filled


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True
