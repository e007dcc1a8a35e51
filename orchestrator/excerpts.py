"""What a small model is shown of the file it works on: enough to fit in, and nothing that it would copy back.

Shown a whole file it copies the file, at two to three times the price; shown functions as stubs it fills the stubs in.
"""

from __future__ import annotations

import ast
import random
import re
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from agents import Begun

LONGEST = 6000
"""Characters (about 1,700 tokens) a file may take in a small prompt."""
_LONGEST_CONSTANT = 160
_MOST_CONSTANTS = 200
"""Characters: of one that is shown, and of all together that are shown as code."""
_SHORTEST_RESUMED = 3
"""Statements a function has at least, for a part of it to be worth keeping."""
_LONGEST_SUMMARY = 90
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def excerpt(text: str, changed: Collection[str], imported: Sequence[str] = ()) -> str:
    """The Python module `text` in a few lines of Markdown; empty for an empty module.

    Its imports and constants as code, its other definitions by their signatures, and the present code of those in
    `changed`. `imported`: what the module has from others, a line each. Many constants are listed, too: as code they
    would be copied. What the definitions do is not told: small models take it as an order to write them.
    """
    body = _parsed(text)
    if body is None:
        return _code(text[:LONGEST].rsplit("\n", 1)[0])
    if not body:
        return ""
    parts: list[str] = []
    head, constants = _imports(body), _constants(body)
    if sum(map(len, constants)) <= _MOST_CONSTANTS:
        head, constants = [*head, *constants], []
    if head:
        parts.append("It begins with\n" + _code("\n".join(head)))
    present = [node for node in body if isinstance(node, Definition)]
    if ready := [*imported, *constants, *(_signature(node) for node in present if _is_ready(node, changed))]:
        parts.append("It has these already, ready to be used:\n" + "\n".join(f"- `{line}`" for line in ready))
    lines = text.splitlines()
    if current := ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in present if node.name in changed]:
        parts.append("The present code that is to be changed:\n" + _code("\n\n\n".join(current)))
    return _fitting(parts)


def definition_line(text: str, name: str) -> str:
    """How the module `text` defines `name`, in one line: an alias or constant as it is, else a signature; or empty."""
    for node in _parsed(text) or ():
        if isinstance(node, Definition) and node.name == name:
            return _signature(node)
        if name in _targets(node) and len(line := ast.unparse(node)) <= _LONGEST_CONSTANT:
            return line
    return ""


def function_in(text: str, name: str) -> str:
    """The function `name` of the module `text` with the imports before it; empty when it is not there."""
    body = _parsed(text) or []
    function = _function(body, name)
    if function is None:
        return ""
    source = "\n".join(text.splitlines()[_first_line(function) - 1 : function.end_lineno])
    return "\n".join([*_imports(body), "", "", source])


@dataclass(frozen=True)
class Wanted:
    """A function that is to be written."""

    module: str
    """The text of its module as it is."""
    name: str
    title: str
    description: str
    imported: Sequence[str] = ()
    """What the module has from others, a line each."""


def begun_function(wanted: Wanted, *, steps: bool = False) -> Begun | None:
    """The function for a model to go on from: imports, signature, the task as its docstring.

    A short summary is kept as the docstring. With `steps` the function's first line is the beginning of a comment, from
    which a model goes on step by step. None when neither the task nor the module tells the signature.
    """
    return _begun(wanted, (), "    # Step 1:" if steps else "")


def resumed_function(wanted: Wanted, answer: str, chooser: random.Random) -> Begun | None:
    """As `begun_function`, with the first lines of `answer` (code of an earlier answer), up to a statement that

    `chooser` picks: what nearly worked is written anew from there. None when there is nothing to keep of it.
    """
    answered = _parsed(answer) or []
    function = _function(answered, wanted.name)
    if function is None:
        return None
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    places = sorted({node.lineno for top in body for node in ast.walk(top) if isinstance(node, ast.stmt)})
    if len(places) < _SHORTEST_RESUMED:
        return None
    kept = answer.splitlines()[places[0] - 1 : chooser.choice(places[1:]) - 1]
    return _begun(wanted, _imports(answered), "\n".join(kept) + "\n")


def _begun(wanted: Wanted, more_imports: Sequence[str], beginning: str) -> Begun | None:
    body = _parsed(wanted.module)
    if body is None:
        return None
    present = _function(body, wanted.name)
    signature = _stated_signature(wanted.description, wanted.name) or (_signature(present) if present else "")
    if not signature:
        return None
    imports = list(dict.fromkeys([*_imports(body), *more_imports]))
    ready = [*wanted.imported, *(_signature(node) for node in body if _is_ready(node, {wanted.name}))]
    head = [*imports, *_constants(body), *(f"# There is: {line}" for line in ready)]
    words = f"{wanted.title}.\n\n{wanted.description.strip()}".replace('"""', "'''").replace("\\", "\\\\")
    task = textwrap.indent(words, "    ").strip()
    short = _summary(words, wanted.name)
    return Begun(
        shown="\n".join([*head, "", "", f'def {signature}:\n    """{task}\n    """\n{beginning}']).lstrip("\n"),
        kept="\n".join([*imports, "", "", f'def {signature}:\n    """{short}"""\n{beginning}']).lstrip("\n"),
    )


def _parsed(text: str) -> list[ast.stmt] | None:
    """The statements of the module `text`; None when it is no Python."""
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError):
        return None


def _function(body: Sequence[ast.stmt], name: str) -> ast.FunctionDef | None:
    return next((node for node in body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _stated_signature(description: str, name: str) -> str:
    """The signature as the task writes it, `name(…) -> …` with annotated or plain parameters; empty if it does not."""
    for match in re.finditer(rf"`(?:def )?({re.escape(name)}\([^`\n]*\)(?:\s*->[^`\n:]*)?):?`", description):
        try:
            ast.parse(f"def {match[1]}: pass")
        except SyntaxError:
            continue
        return match[1]
    return ""


def _targets(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _is_ready(node: ast.stmt, changed: Collection[str]) -> TypeGuard[Definition]:
    return isinstance(node, Definition) and node.name not in changed and not node.name.startswith("_")


def _imports(body: Sequence[ast.stmt]) -> list[str]:
    return [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]


def _constants(body: Sequence[ast.stmt]) -> list[str]:
    lines = [ast.unparse(node) for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return [line for line in lines if len(line) <= _LONGEST_CONSTANT and not line.startswith("__")]


def _signature(node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def _summary(words: str, name: str) -> str:
    """The first sentence that says what the function does, not that it is to be added; of title and description."""
    sentences = [part.strip() for part in _SENTENCE_END.split(words) if part.strip()]
    telling = next((part for part in sentences if f"`{name}" not in part), sentences[0])
    telling = re.sub(r"^It (?=[a-z])", "", telling).rstrip(".")
    if len(telling) > _LONGEST_SUMMARY:
        telling = telling[:_LONGEST_SUMMARY].rsplit(" ", 1)[0] + " …"
    return f"{telling[:1].upper()}{telling[1:]}."


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _fitting(parts: list[str]) -> str:
    """All parts, the longest ones cut at a line until they fit."""
    while sum(map(len, parts)) > LONGEST:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        lines = parts[longest].splitlines()
        closing = ["```"] if lines[-1] == "```" else []
        parts[longest] = "\n".join([*lines[: len(lines) * 3 // 4], "…", *closing])
    return "\n\n".join(parts)
