"""Python test cases as text: one example as an assertion, and the test file of all cases."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from agents.answers import Requirements, TestCase
from agents.stated.examples import Example
from memory import Task
from testing import FRAMEWORKS


def render_test_file(
    task: Task, requirements: Requirements, cases: Sequence[TestCase], framework: str = "pytest"
) -> str:
    """The text of a test file with `cases`, one assertion each, as `framework` takes them.

    Names are imported inside each test, so that before the code exists each one fails by itself for the missing thing.
    """
    title = re.sub(r"\s+", " ", task.title).replace('"', "'").replace("\\", "/")
    lines = [f'"""Tests for: {title} (task {task.id}), written before the code."""', ""]
    plain = FRAMEWORKS[framework].test_cases
    if plain:
        name = "".join(part.capitalize() for part in subject(requirements).split("_"))
        lines += ["import unittest", "", "", f"class {name}Test(unittest.TestCase):"]
    elif any(line.startswith("with pytest.raises") for case in cases for line in case.lines):
        lines += ["import pytest", ""]
    for case in cases:
        body = _body(case)
        if plain:
            body = [line.replace("with pytest.raises(", "with self.assertRaises(", 1) for line in body]
            lines += [f"    def {case.name}(self) -> None:", *(f"    {line}" if line else "" for line in body), ""]
        else:
            lines += ["", f"def {case.name}() -> None:", *body, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _body(case: TestCase) -> list[str]:
    """The lines of a test function: imports first, then the rest."""
    imports = [f"    {line}" for line in case.imports]
    rest = [part for line in case.statements for part in line.splitlines()]
    return [*imports, *([""] if imports else []), *(f"    {x}" if x else "" for x in rest)]


def assertion_of(example: Example) -> list[str]:
    """The example as the last lines of a test of pytest."""
    if example.raises:
        return [f"with pytest.raises({example.raises}):\n    {example.call}"]
    printed = _printed(example.call)
    if printed is not None:
        return [f"assert str({printed}) == {example.expected!r}"]
    if example.as_text:
        return [f"assert repr({example.call}) == {example.expected!r}"]
    if example.expected in ("None", "True", "False"):
        return [f"assert {example.call} is {example.expected}"]
    return [f"assert {example.call} == {example.expected}"]


def _printed(call: str) -> str | None:
    """The one argument of a `print(x)` in a doctest, whose expected text is what is printed."""
    node = ast.parse(call, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        return ast.unparse(node.args[0]) if len(node.args) == 1 and not node.keywords else None
    return None


def subject(requirements: Requirements) -> str:
    """What the tests are about, as a part of names."""
    name = requirements.symbols[0] if requirements.symbols else requirements.module.split(".")[-1]
    return re.sub(r"\W+", "_", name).strip("_").lower() or "task"
