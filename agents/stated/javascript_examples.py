"""Examples that a task states of JavaScript code. Tasks are written by people and models who think in either language,
so Python's literals are taken for what they mean: `True`, `None`, tuples.
"""

from __future__ import annotations

import ast

from agents.stated.examples import Dialect, Example, sentences
from agents.stated.scanning import calmed
from file_system import javascript_expression

JAVASCRIPT_GLOBALS = frozenset(
    {"Array", "ArrayBuffer", "BigInt", "Boolean", "Buffer", "DataView", "Date", "Error", "EvalError", "Infinity"}
    | {"Intl", "JSON", "Map", "Math", "NaN", "Number", "Object", "Promise", "RangeError", "ReferenceError", "RegExp"}
    | {"Set", "String", "Symbol", "SyntaxError", "TypeError", "URIError", "URL", "URLSearchParams", "Uint8Array"}
    | {"WeakMap", "WeakSet", "console", "decodeURIComponent", "encodeURIComponent", "isFinite", "isNaN", "parseFloat"}
    | {"parseInt", "process", "structuredClone", "undefined"}
)
ERRORS = frozenset(name for name in JAVASCRIPT_GLOBALS if name.endswith("Error"))
"""Errors that a test can ask for by name; of any other name it can only ask that something is thrown."""


def javascript_examples(text: str) -> list[Example]:
    """All examples `text` states, in order, each once, call and value as JavaScript."""
    found: list[Example] = []
    for example in sentences(calmed(text), _JAVASCRIPT):
        call = to_javascript(example.call)
        expected = to_javascript(example.expected) if example.expected is not None else None
        if call is None or (expected is None and not example.raises) or (example.raises and "await " in call):
            continue
        if example.expected == "None":  # nothing, in Python's words: null or undefined
            found.append(Example(f"{call} ?? null", "null"))
        else:
            found.append(Example(call, expected, example.raises))
    return list(dict.fromkeys(found))


def called_javascript_names(source: str) -> list[str]:
    """Dotted names that an expression calls, the language's own left out."""
    found = javascript_expression(source)
    return [name for name in found.called if name.partition(".")[0] not in JAVASCRIPT_GLOBALS] if found else []


def free_javascript_names(source: str) -> set[str]:
    """Names that an expression needs from outside."""
    found = javascript_expression(source)
    return set(found.free - JAVASCRIPT_GLOBALS) if found else set()


def to_javascript(source: str) -> str | None:
    """`source` as a JavaScript expression: as it is, unless it is Python that means something else there, or nothing.

    None when it is neither, or Python that JavaScript has no plain words for, such as keyword arguments.
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is not None and any(_only_python(node) for node in ast.walk(tree)):
        try:
            source = _translated(tree)
        except NotImplementedError:
            return None
    return source.strip() if javascript_expression(source) is not None else None


def _only_python(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=value):
            return value is None or isinstance(value, bool)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return isinstance(left, ast.List) or isinstance(right, ast.List)
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return any(isinstance(side, ast.List) or _is_string(side) for side in (left, right))
        case ast.Tuple() | ast.Set() | ast.keyword() | ast.FloorDiv() | ast.Starred() | ast.JoinedStr() | ast.Slice():
            return True
        case _:
            return False


def _translated(node: ast.expr) -> str:
    """Python's expression in JavaScript. Raises NotImplementedError for what has no plain translation."""
    match node:
        case ast.Constant(value=None):
            return "null"
        case ast.Constant(value=bool() as value):
            return str(value).lower()
        case ast.Constant(value=str()) | ast.Constant(value=int()) | ast.Constant(value=float()):
            return ast.unparse(node)
        case ast.Name(id=name):
            return name
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return f"[{', '.join(map(_translated, items))}]"
        case ast.Set(elts=items):
            return f"new Set([{', '.join(map(_translated, items))}])"
        case ast.Dict(keys=keys, values=values):
            pairs = (f"{_key(key)}: {_translated(value)}" for key, value in zip(keys, values, strict=True))
            return f"{{{', '.join(pairs)}}}"
        case ast.Call(func=function, args=arguments, keywords=[]):
            return f"{_translated(function)}({', '.join(map(_translated, arguments))})"
        case ast.Attribute(value=value, attr=name):
            return f"{_translated(value)}.{name}"
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice | ast.Tuple):
            return f"{_translated(value)}[{_translated(index)}]"
        case ast.UnaryOp(op=ast.USub(), operand=value):
            return f"-{_translated(value)}"
        case ast.BinOp(op=ast.Mult(), left=text, right=count) if _is_string(text):
            return f"{_translated(text)}.repeat({_translated(count)})"
        case _:
            raise NotImplementedError(type(node).__name__)


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
        return ast.unparse(node)
    if isinstance(node, ast.Name):
        return node.id
    raise NotImplementedError("a key that JavaScript's objects cannot have")


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


_JAVASCRIPT = Dialect(
    lambda source: to_javascript(source) is not None,
    frozenset({"True", "False", "None", "true", "false", "null", "undefined", "NaN", "Infinity"}),
    constructs=True,
)
