"""What a small model is shown of a task: an excerpt of the file, or the wanted function to complete.

An excerpt holds enough context for the new code, and nothing that the model would copy back: if it sees a whole file,
it copies the file, which costs two to three times as much; if it sees functions as stubs, it fills the stubs in.
"""

from __future__ import annotations

import ast
import random
import re
import textwrap
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from agents import Begun, CodeView, FileText, Requirements, TestCase
from file_system import AnswerError, Definition, code_for, is_javascript, text_of
from file_system.code.outline import (
    constants_of,
    function_in,
    imports_of,
    members_of,
    names_in_signatures,
    parsed,
    source_of,
    summary_of,
)
from memory import Task
from orchestrator.services import Services
from orchestrator.small_models.begun_functions import Wanted, begun_function, resumed_function
from orchestrator.workbench.sources import importable, imported_definitions

LONGEST = 6000
"""Most characters (about 1,700 tokens) of a file in a small model's prompt."""
_MOST_CONSTANTS = 200
"""Most characters of constants that are shown as code."""
_LONGEST_PRESENT = 4_000
"""Most characters of a present function that small changes are tried on."""


class SampleViews:
    """What a small model is shown of the code of one task, for any commit or tree of its worktree."""

    def __init__(self, services: Services, task: Task) -> None:
        self._suite = services.suite
        self._task = task

    def view(self, treeish: str, requirements: Requirements) -> CodeView:
        """An excerpt of the target file in `treeish`, short enough for a small model."""
        with self._suite.folders.for_reading(treeish) as (folder, _):
            text = text_of(folder, requirements.target_file)
            if is_javascript(requirements.target_file):
                return CodeView(target=FileText(requirements.target_file, plain_excerpt(text)))
            used = names_in_signatures(self._words, requirements.symbols)
            others = self._others(folder, text, used)
        return CodeView(target=FileText(requirements.target_file, excerpt(text, requirements.symbols, others, used)))

    def begun_view(self, treeish: str, requirements: Requirements, *, steps: bool) -> CodeView | None:
        """The wanted function up to its docstring, which holds the task; None if its signature is not known."""
        return self._begun(treeish, requirements, partial(begun_function, steps=steps))

    def resumed_view(self, treeish: str, requirements: Requirements, answer: str, seed: int) -> CodeView | None:
        """The wanted function with the first lines of an earlier `answer`; None if those are of no use."""
        if not requirements.target_file.endswith(".py"):
            return None
        try:
            code = code_for(answer, requirements.target_file)
        except AnswerError:
            return None
        return self._begun(
            treeish,
            requirements,
            partial(resumed_function, answer=code, chooser=random.Random(seed)),  # noqa: S311
        )

    def present(self, treeish: str, requirements: Requirements) -> str:
        """The function that the task changes, in the form of an answer; empty if it is new or too long."""
        if not (requirements.target_file.endswith(".py") and requirements.symbols):
            return ""
        with self._suite.folders.for_reading(treeish) as (folder, _):
            code = function_in(text_of(folder, requirements.target_file), requirements.symbols[0])
        return f"```python\n{code}\n```" if code and len(code) <= _LONGEST_PRESENT else ""

    def _begun(
        self, treeish: str, requirements: Requirements, begin: Callable[[Wanted], Begun | None]
    ) -> CodeView | None:
        path = requirements.target_file
        name = requirements.symbols[0] if requirements.symbols else ""
        if not (path.endswith(".py") and name):
            return None
        with self._suite.folders.for_reading(treeish) as (folder, _):
            text = text_of(folder, path)
            used = names_in_signatures(self._words, [name])
            wanted = Wanted(text, name, self._task.title, self._task.description, self._others(folder, text, used))
        begun = begin(wanted)
        return CodeView(target=FileText(path, ""), begun=begun) if begun else None

    def _others(self, folder: Path, text: str, used: Collection[str]) -> list[str]:
        """What the module `text` can use from other files: what it imports, and what the task names."""
        return [*imported_definitions(folder, text, used), *importable(folder, text, self._words)]

    @property
    def _words(self) -> str:
        return f"{self._task.title}\n{self._task.description}"


def compact_tests(cases: Sequence[TestCase]) -> str:
    """The assertions and the statements they need, without imports and repetitions."""
    return "\n".join(dict.fromkeys(line for case in cases for line in case.statements))


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
