"""Laws as tests: one each, on many values."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence

from agents.answers import Requirements, TestCase
from agents.stated.properties import Law, stated_laws
from agents.stated.property_values import strategy, values

_MOST_LAWS = 2
_TRIED = 20
"""Rows of values in a test without hypothesis."""


def law_tests(
    text: str,
    requirements: Requirements,
    modules: Mapping[str, str],
    signatures: Sequence[str] = (),
    *,
    hypothesis: bool = False,
) -> list[TestCase]:
    """A test for each law that the task `text` states about what `requirements` name; few.

    `modules`: name -> statement that imports it. `signatures`: of functions that are there already, as code:
    `encode(text: str) -> str`. `hypothesis`: whether the project has it; else the values are written into the test.
    """
    cases: list[TestCase] = []
    for law in stated_laws(text, requirements.symbols, signatures)[:_MOST_LAWS]:
        imports = _imports(law, requirements, modules)
        if imports is not None:
            name = re.sub(r"\W+", "_", requirements.symbols[0]).strip("_").lower()
            lines = _by_hypothesis(law, imports) if hypothesis else _by_values(law, imports)
            cases.append(TestCase(name=f"test_{name}_law_{len(cases) + 1}", lines=lines, origin="law"))
    return cases


def _by_values(law: Law, imports: Sequence[str]) -> list[str]:
    """A loop over values that are the same every time. A value that is refused is no counterexample."""
    names = ", ".join(law.variables)
    rows = values(list(law.variables.values()), _TRIED)
    listed = f"[{', '.join(repr(row if len(row) > 1 else row[0]) for row in rows)}]"
    loop = f"for {names} in {listed}:\n    with suppress(ValueError):\n        assert {law.left} == {law.right}"
    return ["from contextlib import suppress", *imports, loop]


def _by_hypothesis(law: Law, imports: Sequence[str]) -> list[str]:
    given = ", ".join(strategy(known) for known in law.variables.values())
    body = (
        "@settings(database=None, deadline=None, derandomize=True)\n"
        f"@given({given})\n"
        f"def holds({', '.join(law.variables)}):\n"
        f"    with suppress(ValueError):\n        assert {law.left} == {law.right}\n\n"
        "holds()"
    )
    more = ["from contextlib import suppress", "from hypothesis import given, settings"]
    return [*more, "from hypothesis import strategies as st", *imports, body]


def _imports(law: Law, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Import lines for what both sides call; None when one of the names is unknown."""
    lines: list[str] = []
    for side in (law.left, law.right):
        for node in ast.walk(ast.parse(side, mode="eval")):
            if not isinstance(node, ast.Name) or node.id in law.variables or hasattr(builtins, node.id):
                continue
            if node.id in modules:
                lines.append(modules[node.id])
            elif node.id in requirements.symbols:
                lines.append(f"from {requirements.module} import {node.id}")
            else:
                return None
    return list(dict.fromkeys(lines))
