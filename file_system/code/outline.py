"""What one Python module defines, as far as its readers need to know: names, signatures, first lines of docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from file_system.code.syntax import parse_python
from file_system.edits.definitions.names import Definition, Function

_LONGEST_SIGNATURE = 240


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FunctionOutline(_Frozen):
    """A function or method. Lines count from 1 and include decorators."""

    name: str
    signature: str
    """As in the source, on one line, without decorators: `def add(a: int, b: int = 0) -> int`."""
    doc: str
    """First line of the docstring, empty when there is none."""
    line: int
    end_line: int

    @property
    def public(self) -> bool:
        """Whether the name does not start with an underscore."""
        return not self.name.startswith("_")


class ClassOutline(_Frozen):
    """A class with its methods."""

    name: str
    signature: str
    """Such as `class Basket(Base)`."""
    doc: str
    line: int
    end_line: int
    methods: tuple[FunctionOutline, ...]

    @property
    def public(self) -> bool:
        """Whether the name does not start with an underscore."""
        return not self.name.startswith("_")


class CodeOutline(_Frozen):
    """A module. `problem` says why it could not be parsed; then the rest is empty."""

    path: str
    doc: str = ""
    functions: tuple[FunctionOutline, ...] = ()
    classes: tuple[ClassOutline, ...] = ()
    constants: tuple[str, ...] = ()
    problem: str = ""

    def names(self) -> list[str]:
        """Everything defined: functions, classes, `Class.method`, constants."""
        methods = [f"{owner.name}.{method.name}" for owner in self.classes for method in owner.methods]
        top = [*(function.name for function in self.functions), *(owner.name for owner in self.classes)]
        return [*top, *methods, *self.constants]


def outline_of(path: str, text: str) -> CodeOutline:
    """The outline of a module's text; raises SyntaxProblem when it cannot be parsed."""
    tree = parse_python(path, text)
    body = list(unconditional(tree.body))
    return CodeOutline(
        path=path,
        doc=_first_line(tree),
        functions=tuple(_function(node) for node in body if isinstance(node, Function)),
        classes=tuple(_class(node) for node in body if isinstance(node, ast.ClassDef)),
        constants=tuple(name for node in body for name in assigned_names(node)),
    )


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


def unconditional(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if` and `try` included: both are how libraries define things by version."""
    for node in body:
        yield node
        match node:
            case ast.If(body=inner, orelse=other):
                yield from unconditional(inner)
                yield from unconditional(other)
            case ast.Try(body=inner, handlers=handlers, orelse=other):
                yield from unconditional(inner)
                for handler in handlers:
                    yield from unconditional(handler.body)
                yield from unconditional(other)
            case _:
                pass


def _function(node: Function) -> FunctionOutline:
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"{keyword} {node.name}({ast.unparse(node.args)}){returns}"
    return FunctionOutline(
        name=node.name,
        signature=_shortened(signature),
        doc=_first_line(node),
        line=first_line_of(node),
        end_line=node.end_lineno or node.lineno,
    )


def _class(node: ast.ClassDef) -> ClassOutline:
    bases = [ast.unparse(base) for base in node.bases]
    bases += [ast.unparse(keyword) for keyword in node.keywords]
    inherits = f"({', '.join(bases)})" if bases else ""
    return ClassOutline(
        name=node.name,
        signature=_shortened(f"class {node.name}{inherits}"),
        doc=_first_line(node),
        line=first_line_of(node),
        end_line=node.end_lineno or node.lineno,
        methods=tuple(_function(item) for item in node.body if isinstance(item, Function)),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SIGNATURE else text[: _LONGEST_SIGNATURE - 1] + "…"


def _first_line(node: Definition | ast.Module) -> str:
    doc = ast.get_docstring(node, clean=True)
    return doc.strip().splitlines()[0][:160] if doc and doc.strip() else ""
