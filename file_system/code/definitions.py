"""Definitions of a Python module's text: found by name (`function`, `Class` or `Class.method`) and told in a line."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Sequence

from file_system import NOT_PYTHON, Definition, Function, assigned_names, first_line_of

LONGEST_CONSTANT = 160
"""Characters of a constant that is shown."""
_LONGEST_CLASS = 600


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
    """The function or method of that name. A method may stand outside of its class, as small models write it."""
    owner = class_in(body, name)
    last = name.rpartition(".")[2]
    places = [*(owner.body if owner else ()), *body]
    return next((node for node in places if isinstance(node, ast.FunctionDef) and node.name == last), None)


def definition_line(text: str, name: str, used: Collection[str] = ()) -> str:
    """How the module `text` defines `name`, in one line: an alias or constant as it is, else as `told` says it."""
    for node in parsed(text) or ():
        if isinstance(node, Definition) and node.name == name:
            return told(node, used)
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


def told(node: Definition, used: Collection[str]) -> str:
    """The signature; of a class in `used` what its objects have, too."""
    members = members_of(node) if isinstance(node, ast.ClassDef) and node.name in used else []
    line = "; ".join([f"class {node.name}: {members[0]}", *members[1:]]) if members else signature(node)
    return line if len(line) <= _LONGEST_CLASS else line[:_LONGEST_CLASS].rsplit(";", 1)[0] + "; …"


def in_signatures(words: str, names: Collection[str]) -> set[str]:
    """What the signatures of `names` mention, types among it, as `words` state them: of what is there already the
    present code shows more.
    """
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
