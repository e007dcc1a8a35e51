"""Merges a model's definitions into a Python module. Definitions, the constants they need and the imports they use are
taken; example calls, prints, asserts, `if __name__ == "__main__"` blocks and tests beside the code are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from file_system.code.names import (
    Definition,
    Function,
    assigned_names,
    bound_names,
    eager_names,
    module_names,
    start_of,
    used_names,
)
from file_system.edits.answer_text import elided_line, repaired
from file_system.edits.imports import Imported, ModuleIdentity, imports_of, with_imports
from file_system.edits.placement import insertions, is_complete, member_splices, replacement
from file_system.edits.source import Splice, end_of, key_of, only_repeats, renamed, spliced
from file_system.errors import ElidedCode, MergeRefused
from file_system.syntax import check_syntax, newline_of, parse_python, split_lines, with_newline
from file_system.walk import is_test_file


@dataclass(frozen=True)
class Offer:
    """The statements that are kept, in their order, and the imports of the code."""

    statements: tuple[ast.stmt, ...]
    imports: tuple[Imported, ...]

    @property
    def definitions(self) -> list[Definition]:
        """The functions and classes among the statements."""
        return [node for node in self.statements if isinstance(node, Definition)]


def offer_of(tree: ast.Module, path: str, existing: Collection[str]) -> Offer:
    """What `tree` offers to the module at `path`, which binds the names `existing`."""
    tests_count = is_test_file(path)
    kept: list[ast.stmt] = [node for node in tree.body if _is_definition(node, existing, tests_count)]
    candidates = [node for node in tree.body if _is_constant(node) or _is_guarded_import(node)]
    chosen = [node for node in candidates if _stands_for_itself(node, existing)]
    # What kept statements use is kept too, and so on.
    while True:
        needed = used_names([*kept, *chosen])
        more = [node for node in candidates if node not in chosen and _new_names(node, existing) & needed]
        if not more:
            break
        chosen += more
    order = {id(node): number for number, node in enumerate(tree.body)}
    statements = sorted([*kept, *chosen], key=lambda node: order[id(node)])
    imports = imports_of(node for node in tree.body if not _is_guarded_import(node))
    return Offer(tuple(statements), tuple(imports))


def _is_definition(node: ast.stmt, existing: Collection[str], tests_count: bool) -> bool:
    if not isinstance(node, Definition):
        return False
    is_test = node.name.startswith(("test_", "Test")) and node.name not in existing
    return tests_count or not is_test


def _is_constant(node: ast.stmt) -> bool:
    """Assignments to plain names; not to dunders, which describe the module, and not with parts left out as `...`."""
    names = assigned_names(node)
    if not names or any(name.startswith("__") for name in names):
        return False
    return not any(isinstance(item, ast.Constant) and item.value is ... for item in _value_nodes(node))


def _value_nodes(node: ast.stmt) -> Sequence[ast.AST]:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return list(ast.walk(value)) if value is not None else []


def _is_guarded_import(node: ast.stmt) -> bool:
    """`try: import x` with a fallback."""
    return isinstance(node, ast.Try) and bool(imports_of([node]))


def _stands_for_itself(node: ast.stmt, existing: Collection[str]) -> bool:
    """A constant the module has, or one that is written like a constant; `result = f(1)` is an example."""
    names = assigned_names(node)
    return any(name in existing or name.strip("_").isupper() for name in names)


def _new_names(node: ast.stmt, existing: Collection[str]) -> set[str]:
    return bound_names([node]) - (set(existing) if _is_guarded_import(node) else set())


@dataclass(frozen=True)
class Merge:
    """The new text of a module, and the names that were replaced in it and added to it."""

    text: str
    replaced: tuple[str, ...]
    added: tuple[str, ...]


def merge_definitions(text: str, fence: str, path: str) -> Merge:
    """The module `text` at `path` with the definitions of `fence`, the code of a model's answer.

    Functions, classes and constants of the same name are replaced in place; a class that lacks methods of the
    present one is merged method by method. New ones follow the last definition (constants: precede the first), before
    an `if __name__ == "__main__":` block. Imports are added when they are used and missing, imports from the module
    itself are dropped, and one whose name means something else here is brought in under another name. Everything else
    keeps its bytes, and merging the same code again changes nothing.

    Raises SyntaxProblem (for either text), ElidedCode, or MergeRefused when the code defines nothing.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    newline = newline_of(text or "\n")
    module = parse_python(path, text)
    existing = module_names(module)
    code = with_newline(repaired(fence), newline)
    offer = offer_of(parse_python(path, code), path, existing)
    imports, renames = _imports_to_add(offer, module, path)
    for old, new in renames.items():
        code = renamed(path, code, old, new)
    tree = parse_python(path, code)
    offer = offer_of(tree, path, existing)
    if not offer.statements:
        raise MergeRefused(path, "the answer defines nothing: it needs the whole function or class, from `def` on")
    merging = _Merging(path, split_lines(text), module, split_lines(code), offer)
    merging.plan()
    merged = with_imports(merging.text(), imports)
    check_syntax(path, merged)
    lost = existing - module_names(parse_python(path, merged))
    if lost:
        raise MergeRefused(path, f"the answer would remove {', '.join(sorted(lost))}; keep what is there")
    return Merge(mark + merged, tuple(merging.replaced), tuple(merging.added))


class _Merging:
    """One merge in progress: the replacements, and the new statements."""

    def __init__(self, path: str, lines: list[str], module: ast.Module, offered: list[str], offer: Offer) -> None:
        self._path = path
        self._lines = lines
        self._module = module
        self._offered = offered
        self._offer = offer
        self._imported = {imported.bound for imported in imports_of(module.body)}
        self._present = _by_key(module.body)
        self._splices: list[Splice] = []
        self._new: list[ast.stmt] = []
        self._users: list[tuple[int, ast.stmt]] = []
        self.replaced: list[str] = []
        self.added: list[str] = []

    def plan(self) -> None:
        """Decide for each offered statement whether it replaces something or is new."""
        for key, nodes in _by_key(self._offer.statements).items():
            present = self._present.get(key)
            owner = None if present else self._owner_of_method(nodes[-1])
            if present:
                self._replace(present, nodes)
            elif owner is not None:
                self._splices += member_splices(self._lines, owner, self._offered, nodes)
                self.replaced.append(f"{owner.name}.{key[0]}")
            elif key[0] not in self._imported:
                self._check_whole(nodes)
                self._new += nodes if key[1] else nodes[-1:]
                self.added.append(key[0])

    def text(self) -> str:
        """The module with all splices made."""
        self._new.sort(key=start_of)
        self._splices += insertions(self._lines, self._module, self._offered, self._new, self._users)
        return spliced(self._lines, self._splices)

    def _replace(self, present: Sequence[ast.stmt], nodes: Sequence[ast.stmt]) -> None:
        """Pair by pair from the last; the one before it for overloads, which come in groups."""
        for old, new in zip(reversed(present), reversed(nodes), strict=False):
            if only_repeats(old, new):
                continue
            if isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef) and not is_complete(old, new):
                self._check_whole(item for item in new.body if key_of(item) is not None)
                splices = member_splices(self._lines, old, self._offered, new.body)
            else:
                self._check_whole([new])
                splices = [replacement(self._lines, old, self._offered, new)]
            self._users.append((start_of(old), new))
            changed = [
                s for s in splices if "".join(self._lines[s.start : s.end]).rstrip("\r\n") != s.text.rstrip("\r\n")
            ]
            if changed:
                self._splices += changed
                self.replaced.append((key_of(new) or (assigned_names(new)[0], ""))[0])

    def _owner_of_method(self, node: ast.stmt) -> ast.ClassDef | None:
        """The class that a bare `def f(self)` belongs to: the only one with such a method, else the only one."""
        if not isinstance(node, Function) or [arg.arg for arg in node.args.args[:1]] not in (["self"], ["cls"]):
            return None
        classes = [item for item in self._module.body if isinstance(item, ast.ClassDef)]
        having = [owner for owner in classes if any(key_of(item) == key_of(node) for item in owner.body)]
        candidates = having or classes
        return candidates[0] if len(candidates) == 1 else None

    def _check_whole(self, nodes: Iterable[ast.stmt]) -> None:
        for node in nodes:
            placeholder = elided_line(self._offered[start_of(node) - 1 : end_of(node)], self._lines)
            if placeholder is not None:
                raise ElidedCode(self._path, placeholder)


def _by_key(nodes: Iterable[ast.stmt]) -> dict[tuple[str, str], list[ast.stmt]]:
    """Definitions and constants by what they are known by, in order."""
    found: dict[tuple[str, str], list[ast.stmt]] = {}
    for node in nodes:
        key = key_of(node)
        if key is not None:
            found.setdefault(key, []).append(node)
        elif names := assigned_names(node):
            found.setdefault((names[0], ""), []).append(node)
        elif isinstance(node, ast.Try):
            found.setdefault((f"try at line {node.lineno}", ""), []).append(node)
    return found


def _imports_to_add(offer: Offer, module: ast.Module, path: str) -> tuple[list[Imported], dict[str, str]]:
    """Imports that the module lacks, and names to be written otherwise because they mean something else in it."""
    identity = ModuleIdentity(path)
    present = imports_of(module.body)
    existing = module_names(module)
    defined = {node.name for node in [*offer.definitions, *module.body] if isinstance(node, Definition)}
    used = used_names(offer.statements)
    wanted: list[Imported] = []
    renames: dict[str, str] = {}
    for imported in offer.imports:
        needed = imported.bound in used or imported.bound == "*" or (identity.is_package and imported.level > 0)
        if imported.module == "__future__":
            needed = not module.body or _refers_forward(offer)
        known = any(imported.same_as(other) for other in [*present, *wanted])
        if not needed or known or identity.is_self_import(imported, defined):
            continue
        if imported.bound not in existing or _submodule(imported, present):
            wanted.append(imported)
            continue
        resolved, name = _under_other_name(imported, present, path)
        renames[imported.bound] = name
        if resolved is not None and resolved not in present:
            wanted.append(resolved)
    return wanted, renames


def _refers_forward(offer: Offer) -> bool:
    """Whether annotations name classes of the offer itself, which may not exist yet when they are read.

    Only then is `from __future__ import annotations` worth changing how the whole module's annotations are read.
    """
    classes = {node.name for node in offer.definitions if isinstance(node, ast.ClassDef)}
    return bool(classes & set().union(*(eager_names(node) for node in offer.definitions)))


def _submodule(imported: Imported, present: Sequence[Imported]) -> bool:
    """`import a.b` beside `import a`: both bind `a` to the same package."""
    return (
        imported.name is None
        and imported.alias is None
        and any(other.name is None and other.alias is None and other.bound == imported.bound for other in present)
    )


def _under_other_name(imported: Imported, present: Sequence[Imported], path: str) -> tuple[Imported | None, str]:
    """An import to add, or None, and the expression that then stands for what `imported` binds."""
    for other in present:
        if imported.name and other.name is None and other.module == imported.module and imported.level == 0:
            return None, f"{other.alias or other.module}.{imported.name}"
    if imported.name is None and "." in imported.module and imported.alias is None:
        raise MergeRefused(
            path, f"{imported.bound!r} means something else here; import {imported.module} as another name"
        )
    alias = f"_{imported.bound}"
    return Imported(imported.level, imported.module, imported.name, alias), alias
