"""What a small model sees of the file it works on: enough context for the new code, and nothing it would copy back.

If it sees a whole file, it copies the file, which costs two to three times as much; if it sees functions as stubs, it
fills the stubs in.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Sequence

from file_system import Definition
from file_system.code.outline import constants_of, imports_of, members_of, parsed, source_of, summary_of

LONGEST = 6000
"""Most characters (about 1,700 tokens) of a file in a small model's prompt."""
_MOST_CONSTANTS = 200
"""Most characters of constants that are shown as code."""


def excerpt(text: str, changed: Collection[str], imported: Sequence[str] = (), used: Collection[str] = ()) -> str:
    """The Python module `text` in a few lines of Markdown; empty for an empty module.

    It shows imports and constants as code, other definitions as signatures, and the present code of the names in
    `changed` (a method inside its class, without the other methods). `imported`: what the module can use from other
    modules, a line each. `used`: classes whose members are listed. Many constants are listed instead of shown as code,
    which the model would copy. The docstrings of other definitions are left out, because small models take them as an
    instruction to write those definitions.
    """
    body = parsed(text)
    if body is None:
        return _code(text[:LONGEST].rsplit("\n", 1)[0])
    if not body:
        return ""
    parts: list[str] = []
    head, constants = imports_of(body), constants_of(body)
    if sum(map(len, constants)) <= _MOST_CONSTANTS:
        head, constants = [*head, *constants], []
    if head:
        parts.append("It begins with\n" + _code("\n".join(head)))
    present = [node for node in body if isinstance(node, Definition)]
    ready = [summary_of(node, used) for node in present if node.name not in changed and not node.name.startswith("_")]
    if ready := [*imported, *constants, *ready, *_members(present, changed)]:
        parts.append("It has these already, ready to be used:\n" + "\n".join(f"- `{line}`" for line in ready))
    current = [source_of(text, node) for node in present if node.name in changed]
    current += [_with_class(text, node, found) for node in present if (found := _methods(node, changed))]
    if current:
        parts.append("The present code that is to be changed:\n" + _code("\n\n\n".join(current)))
    return _fitting(parts)


def plain_excerpt(text: str) -> str:
    """The beginning of a JavaScript file; empty for an empty one."""
    if not text.strip():
        return ""
    shown = text if len(text) <= LONGEST else text[:LONGEST].rsplit("\n", 1)[0] + "\n…"
    return f"It holds\n{_code(shown.rstrip(), 'js')}"


def _methods(owner: Definition, changed: Collection[str]) -> list[Definition]:
    """The methods of the class `owner` that the task changes."""
    return [node for node in owner.body if isinstance(node, Definition) and f"{owner.name}.{node.name}" in changed]


def _with_class(text: str, owner: Definition, methods: Sequence[Definition]) -> str:
    return f"class {owner.name}:\n" + "\n\n".join(textwrap.indent(source_of(text, node), "    ") for node in methods)


def _members(present: Sequence[Definition], changed: Collection[str]) -> list[str]:
    """The members of the classes whose methods the task changes or adds."""
    wanted = [name.rpartition(".") for name in changed]
    return [
        f"{node.name}: {line}"
        for node in present
        if isinstance(node, ast.ClassDef) and node.name in {owner for owner, _, _ in wanted}
        for line in members_of(node, without={name for owner, _, name in wanted if owner == node.name})
    ]


def _code(text: str, language: str = "python") -> str:
    """`text` in a fence that nothing in it can close."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _fitting(parts: list[str]) -> str:
    """All parts joined; the longest ones are shortened by whole lines until everything fits."""
    while sum(map(len, parts)) > LONGEST:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        lines = parts[longest].splitlines()
        closing = [lines[-1]] if lines[-1].startswith("```") else []
        parts[longest] = "\n".join([*lines[: len(lines) * 3 // 4], "…", *closing])
    return "\n\n".join(parts)
