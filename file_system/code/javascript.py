"""JavaScript and TypeScript as tree-sitter reads them: whether a text parses, what it exports, what it uses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from tree_sitter import Language, Node, Parser, Tree
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_tsx, language_typescript

from file_system.errors import SyntaxProblem

JAVASCRIPT_SUFFIXES = frozenset({".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx"})

FUNCTIONS = frozenset({"function_declaration", "generator_function_declaration"})
CLASSES = frozenset({"class_declaration", "abstract_class_declaration"})
TYPES = frozenset({"interface_declaration", "type_alias_declaration", "enum_declaration"})
VALUES = frozenset({"lexical_declaration", "variable_declaration"})
DEFINITIONS = FUNCTIONS | CLASSES | TYPES | VALUES
_FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
_SHOWN_LINE = 160


def is_javascript(path: str) -> bool:
    """Whether a file's name says that it is JavaScript or TypeScript."""
    return PurePosixPath(path).suffix.casefold() in JAVASCRIPT_SUFFIXES


def parse_javascript(path: str, text: str) -> Tree:
    """The syntax tree of a module; raises SyntaxProblem with the first place that does not parse."""
    tree = _parser(PurePosixPath(path).suffix.casefold()).parse(text.encode())
    if tree.root_node.has_error:
        wrong = _first_error(tree.root_node)
        line = wrong.start_point.row + 1
        lines = text.splitlines()
        shown = lines[line - 1][:_SHOWN_LINE] if line <= len(lines) else ""
        problem = f"{wrong.type!r} is missing" if wrong.is_missing else "invalid syntax"
        raise SyntaxProblem(path, line, problem, f"> {line:4} {shown}")
    return tree


def source_of(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


@dataclass(frozen=True)
class Exported:
    """What a module hands out."""

    nodes: dict[str, Node] = field(default_factory=dict)
    """Exported name -> the node that defines it, or that hands it on; the default export is `default`."""
    default_name: str = ""
    """The name that the default export has in the module, where it has one."""
    esm: bool = False
    """It is an ES module; otherwise `module.exports` and `exports` count."""

    @property
    def names(self) -> list[str]:
        """The named ones."""
        return [name for name in self.nodes if name != "default"]


def exports_of(tree: Tree) -> Exported:
    """The exports of a module. One that exports nothing is taken for CommonJS unless it imports."""
    body = tree.root_node.named_children
    esm = any(node.type in ("export_statement", "import_statement") for node in body)
    local = {name: node for node in body for name in defined_names(node)}
    nodes: dict[str, Node] = {}
    default_name = ""
    for node in body:
        found = _esm_exports(node) if esm else _commonjs_exports(node)
        for name, bound, where in found:
            nodes[name] = local.get(bound, where)
            if name == "default":
                default_name = bound
    return Exported(nodes, default_name, esm)


def defined_names(node: Node) -> list[str]:
    """Names that a statement at the top level defines, also when it exports them."""
    if node.type == "export_statement":
        declared = node.child_by_field_name("declaration")
        return defined_names(declared) if declared is not None else []
    if node.type in VALUES:
        names = (part.child_by_field_name("name") for part in node.named_children if part.type == "variable_declarator")
        return [source_of(name) for name in names if name is not None and name.type == "identifier"]
    name = node.child_by_field_name("name")
    return [source_of(name)] if node.type in DEFINITIONS and name is not None else []


def function_value(node: Node) -> Node | None:
    """The function that `const f = …` is bound to, if it is one."""
    for part in node.named_children if node.type in VALUES else ():
        value = part.child_by_field_name("value")
        if value is not None and value.type in _FUNCTION_VALUES:
            return value
    return None


@dataclass(frozen=True)
class Expression:
    """What a JavaScript expression uses."""

    called: tuple[str, ...]
    """Names that it calls or constructs, dotted: `cart.total`."""
    free: frozenset[str]
    """Names that it needs from outside, the language's own among them."""


def javascript_expression(source: str) -> Expression | None:
    """What the expression `source` uses; None when it is none, or is more than one."""
    wrapped = f"({source}\n)"
    root = _parser(".js").parse(wrapped.encode()).root_node
    if root.has_error or len(root.named_children) != 1 or root.named_children[0].type != "expression_statement":
        return None
    whole = root.named_children[0].named_children[0]
    if whole.type != "parenthesized_expression" or len(whole.named_children) != 1:
        return None  # a comment, or two expressions
    if whole.named_children[0].type == "sequence_expression" or (whole.text or b"") != wrapped.encode():
        return None
    nodes = list(_walk(whole))
    called = [
        source_of(node.child_by_field_name("function") or node.child_by_field_name("constructor") or node)
        for node in nodes
        if node.type in ("call_expression", "new_expression")
    ]
    used = {source_of(node) for node in nodes if node.type in ("identifier", "shorthand_property_identifier")}
    own = {source_of(name) for node in nodes if node.type in _FUNCTION_VALUES for name in _parameters(node)}
    return Expression(tuple(called), frozenset(used - own))


def call_arguments(statement: str) -> tuple[str, list[str]]:
    """The called name and the arguments of a statement that is one call; empty when it is anything else."""
    root = _parser(".js").parse(statement.encode()).root_node
    body = root.named_children
    if root.has_error or len(body) != 1 or body[0].type != "expression_statement":
        return "", []
    call = body[0].named_children[0]
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if call.type != "call_expression" or function is None or arguments is None:
        return "", []
    return source_of(function), [source_of(argument) for argument in arguments.named_children]


def quoted(text: str) -> str:
    """`text` as a JavaScript string."""
    return json.dumps(text, ensure_ascii=False)


@cache
def _grammar(suffix: str) -> Language:
    if suffix == ".tsx":
        return Language(language_tsx())
    return Language(language_typescript() if suffix in (".ts", ".cts", ".mts") else javascript())


def _parser(suffix: str) -> Parser:
    return Parser(_grammar(suffix))  # one for each use: a parser is not to be shared between threads


def _first_error(node: Node) -> Node:
    for child in node.children:
        if child.is_error or child.is_missing:
            return child
        if child.has_error:
            return _first_error(child)
    return node


def _esm_exports(node: Node) -> Iterator[tuple[str, str, Node]]:
    """Exported name, name in the module, node."""
    if node.type != "export_statement":
        return
    if any(child.type == "default" for child in node.children):
        value = node.child_by_field_name("value") or node.child_by_field_name("declaration") or node
        yield "default", _own_name(value), value
        return
    for name in defined_names(node):
        yield name, name, node
    for clause in (child for child in node.named_children if child.type == "export_clause"):
        for item in clause.named_children:
            own, alias = item.child_by_field_name("name"), item.child_by_field_name("alias")
            if own is not None:
                yield source_of(alias or own), source_of(own), item


def _commonjs_exports(node: Node) -> Iterator[tuple[str, str, Node]]:
    assigned = node.named_children[0] if node.type == "expression_statement" else None
    if assigned is None or assigned.type != "assignment_expression":
        return
    left, right = assigned.child_by_field_name("left"), assigned.child_by_field_name("right")
    if left is None or right is None:
        return
    target = source_of(left)
    if target.startswith(("exports.", "module.exports.")):
        yield target.rpartition(".")[2], source_of(right) if right.type == "identifier" else "", right
    elif target == "module.exports" and right.type == "object":
        for item in right.named_children:
            if item.type == "shorthand_property_identifier":
                yield source_of(item), source_of(item), item
            elif (key := item.child_by_field_name("key") or item.child_by_field_name("name")) is not None:
                value = item.child_by_field_name("value")
                yield source_of(key), source_of(value) if value is not None else "", value or item
    elif target == "module.exports":
        yield "default", _own_name(right), right


def _own_name(value: Node) -> str:
    """The name that a value has in the module: of a variable itself, of a function or class the one it is given."""
    name = value if value.type == "identifier" else value.child_by_field_name("name")
    return source_of(name) if name is not None else ""


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.named_children:
        yield from _walk(child)


def _parameters(function: Node) -> Iterator[Node]:
    given = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    for node in _walk(given) if given is not None else ():
        if node.type in ("identifier", "shorthand_property_identifier_pattern"):
            yield node
