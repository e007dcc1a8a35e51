"""A wanted function begun, for a small model to go on from: it goes on with more care than it begins."""

from __future__ import annotations

import ast
import random
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from agents import Begun
from file_system import Definition
from file_system.code.outline import (
    class_in,
    constants_of,
    function_named,
    imports_of,
    members_of,
    names_in_signatures,
    parsed,
    signature,
    summary_of,
)

_SHORTEST_RESUMED = 3
"""Statements a function has at least, for a part of it to be worth keeping."""
_LONGEST_SUMMARY = 90
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Wanted:
    """A function or method that is to be written."""

    module: str
    """The text of its module as it is."""
    name: str
    """`function` or `Class.method`."""
    title: str
    description: str
    imported: Sequence[str] = ()
    """What the module has from others, a line each."""

    @property
    def last_name(self) -> str:
        """The name without its class."""
        return self.name.rpartition(".")[2]


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
    answered = parsed(answer) or []
    function = function_named(answered, wanted.name)
    if function is None:
        return None
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    places = sorted({node.lineno for top in body for node in ast.walk(top) if isinstance(node, ast.stmt)})
    if len(places) < _SHORTEST_RESUMED:
        return None
    kept = answer.splitlines()[places[0] - 1 : chooser.choice(places[1:]) - 1]
    return _begun(wanted, imports_of(answered), "\n".join(line[function.col_offset :] for line in kept) + "\n")


def _begun(wanted: Wanted, more_imports: Sequence[str], beginning: str) -> Begun | None:
    body = parsed(wanted.module)
    if body is None:
        return None
    owner, present = class_in(body, wanted.name), function_named(body, wanted.name)
    stated = _stated_signature(wanted, in_class=owner is not None)
    if present and (not stated or _parameters(stated) == _parameters(signature(present))):
        stated = signature(present)  # the same, most often with its types
    if not stated:
        return None
    imports = list(dict.fromkeys([*imports_of(body), *more_imports]))
    others = [node for node in body if isinstance(node, Definition) and node.name != wanted.name and node is not owner]
    used = names_in_signatures(wanted.description, [wanted.name])
    ready = [*wanted.imported, *(summary_of(node, used) for node in others if not node.name.startswith("_"))]
    head = [*imports, *constants_of(body), *(f"# There is: {line}" for line in ready)]
    words = f"{wanted.title}.\n\n{wanted.description.strip()}".replace('"""', "'''").replace("\\", "\\\\")
    task = textwrap.indent(words, "    ").strip()
    shown = f'def {stated}:\n    """{task}\n    """\n{beginning}'
    kept = f'def {stated}:\n    """{_summary(words, wanted.last_name)}"""\n{beginning}'
    if owner is not None:
        members = [f"    # There is: {line}" for line in members_of(owner, without={wanted.last_name})]
        shown = "\n".join([f"class {owner.name}:", *members, "", textwrap.indent(shown, "    ")])
        kept = f"class {owner.name}:\n" + textwrap.indent(kept, "    ")
    return Begun(
        shown="\n".join([*head, "", "", shown]).lstrip("\n"),
        kept="\n".join([*imports, "", "", kept]).lstrip("\n"),
        in_class=owner is not None,
    )


def _stated_signature(wanted: Wanted, *, in_class: bool) -> str:
    """The signature as the task writes it, `name(…) -> …` with annotated or plain parameters; empty if it does not."""
    names = rf"(?:{re.escape(wanted.name)}|{re.escape(wanted.last_name)})"
    for match in re.finditer(rf"`(?:def )?{names}(\([^`\n]*\)(?:\s*->[^`\n:]*)?):?`", wanted.description):
        stated = f"{wanted.last_name}{match[1]}"
        if in_class:
            stated = _with_self(stated)
        try:
            ast.parse(f"def {stated}: pass")
        except SyntaxError:
            continue
        return stated
    return ""


def _with_self(stated: str) -> str:
    if re.match(r"\w+\(\s*(?:self|cls)\b", stated):
        return stated
    if "()" in stated:
        return stated.replace("()", "(self)", 1)
    return stated.replace("(", "(self, ", 1)


def _parameters(stated: str) -> list[str]:
    function = ast.parse(f"def {stated}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    return [node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)]


def _summary(words: str, name: str) -> str:
    """The first sentence that says what the function does, not that it is to be added; of title and description."""
    sentences = [part.strip() for part in _SENTENCE_END.split(words) if part.strip()]
    telling = next((part for part in sentences if f"`{name}" not in part and f".{name}(" not in part), sentences[0])
    telling = re.sub(r"^It (?=[a-z])", "", telling).rstrip(".")
    if len(telling) > _LONGEST_SUMMARY:
        telling = telling[:_LONGEST_SUMMARY].rsplit(" ", 1)[0] + " …"
    return f"{telling[:1].upper()}{telling[1:]}."
