"""Properties as tests: one each, on many values."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence

from agents.answers import Requirements, TestCase
from agents.stated.properties import Property, stated_properties
from agents.stated.property_values import strategy, values

_MOST_PROPERTIES = 2
_TRIED = 20
"""Rows of values in a test without hypothesis."""


def property_tests(
    text: str,
    requirements: Requirements,
    modules: Mapping[str, str],
    signatures: Sequence[str] = (),
    *,
    hypothesis: bool = False,
) -> list[TestCase]:
    """A test for each property that the task `text` states about what `requirements` name; few.

    `modules`: name -> statement that imports it. `signatures`: of functions that are there already, as code:
    `encode(text: str) -> str`. `hypothesis`: whether the project has it; else the values are written into the test.
    """
    cases: list[TestCase] = []
    for stated in stated_properties(text, requirements.symbols, signatures)[:_MOST_PROPERTIES]:
        imports = _imports(stated, requirements, modules)
        if imports is not None:
            name = re.sub(r"\W+", "_", requirements.symbols[0]).strip("_").lower()
            lines = _by_hypothesis(stated, imports) if hypothesis else _by_values(stated, imports)
            cases.append(TestCase(name=f"test_{name}_property_{len(cases) + 1}", lines=lines, origin="property"))
    return cases


def _by_values(stated: Property, imports: Sequence[str]) -> list[str]:
    """A loop over values that are the same every time. A value that is refused is no counterexample."""
    names = ", ".join(stated.variables)
    rows = values(list(stated.variables.values()), _TRIED)
    listed = f"[{', '.join(repr(row if len(row) > 1 else row[0]) for row in rows)}]"
    loop = f"for {names} in {listed}:\n    with suppress(ValueError):\n        assert {stated.left} == {stated.right}"
    return ["from contextlib import suppress", *imports, loop]


def _by_hypothesis(stated: Property, imports: Sequence[str]) -> list[str]:
    given = ", ".join(strategy(known) for known in stated.variables.values())
    body = (
        "@settings(database=None, deadline=None, derandomize=True)\n"
        f"@given({given})\n"
        f"def holds({', '.join(stated.variables)}):\n"
        f"    with suppress(ValueError):\n        assert {stated.left} == {stated.right}\n\n"
        "holds()"
    )
    more = ["from contextlib import suppress", "from hypothesis import given, settings"]
    return [*more, "from hypothesis import strategies as st", *imports, body]


def _imports(stated: Property, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Import lines for what both sides call; None when one of the names is unknown."""
    lines: list[str] = []
    for side in (stated.left, stated.right):
        for node in ast.walk(ast.parse(side, mode="eval")):
            if not isinstance(node, ast.Name) or node.id in stated.variables or hasattr(builtins, node.id):
                continue
            if node.id in modules:
                lines.append(modules[node.id])
            elif node.id in requirements.symbols:
                lines.append(f"from {requirements.module} import {node.id}")
            else:
                return None
    return list(dict.fromkeys(lines))
