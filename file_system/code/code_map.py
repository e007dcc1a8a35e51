"""The map of a code base: which module defines what, in a size that fits a prompt."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from pathlib import Path

from file_system import atomic
from file_system.code.javascript import javascript_outline_of
from file_system.code.names import Definition, assigned_names, start_of
from file_system.code.outline import ClassOutline, CodeOutline, FunctionOutline, outline_of, unconditional
from file_system.errors import FileMissing, FileSystemError, FileTooLarge, SyntaxProblem
from file_system.paths import checked_parts, opened_parent
from file_system.syntax import is_javascript, parse_python, split_lines
from file_system.walk import is_test_file, walk

_LARGEST_MODULE = 1024 * 1024
_MOST_MODULES = 5000


class CodeMap:
    """Outlines of all Python, JavaScript and TypeScript modules below a folder."""

    def __init__(self, root: Path, modules: Sequence[CodeOutline]) -> None:
        self._root = root
        self.modules = tuple(modules)

    @classmethod
    def of(cls, root: Path) -> CodeMap:
        """Read the modules below `root`; those that cannot be read or parsed are listed with their problem.

        Virtual environments, caches and git's folders are left out; at most 5000 modules are read.
        """
        resolved = root.resolve(strict=True)
        modules: list[CodeOutline] = []
        for path in walk(resolved):
            outline = outline_of if path.endswith(".py") else javascript_outline_of if is_javascript(path) else None
            if outline is not None and len(modules) < _MOST_MODULES:
                try:
                    modules.append(outline(path, _text(resolved, path)))
                except SyntaxProblem as problem:
                    modules.append(CodeOutline(path=path, problem=f"line {problem.line}: {problem.problem}"))
                except (FileTooLarge, UnicodeDecodeError) as problem:
                    modules.append(CodeOutline(path=path, problem=str(problem)[:160]))
                except (FileSystemError, OSError):
                    continue  # gone meanwhile, or not readable
        return cls(resolved, modules)

    def definition_source(self, path: str, name: str) -> str:
        """The source of `function`, `Class`, `Class.method` or `CONSTANT` in `path`, decorators included.

        Raises FileMissing when the file or the name does not exist, SyntaxProblem when it cannot be parsed.
        """
        text = _text(self._root, path)
        body: Sequence[ast.stmt] = parse_python(path, text).body
        found: ast.stmt | None = None
        for part in name.split("."):
            found = next((node for node in unconditional(body) if part in _bound(node)), None)
            if found is None:
                raise FileMissing(f"{path}: {name}")
            body = found.body if isinstance(found, ast.ClassDef) else []
        if found is None:
            raise FileMissing(f"{path}: {name}")
        return "".join(split_lines(text)[start_of(found) - 1 : found.end_lineno])

    def render(self, budget_chars: int, focus: Collection[str] = ()) -> str:
        """The map as text of at most `budget_chars` characters.

        Modules that have words of `focus` in their path, names or docstrings come first, tests last. What does not
        fit in full is listed with its names only, then its path only, and the rest is counted.
        """
        ordered = sorted(
            self.modules, key=lambda module: (-_hits(module, focus), is_test_file(module.path), module.path)
        )
        parts: list[str] = []
        left = budget_chars
        for number, module in enumerate(ordered):
            rest = len(ordered) - number
            reserve = len(_more(rest)) if rest > 1 else 0
            fitting = next((text for text in _renderings(module) if len(text) + 1 + reserve <= left), None)
            if fitting is None:
                parts.append(_more(rest) if len(_more(rest)) <= left else "")
                break
            parts.append(fitting)
            left -= len(fitting) + 1
        return "\n".join(part for part in parts if part)


def _text(root: Path, path: str) -> str:
    parts = checked_parts(path)
    with opened_parent(root, parts) as parent:
        return atomic.read_bytes(parent, parts[-1], path, _LARGEST_MODULE).decode("utf-8-sig")


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, Definition):
        return [node.name]
    return assigned_names(node)


def _renderings(module: CodeOutline) -> list[str]:
    """The module in full, with names only, and as a bare path: from long to short."""
    if module.problem:
        return [f"{module.path}  (not parsed: {module.problem})", module.path]
    head = f"{module.path} — {module.doc}" if module.doc else module.path
    lines = [head]
    for function in module.functions:
        if function.public:
            lines.append(f"  {_line(function)}")
    for owner in module.classes:
        if owner.public:
            lines.append(f"  {_line(owner)}")
            lines += [f"    {_line(method)}" for method in owner.methods if method.public or method.name == "__init__"]
    names = [function.name for function in module.functions if function.public]
    names += [owner.name for owner in module.classes if owner.public]
    brief = f"{module.path}: {', '.join(names)}" if names else module.path
    return ["\n".join(lines), brief, module.path]


def _line(item: FunctionOutline | ClassOutline) -> str:
    return f"{item.signature} — {item.doc}" if item.doc else item.signature


def _more(count: int) -> str:
    return f"… and {count} more modules"


def _hits(module: CodeOutline, focus: Collection[str]) -> int:
    text = " ".join([module.path, module.doc, *module.names()]).casefold()
    return sum(word.casefold() in text for word in set(focus) if len(word) > 2)
