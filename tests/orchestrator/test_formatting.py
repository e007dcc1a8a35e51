"""Agents' code is formatted like the project formats its own: with the real ruff from its dependency files."""

from __future__ import annotations

import pytest

from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git
from tests.orchestrator.scripts import ADD_TASK, CALC, team

PROJECT = """
[project]
name = "numbers-of-mine"
version = "0.1"
optional-dependencies.test = ["pytest", "ruff"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["calc", "odd"]
[tool.ruff]
line-length = 40
"""
ODD = 'def odd( x ):\n    return x%2 == 1\n'  # fmt: skip
LONG = "    return sum([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0])\n"


@pytest.mark.long
def test_formatted_files_stay_formatted_and_others_as_they_were(make_house: MakeHouse) -> None:
    added = "\n\ndef add(a: int, b: int) -> int:\n" + LONG
    both = f"### calc.py\n```python\n{CALC}{added}```\n\n### odd.py\n```python\n{ODD}\n\neven = 2\n```\n"
    files = {"pyproject.toml": PROJECT, "odd.py": ODD}
    house, _ = make_house(team(code=[both]), files)
    house.submit(ADD_TASK)
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    landed = git(house.repository, "show", "agents/integration:calc.py")
    assert "    return sum(\n        [" in landed
    assert git(house.repository, "show", "agents/integration:odd.py").startswith("def odd( x ):\n")
