"""JavaScript and TypeScript, parsed by tree-sitter: a module's exports and outline, the names an expression uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node, Tree

from file_system.code.outline import ClassOutline, CodeOutline, FunctionOutline
from file_system.syntax import javascript_parser, parse_javascript

FUNCTIONS = frozenset({"function_declaration", "generator_function_declaration"})
CLASSES = frozenset({"class_declaration", "abstract_class_declaration"})
TYPES = frozenset({"interface_declaration", "type_alias_declaration", "enum_declaration"})
VALUES = frozenset({"lexical_declaration", "variable_declaration"})
DEFINITIONS = FUNCTIONS | CLASSES | TYPES | VALUES
_FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
_LONGEST = 240


def source_of(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


@dataclass(frozen=True)
class Exported:
    """The exports of a module."""

    nodes: dict[str, Node] = field(default_factory=dict)
    """Exported name -> the node that defines it, or that re-exports it; the default export is `default`."""
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
    """What the expression `source` uses; None when it is not exactly one expression."""
    wrapped = f"({source}\n)"
    root = javascript_parser(".js").parse(wrapped.encode()).root_node
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
    root = javascript_parser(".js").parse(statement.encode()).root_node
    body = root.named_children
    if root.has_error or len(body) != 1 or body[0].type != "expression_statement":
        return "", []
    call = body[0].named_children[0]
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if call.type != "call_expression" or function is None or arguments is None:
        return "", []
    return source_of(function), [source_of(argument) for argument in arguments.named_children]


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


def javascript_outline_of(path: str, text: str) -> CodeOutline:
    """The outline of a module's exports; raises SyntaxProblem when it cannot be parsed."""
    functions: list[FunctionOutline] = []
    classes: list[ClassOutline] = []
    constants: list[str] = []
    exported = exports_of(parse_javascript(path, text))
    for exported_as, node in exported.nodes.items():
        name = (exported.default_name or "default") if exported_as == "default" else exported_as
        declared = node.child_by_field_name("declaration") or node
        whole = node.parent if node.parent is not None and node.parent.type == "export_statement" else node
        if declared.type in CLASSES:
            classes.append(_class(name, whole, declared))
        elif declared.type in FUNCTIONS or (value := function_value(declared)) is not None or _is_function(declared):
            value = None if declared.type in FUNCTIONS else function_value(declared)
            functions.append(_function(name, whole, value or declared))
        else:
            constants.append(name)
    return CodeOutline(
        path=path, functions=tuple(functions), classes=tuple(classes), constants=tuple(dict.fromkeys(constants))
    )


def _is_function(node: Node) -> bool:
    return node.type in ("function_expression", "arrow_function", "generator_function", "method_definition")


def _function(name: str, whole: Node, function: Node) -> FunctionOutline:
    given = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    parameters = re.sub(r"\s+", " ", source_of(given)) if given is not None else "()"
    parameters = parameters if parameters.startswith("(") else f"({parameters})"
    returned = function.child_by_field_name("return_type")
    mark = "async " if any(child.type == "async" for child in function.children) else ""
    signature = f"{mark}function {name}{parameters}{source_of(returned) if returned is not None else ''}"
    return FunctionOutline(
        name=name,
        signature=signature[:_LONGEST],
        doc=_comment(whole),
        line=whole.start_point.row + 1,
        end_line=whole.end_point.row + 1,
    )


def _class(name: str, whole: Node, declared: Node) -> ClassOutline:
    body = declared.child_by_field_name("body")
    methods = [
        _method(_function(source_of(title), member, member))
        for member in (body.named_children if body is not None else [])
        if member.type == "method_definition" and (title := member.child_by_field_name("name")) is not None
    ]
    return ClassOutline(
        name=name,
        signature=f"class {name}",
        doc=_comment(whole),
        line=whole.start_point.row + 1,
        end_line=whole.end_point.row + 1,
        methods=tuple(methods),
    )


def _method(function: FunctionOutline) -> FunctionOutline:
    return function.model_copy(update={"signature": function.signature.replace("function ", "", 1)})


def _comment(node: Node) -> str:
    """The first line of the comment above."""
    above = node.prev_named_sibling
    if above is None or above.type != "comment" or above.end_point.row + 1 < node.start_point.row:
        return ""
    lines = (line.strip().strip("/*").strip() for line in source_of(above).splitlines())
    return next((line for line in lines if line), "")[:160]
