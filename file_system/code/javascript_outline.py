"""What a JavaScript or TypeScript module hands out: its exports with their signatures and first lines of comment."""

from __future__ import annotations

import re

from tree_sitter import Node

from file_system.code.javascript import CLASSES, FUNCTIONS, exports_of, function_value, parse_javascript, source_of
from file_system.code.outline import ClassOutline, CodeOutline, FunctionOutline

_LONGEST = 240


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
