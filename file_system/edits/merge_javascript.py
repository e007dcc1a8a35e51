"""Merges the definitions of a model's answer into a JavaScript or TypeScript module; the rest keeps its bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from file_system.code.javascript import DEFINITIONS, defined_names, exports_of, source_of
from file_system.edits.answer_text import elided_line
from file_system.edits.merge_python import Merge
from file_system.errors import ElidedCode, MergeRefused
from file_system.syntax import parse_javascript

_EXPORTED = re.compile(r"^export\s+(?:default\s+)?")
_REQUIRES = re.compile(r"\brequire\(")
_DIRECTIVE = re.compile(r"^[\"']use \w+[\"'];?$")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_ASSIGNED = re.compile(r"^(?:module\.)?exports\.([A-Za-z_$][\w$]*)\s*=")


@dataclass(frozen=True)
class _Offered:
    """One definition of the answer."""

    name: str
    code: str
    """Without what exports it."""
    comment: str
    """The comment above it, its line end included; or empty."""
    exported: str
    """`export `, `export default ` or nothing, as the answer writes it."""


def merge_javascript(text: str, code: str, path: str, wanted: Collection[str] = (), *, esm: bool = True) -> Merge:
    """The module `text` at `path` with the functions, classes and values that `code`, a model's answer, defines.

    One of the same name is replaced in place and stays exported as it was. New ones follow the last definition and are
    exported when they are `wanted` or the answer exports them, in the module's own style: `export`, or
    `module.exports`. Imports and requires of names that are missing are added. Everything else of the answer (example
    calls, exports of what is there) is left out. `esm`: what a module is that neither imports nor exports yet.

    Raises SyntaxProblem (for either text), ElidedCode, or MergeRefused when the code defines nothing.
    """
    offered_tree = parse_javascript(path, code)
    offered = list({item.name: item for item in _offered(offered_tree.root_node)}.values())  # the last one counts
    if not offered:
        raise MergeRefused(path, "the answer defines nothing: it needs the whole function or class")
    module = parse_javascript(path, text)
    for item in offered:
        placeholder = elided_line(item.code.splitlines(), text.splitlines())
        if placeholder is not None:
            raise ElidedCode(path, placeholder)
    exported = exports_of(module)
    if exported.esm or exported.nodes or _REQUIRES.search(text):
        esm = exported.esm
    merging = _Merging(text, module.root_node, esm, wanted)
    merging.imports([node for node in offered_tree.root_node.named_children if _imports(node)])
    for item in offered:
        merging.take(item)
    merged = merging.text()
    parse_javascript(path, merged)
    return Merge(merged, tuple(merging.replaced), tuple(merging.added))


class _Merging:
    """One merge in progress: the byte ranges to replace, and the new code."""

    def __init__(self, text: str, root: Node, esm: bool, wanted: Collection[str]) -> None:
        self._bytes = text.encode()
        self._root = root
        self._esm = esm
        self._wanted = wanted
        self._present = {name: node for node in root.named_children for name in defined_names(node)}
        self._present |= {name: node for node in root.named_children if (name := _assigned(node))}
        self._bound = set(self._present) | {name for node in root.named_children for name in _imports(node)}
        self._edits: list[tuple[int, int, str]] = []
        self._new: list[str] = []
        self._to_export: list[str] = []
        self.replaced: list[str] = []
        self.added: list[str] = []

    def imports(self, nodes: list[Node]) -> None:
        """Add of the import statements and requires what binds a name that is not there."""
        missing: list[str] = []
        for node in nodes:
            if line := _unbound(node, self._bound):
                missing.append(line)
                self._bound |= set(_imports(node))
        if missing:
            body = self._root.named_children
            before = [node for node in body if _imports(node)] or [
                node for node in body if node.type == "hash_bang_line" or _DIRECTIVE.match(source_of(node))
            ]
            place = self._line_end(before[-1].end_byte) if before else 0
            self._edits.append((place, place, "".join(f"{line}\n" for line in missing) + ("" if before else "\n")))

    def take(self, item: _Offered) -> None:
        """Replace the definition of that name, or add it."""
        old = self._present.get(item.name)
        if old is None:
            export = item.name in self._wanted or bool(item.exported)
            written = (item.exported or "export ") if export and self._esm else ""
            self._new.append(f"{item.comment}{written}{item.code}\n")
            self.added.append(item.name)
            if export and not self._esm and not _ASSIGNED.match(item.code):
                self._to_export.append(item.name)
            return
        before = _EXPORTED.match(source_of(old))
        declared = before[0] if before else (item.exported if self._esm and item.name in self._wanted else "")
        comment = _comment_above(old)
        start = comment.start_byte if comment is not None and item.comment else old.start_byte
        new = f"{item.comment if comment is not None else ''}{declared}{item.code}"
        if self._bytes[start : old.end_byte].decode() != new:
            self._edits.append((start, old.end_byte, new))
            self.replaced.append(item.name)

    def text(self) -> str:
        """The module with all edits made."""
        if self._to_export:
            self._export()
        if self._new:
            self._add("".join(f"\n{definition}" for definition in self._new))
        result = self._bytes
        for start, end, new in sorted(self._edits, key=lambda edit: edit[:2], reverse=True):
            result = result[:start] + new.encode() + result[end:]
        return result.decode().lstrip("\n") if not self._bytes.strip() else result.decode()

    def _add(self, new: str) -> None:
        """Insert after the last definition or import: before code that only exports or runs."""
        nodes = [node for node in self._root.named_children if defined_names(node) or _assigned(node) or _imports(node)]
        place = self._line_end(nodes[-1].end_byte) if nodes else len(self._bytes)
        if place and self._bytes[place - 1 : place] != b"\n":
            new = "\n" + new
        self._edits.append((place, place, new))

    def _export(self) -> None:
        listed = next((node for node in map(_exports_object, self._root.named_children) if node is not None), None)
        if listed is None:
            # At the end: what replaces `module.exports` as a whole may come before.
            added = "".join(f"module.exports.{name} = {name};\n" for name in self._to_export)
            self._edits.append((len(self._bytes), len(self._bytes), f"\n{added}"))
            return
        items = [node for node in listed.named_children if node.type != "comment"]
        if not items:
            comments = source_of(listed)[1:-1]
            new = f"{{ {', '.join(self._to_export)}{comments if comments.strip() else ' '}}}"
            self._edits.append((listed.start_byte, listed.end_byte, new))
            return
        last = items[-1]
        lines = last.start_point.row != listed.start_point.row
        separator = ",\n" + " " * last.start_point.column if lines else ", "
        added = "".join(f"{separator}{name}" for name in self._to_export)
        self._edits.append((last.end_byte, last.end_byte, added))

    def _line_end(self, byte: int) -> int:
        found = self._bytes.find(b"\n", byte)
        return len(self._bytes) if found < 0 else found + 1


def _offered(root: Node) -> Iterator[_Offered]:
    for node in root.named_children:
        names = defined_names(node) or ([name] if (name := _assigned(node)) else [])
        if not names or _imports(node):
            continue
        source = source_of(node)
        exported = _EXPORTED.match(source)
        above = _comment_above(node)
        comment = f"{source_of(above)}\n" if above is not None else ""
        yield _Offered(
            names[0], source[exported.end() :] if exported else source, comment, exported[0] if exported else ""
        )


def _assigned(node: Node) -> str:
    """The name that `exports.name = function …` defines at once."""
    if node.type != "expression_statement" or not (found := _ASSIGNED.match(source_of(node))):
        return ""
    value = node.named_children[0].child_by_field_name("right")
    return found[1] if value is not None and value.type not in ("identifier", "member_expression") else ""


def _imports(node: Node) -> list[str]:
    """Names that an import statement or a `const … = require(…)` binds."""
    source = source_of(node)
    if node.type == "import_statement":
        words = re.split(r"\bfrom\b", source.removeprefix("import"))[0]
        words = re.sub(r"[\w$]+\s+as\s+", "", words)
        return [name for name in _NAME.findall(words) if name not in ("as", "type", "default")]
    if node.type in DEFINITIONS and re.search(r"=\s*require\(", source):
        return _NAME.findall(re.sub(r"^\w+\s+", "", source.partition("=")[0]))
    return []


def _unbound(node: Node, bound: Collection[str]) -> str:
    """An import statement or require with those of its names that are not `bound`; empty when none is left."""
    source = source_of(node)
    if not set(_imports(node)) & set(bound):
        return source
    declared = node.named_children[0]
    names = declared if declared.type == "import_clause" else declared.child_by_field_name("name")
    if names is None or names.type not in ("import_clause", "object_pattern"):
        return ""
    kept = ", ".join(filter(None, (_parts_left(part, bound) for part in _parts(names))))
    if not kept:
        return ""
    written = kept if names.type == "import_clause" else f"{{ {kept} }}"
    return source.replace(source_of(names), written, 1)


def _parts_left(part: Node, bound: Collection[str]) -> str:
    """Of a default, a namespace, a braced list or one item of that what binds names that are not `bound`."""
    if part.type != "named_imports":
        return "" if _NAME.findall(source_of(part).partition("=")[0])[-1] in bound else source_of(part)
    kept = [left for item in _parts(part) if (left := _parts_left(item, bound))]
    return f"{{ {', '.join(kept)} }}" if kept else ""


def _parts(node: Node) -> list[Node]:
    return [part for part in node.named_children if part.type != "comment"]


def _exports_object(node: Node) -> Node | None:
    """The object of `module.exports = { … }`."""
    assigned = node.named_children[0] if node.type == "expression_statement" and node.named_children else None
    left = assigned.child_by_field_name("left") if assigned is not None else None
    right = assigned.child_by_field_name("right") if assigned is not None else None
    if left is None or right is None or source_of(left) != "module.exports":
        return None
    return right if right.type == "object" else None


def _comment_above(node: Node) -> Node | None:
    above = node.prev_named_sibling
    if above is None or above.type != "comment" or above.end_point.row + 1 != node.start_point.row:
        return None
    return above
