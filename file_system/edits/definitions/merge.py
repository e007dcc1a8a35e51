"""Bringing the definitions of a model's answer into a Python module and leaving the rest of it byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from file_system.code.outline import assigned_names
from file_system.code.syntax import check_syntax, parse_python
from file_system.edits.definitions.classes import is_complete, member_splices, replacement
from file_system.edits.definitions.import_names import Imported, ModuleIdentity, imports_of
from file_system.edits.definitions.imports import with_imports
from file_system.edits.definitions.missing_imports import missing_imports
from file_system.edits.definitions.names import Definition, Function, eager_names, module_names, used_names
from file_system.edits.definitions.offer import Offer, offer_of
from file_system.edits.definitions.placement import insertions
from file_system.edits.definitions.relocation import end_of, key_of, only_repeats, renamed, start_of
from file_system.edits.definitions.splicing import Splice, spliced
from file_system.edits.elision import elided_line
from file_system.edits.repairs import repaired
from file_system.errors import ElidedCode, MergeRefused
from file_system.files.lines import newline_of, split_lines, with_newline


@dataclass(frozen=True)
class Merge:
    """The new text of a module, and the names that were replaced in it and added to it."""

    text: str
    replaced: tuple[str, ...]
    added: tuple[str, ...]


def merge_definitions(text: str, fence: str, path: str, *, add_imports: bool = True) -> Merge:
    """The module `text` at `path` with the definitions of `fence`, the code of a model's answer.

    Functions, classes and constants of the same name are replaced where they stand; a class that lacks methods of the
    present one is merged method by method. New ones follow the last definition (constants: precede the first), before
    an `if __name__ == "__main__":` block. Imports are added when they are used and missing, imports from the module
    itself are dropped, and one whose name means something else here is brought in under another name. Everything else
    keeps its bytes, and merging the same code again changes nothing. `add_imports`: of the standard library, those that
    the code uses and forgot.

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
    known = existing | {imported.bound for imported in imports}
    if add_imports:
        imports += missing_imports(offer.statements, known)
    merged = with_imports(merging.text(), imports)
    check_syntax(path, merged)
    lost = existing - module_names(parse_python(path, merged))
    if lost:
        raise MergeRefused(path, f"the answer would remove {', '.join(sorted(lost))}; keep what is there")
    return Merge(mark + merged, tuple(merging.replaced), tuple(merging.added))


class _Merging:
    """One merge under way: what is replaced where, and what is new."""

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
