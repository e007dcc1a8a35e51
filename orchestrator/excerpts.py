"""The part of a file a small model is shown: whole when short, else its frame and what the task is about."""

from __future__ import annotations

import ast
from collections.abc import Collection

LONGEST_WHOLE = 7000
"""Characters (about 2,000 tokens) up to which a file is shown as it is."""
_LONGEST_DEFINITION = 2500


def excerpt(text: str, about: Collection[str]) -> str:
    """`text` of a Python module, cut to fit a small prompt.

    A long module keeps its imports and constants, the definitions named in `about`, and the signature and first
    docstring line of every other one. What does not parse is cut at a line.
    """
    if len(text) <= LONGEST_WHOLE:
        return text
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text[:LONGEST_WHOLE].rsplit("\n", 1)[0]
    lines = text.splitlines()
    parts: list[str] = []
    for node in tree.body:
        source = "\n".join(lines[_first_line(node) - 1 : node.end_lineno])
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            parts.append(source if len(source) <= 400 else source[:400] + " …")
        elif node.name in about and len(source) <= _LONGEST_DEFINITION:
            parts.append("\n" + source)
        else:
            parts.append(_frame(node))
    return _fitting(parts)


def _frame(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        inner = [_frame(item) for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return "\n".join([f"class {node.name}({bases}):" if bases else f"class {node.name}:", *map(_indented, inner)])
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    doc = (ast.get_docstring(node) or "").split("\n")[0][:80]
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}: ...  # {doc}".rstrip("# ")


def _indented(text: str) -> str:
    return "    " + text


def _first_line(node: ast.stmt) -> int:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return node.lineno


def _fitting(parts: list[str]) -> str:
    """The parts in order as far as they fit; those that do not are counted in a comment."""
    kept: list[str] = []
    left = LONGEST_WHOLE
    dropped = 0
    for part in parts:
        if len(part) > left:
            dropped += 1
            continue
        kept.append(part)
        left -= len(part) + 1
    if dropped:
        kept.append(f"# … {dropped} more definitions")
    return "\n".join(kept)
