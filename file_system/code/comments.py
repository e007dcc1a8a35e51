"""Comments in source code: TODO comments, and whether two texts differ in nothing but comments and white space."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict
from tree_sitter import Node

from file_system.code.languages import grammar_of, language_of
from file_system.code.names import Definition, Function, first_line_of
from file_system.syntax import NOT_PYTHON

_WORD = re.compile(r"(?P<word>TODO|FIXME)\b(?:\([^)\n]*\))?[ \t]*:?[ \t]*(?P<text>.*)")
_HASH = re.compile(r"^#+[ \t]*")
_SLASHES = re.compile(r"^\s*(?://+|/?\*+|#+|--|<!--)[ \t]*|(?<=\s)(?://+|#+)[ \t]*")
_CLOSING = re.compile(r"\s*(?:\*/|-->)\s*$")
_READ = ("Makefile", "Dockerfile", "Jenkinsfile", "Procfile", "Pipfile", "MANIFEST")
"""Files without a suffix that programs read."""
_AROUND = 3
"""Lines shown before and after a comment outside of all definitions."""


class TodoComment(BaseModel):
    """A TODO or FIXME comment."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    word: str
    text: str
    """What is to be done, on one line."""
    symbol: str = ""
    """`function`, `Class` or `Class.method` that the comment stands in or directly above."""
    around: str = ""
    """The source of that definition; without one a few lines around the comment."""


def todos_in(path: str, text: str) -> list[TodoComment]:
    """The TODO comments of a source file, in order. In Python only real comments count."""
    comments = _python_comments(text) if path.endswith(".py") else _other_comments(text)
    definitions = list(_definitions(text)) if path.endswith(".py") else []
    lines = text.splitlines()
    todos: list[TodoComment] = []
    for line, comment in comments:
        found = _WORD.match(comment)
        if found:
            symbol, around = _place(line, lines, definitions)
            todos.append(
                TodoComment(path=path, line=line, word=found["word"], text=found["text"], symbol=symbol, around=around)
            )
        elif todos and todos[-1].line + todos[-1].text.count("\n") + 1 == line:
            todos[-1] = todos[-1].model_copy(update={"text": f"{todos[-1].text}\n{comment}"})
    return [todo.model_copy(update={"text": " ".join(todo.text.split())}) for todo in todos]


def _python_comments(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], _HASH.sub("", token.string).strip()))
    except (tokenize.TokenError, SyntaxError):
        pass  # what comes before the error counts
    return found


def _other_comments(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if opening := _SLASHES.search(line):
            found.append((number, _CLOSING.sub("", line[opening.end() :]).strip()))
    return found


def _definitions(text: str) -> Iterator[tuple[str, int, int]]:
    """Dotted name, first and last line of every definition, outer ones first."""
    try:
        waiting: list[tuple[str, ast.AST]] = [("", ast.parse(text))]
    except NOT_PYTHON:
        return
    while waiting:
        within, node = waiting.pop(0)
        for child in ast.iter_child_nodes(node):
            name = within
            if isinstance(child, Definition):
                name = f"{within}.{child.name}" if within else child.name
                yield name, first_line_of(child), child.end_lineno or child.lineno
            waiting.append((name, child))


def _place(line: int, lines: Sequence[str], definitions: Sequence[tuple[str, int, int]]) -> tuple[str, str]:
    inside = [place for place in definitions if place[1] <= line <= place[2]]
    if not inside:
        below = line
        while below < len(lines) and lines[below].lstrip().startswith("#"):
            below += 1
        inside = [place for place in definitions if place[1] == below + 1]
    if inside:
        name, first, last = inside[-1]
        return name, "\n".join(lines[first - 1 : last])
    return "", "\n".join(lines[max(line - 1 - _AROUND, 0) : line + _AROUND])


def same_code(path: str, one: str, other: str) -> bool:
    """Whether two texts of the file at `path` differ in nothing but white space, line ends and comments.

    In a language that is not parsed here the texts must be equal.
    """
    language = language_of(path)
    if language is None or one == other:
        return one == other
    parser = grammar_of(language).parser
    first, second = (parser.parse(text.encode("utf-8", "surrogatepass")).root_node for text in (one, other))
    return list(_syntax(first)) == list(_syntax(second))


def _syntax(root: Node) -> Iterator[tuple[str, bytes | None]]:
    """Types and texts of the nodes in order, without comments; `end` marks show how the blocks nest."""
    waiting: list[Node | None] = [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            yield ("end", None)
        elif not node.type.endswith("comment"):
            yield (node.type, None if node.children else node.text)
            waiting += [None, *reversed(node.children)]


def same_but_documentation(path: str, before: str, after: str) -> bool:
    """Whether two texts of a file differ in nothing that is run or read by a program: in Python, only in comments,
    docstrings, annotations and white space; in other code, only in comments and white space; in texts, in anything."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith((".py", ".pyi")):
        visitor = _Undocumented(docstrings=bool(_READS_DOCSTRINGS.search(before + after)),
                                annotations=bool(_READS_ANNOTATIONS.search(before + after)))  # fmt: skip
        try:
            one, two = (ast.dump(visitor.visit(ast.parse(text))) for text in (before, after))
        except NOT_PYTHON:
            return before == after
        return one == two and _encoding(before) == _encoding(after)
    if language_of(path) is not None:
        return same_code(path, before, after)
    is_text = name.endswith((".md", ".rst", ".txt", ".adoc")) or "." not in name.lstrip(".")
    return before == after or (
        is_text and not name.startswith(("requirements", "constraints", ".")) and name not in _READ
    )


def _encoding(text: str) -> list[str]:
    """What the first two lines say of the file's encoding."""
    return [found[1] for line in text.splitlines()[:2] if (found := _CODING.match(line))]


_CODING = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_READS_DOCSTRINGS = re.compile(r"__doc__|\bgetdoc\b|\bdocopt\b")
_READS_ANNOTATIONS = re.compile(r"__annotations__|get_type_hints|get_annotations|\bsignature\(")
_HARMLESS_DECORATORS = {
    "staticmethod", "classmethod", "property", "setter", "getter", "deleter", "abstractmethod", "overload", "override",
    "final", "wraps", "lru_cache", "cache", "cached_property", "contextmanager", "asynccontextmanager", "deprecated",
}  # fmt: skip
_PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.Starred, ast.BinOp, ast.BitOr,
          ast.expr_context)  # fmt: skip


def _does_nothing(annotation: ast.expr | None) -> bool:
    """Whether an annotation only names types, so that nothing happens when it is evaluated."""
    return annotation is None or all(isinstance(node, _PLAIN) for node in ast.walk(annotation))


def _reads_no_annotations(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name | ast.Attribute) and (
        (called.id if isinstance(called, ast.Name) else called.attr) in _HARMLESS_DECORATORS
    )


class _Undocumented(ast.NodeTransformer):
    """Takes out docstrings and annotations. What stays: an annotated name without a value, which in a class can be a
    field; annotations that do something, or that a decorator may read; and what the module itself reads."""

    def __init__(self, *, docstrings: bool, annotations: bool) -> None:
        """Whether the module reads its docstrings or annotations."""
        self._keeps_docstrings, self._keeps_annotations = docstrings, annotations

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def _function(self, node: Function) -> ast.AST:
        read = self._keeps_annotations or not all(map(_reads_no_annotations, node.decorator_list))
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for argument in filter(None, every):
            if not read and _does_nothing(argument.annotation):
                argument.annotation = None
        if not read and _does_nothing(node.returns):
            node.returns = None
        return self._without_docstring(node)

    def _without_docstring(self, node: Definition | ast.Module) -> ast.AST:
        if (
            not self._keeps_docstrings
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
            and isinstance(node.body[0].value.value, str)
        ):
            node.body = [*node.body[1:], *([] if node.body[1:] or isinstance(node, ast.Module) else [ast.Pass()])]
        return self.generic_visit(node)
