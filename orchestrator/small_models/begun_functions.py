"""Begun functions: the beginning of the wanted function, which the model completes.

A begun function has imports, the signature, the task as its docstring, and sometimes the first lines of the body. Small
models complete such a beginning better than they write a function from scratch.
"""

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
"""Least number of lines with statements in a function whose first part is worth keeping."""
_LONGEST_SUMMARY = 90
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True)
class Wanted:
    """A function or method to write."""

    module: str
    """The present text of its module."""
    name: str
    """`function` or `Class.method`."""
    title: str
    description: str
    imported: Sequence[str] = ()
    """What the module can use from other modules, a line each."""

    @property
    def last_name(self) -> str:
        """The name without its class."""
        return self.name.rpartition(".")[2]


def begun_function(wanted: Wanted, *, steps: bool = False) -> Begun | None:
    """The wanted function up to its docstring, which holds the task; the finished code keeps only a summary of it.

    With `steps` the body begins with an unfinished comment, so that the model writes the function step by step. None if
    neither the task nor the module states the signature.
    """
    return _begun(wanted, (), "    # Step 1:" if steps else "")


def resumed_function(wanted: Wanted, answer: str, chooser: random.Random) -> Begun | None:
    """Like `begun_function`, plus the first lines of `answer`, code that nearly worked, up to a statement that
    `chooser` picks; the model writes the rest anew. None if `answer` is too short or does not define the function.
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
        stated = signature(present)  # same parameters, but usually with types
    if not stated:
        return None
    imports = list(dict.fromkeys([*imports_of(body), *more_imports]))
    others = [node for node in body if isinstance(node, Definition) and node.name != wanted.name and node is not owner]
    used = names_in_signatures(wanted.description, [wanted.name])
    available = [*wanted.imported, *(summary_of(node, used) for node in others if not node.name.startswith("_"))]
    head = [*imports, *constants_of(body), *(f"# There is: {line}" for line in available)]
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
    """The signature that the task states, `name(…) -> …` with or without annotations; empty if it states none."""
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
    """The first sentence of title and description that says what the function does, not that it has to be added."""
    sentences = [part.strip() for part in _SENTENCE_END.split(words) if part.strip()]
    telling = next((part for part in sentences if f"`{name}" not in part and f".{name}(" not in part), sentences[0])
    telling = re.sub(r"^It (?=[a-z])", "", telling).rstrip(".")
    if len(telling) > _LONGEST_SUMMARY:
        telling = telling[:_LONGEST_SUMMARY].rsplit(" ", 1)[0] + " …"
    return f"{telling[:1].upper()}{telling[1:]}."
