"""The repository of the demo: a green suite, and a backlog that states what it wants."""

from __future__ import annotations

import ast
import doctest
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "examples" / "sample_project"
BACKLOG = (PROJECT / "BACKLOG.md").read_text(encoding="utf-8")
ITEMS = re.split(r"^## ", BACKLOG, flags=re.MULTILINE)[1:]
TITLES = [item.splitlines()[0] for item in ITEMS]

# Written before any model was tried on it. What the demo lands can be compared between versions only while this holds.
BACKLOG_DIGEST = "ef99403e7e6c70ac8b1a01f9a111e24abec1ac5596f5f6903514ccb14abd634e"


def signature(item: str) -> ast.FunctionDef:
    """The function that an item asks for, parsed from its `name(...) -> type`."""
    found = re.search(r"`(\w+\([^`]*\) -> [^`]+)`", item)
    assert found, "names no function with its signature"
    function = ast.parse(f"def {found[1]}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def module(item: str) -> Path:
    found = re.search(r"`(src/plainkit/\w+\.py)`", item)
    assert found, "names no module"
    return PROJECT / found[1]


def examples(item: str) -> list[str]:
    """Every call that an item gives with its outcome."""
    calls = re.findall(r"`(\w+\([^`]*\))` (?:returns|raises) `[^`]*`", item)
    for block in re.findall(r"```python\n(.*?)```", item, flags=re.DOTALL):
        calls += [example.source.strip() for example in doctest.DocTestParser().get_examples(block)]
    return calls


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_suite_is_green(tmp_path: Path) -> None:
    copy = shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    clean["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=copy, env=clean, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\b38 passed\b", run.stdout)


def test_the_backlog_is_the_one_that_was_written_first() -> None:
    assert hashlib.sha256(BACKLOG.encode()).hexdigest() == BACKLOG_DIGEST


def test_the_backlog_has_eight_items() -> None:
    assert len(ITEMS) == len(set(TITLES)) == 8


@pytest.mark.parametrize("item", ITEMS, ids=TITLES)
def test_an_item_can_be_worked_on_as_it_stands(item: str) -> None:
    wanted = signature(item)
    assert wanted.returns is not None
    assert all(argument.annotation for argument in wanted.args.args)
    about = [call for call in examples(item) if wanted.name in call]
    assert len(about) >= 3
    for call in about:
        ast.parse(call)


def test_seven_items_are_new_and_one_changes_what_is_there() -> None:
    there = [
        name for item in ITEMS if module(item).exists() and (name := signature(item).name) in functions(module(item))
    ]
    assert there == ["truncate"]
    assert [module(item).name for item in ITEMS if not module(item).exists()] == ["ranges.py"]
