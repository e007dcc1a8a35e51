"""What a Python module defines: its outline, single definitions by name (`function`, `Class` or `Class.method`), and
which of them a change touches.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from file_system.code.names import Definition, Function, assigned_names, first_line_of
from file_system.syntax import NOT_PYTHON, parse_python

_LONGEST_SIGNATURE = 240
LONGEST_CONSTANT = 160
"""Characters of a constant that is shown."""
_LONGEST_CLASS = 600


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
    return FunctionOutline(
        name=node.name,
        signature=_shortened(f"{keyword} {signature(node)}"),
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


def parsed(text: str) -> list[ast.stmt] | None:
    """The statements of the module `text`; None when it is no Python."""
    try:
        return ast.parse(text).body
    except NOT_PYTHON:
        return None


def class_in(body: Sequence[ast.stmt], name: str) -> ast.ClassDef | None:
    """The class that `Class.method` belongs to; None for a plain name, or when it is not there."""
    owner, dot, _ = name.rpartition(".")
    return next((node for node in body if dot and isinstance(node, ast.ClassDef) and node.name == owner), None)


def function_named(body: Sequence[ast.stmt], name: str) -> ast.FunctionDef | None:
    """The function or method of that name. A method may be outside of its class, as small models write it."""
    owner = class_in(body, name)
    last = name.rpartition(".")[2]
    places = [*(owner.body if owner else ()), *body]
    return next((node for node in places if isinstance(node, ast.FunctionDef) and node.name == last), None)


def definition_line(text: str, name: str, used: Collection[str] = ()) -> str:
    """How the module `text` defines `name`, in one line: an alias or constant as it is, else its `summary_of`."""
    for node in parsed(text) or ():
        if isinstance(node, Definition) and node.name == name:
            return summary_of(node, used)
        if name in assigned_names(node) and len(line := ast.unparse(node)) <= LONGEST_CONSTANT:
            return line
    return ""


def function_in(text: str, name: str) -> str:
    """The function or method `name` of the module `text` with the imports before it, a method in its class.

    Empty when it is not there.
    """
    body = parsed(text) or []
    function = function_named(body, name)
    if function is None:
        return ""
    source = source_of(text, function)
    if owner := class_in(body, name):
        source = f"class {owner.name}:\n" + textwrap.indent(source, "    ")
    return "\n".join([*imports_of(body), "", "", source])


def source_of(text: str, node: Definition) -> str:
    """The lines of a definition in `text`, its decorators included, moved to the left margin."""
    return textwrap.dedent("\n".join(text.splitlines()[first_line_of(node) - 1 : node.end_lineno]))


def imports_of(body: Sequence[ast.stmt]) -> list[str]:
    """The import statements, a line each."""
    return [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]


def constants_of(body: Sequence[ast.stmt]) -> list[str]:
    """The assignments that are short enough to be shown, a line each."""
    lines = [ast.unparse(node) for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return [line for line in lines if len(line) <= LONGEST_CONSTANT and not line.startswith("__")]


def signature(node: Definition) -> str:
    """`class Name`, or `name(parameters) -> type`."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def summary_of(node: Definition, used: Collection[str]) -> str:
    """The signature; for a class in `used` also what its objects have."""
    members = members_of(node) if isinstance(node, ast.ClassDef) and node.name in used else []
    line = "; ".join([f"class {node.name}: {members[0]}", *members[1:]]) if members else signature(node)
    return line if len(line) <= _LONGEST_CLASS else line[:_LONGEST_CLASS].rsplit(";", 1)[0] + "; …"


def names_in_signatures(words: str, names: Collection[str]) -> set[str]:
    """The names, such as types, in the signatures of `names` that `words` state in backticks."""
    stated = [found for name in names for found in re.findall(rf"`(?:def )?{re.escape(name)}(\([^`\n]*)`", words)]
    return set(re.findall(r"[A-Za-z_]\w*", " ".join(stated)))


def members_of(owner: ast.ClassDef, without: Collection[str] = ()) -> list[str]:
    """What objects of a class have, a line each: fields, what `__init__` sets, signatures of its methods."""
    lines = constants_of(owner.body)
    for node in owner.body:
        if not isinstance(node, Function) or node.name in without:
            continue
        if node.name == "__init__":
            lines += [line for line in constants_of(node.body) if line.startswith("self.")]
        else:
            lines.append(signature(node))
    return lines


def touched_functions(before: str, after: str) -> list[str]:
    """Names (`function`, `Class.method`) of what the module `after` adds or defines differently from `before`.

    Docstrings and comments make no difference.
    """
    old = dict(_functions(parsed(before) or ()))
    return [name for name, code in _functions(parsed(after) or ()) if old.get(name) != code]


def _functions(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every function and method with its code in normal form."""
    for node in body:
        if isinstance(node, Function):
            documented = ast.get_docstring(node) is not None
            yield (
                f"{prefix}{node.name}",
                "\n".join(
                    [
                        ast.unparse(node.args),
                        *map(ast.dump, node.decorator_list),
                        *map(ast.dump, node.body[documented:]),
                    ]
                ),
            )
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
