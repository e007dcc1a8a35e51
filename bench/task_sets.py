"""Sets of coding tasks. A task has a repository, an instruction, visible tests, and hidden tests that judge the result.

A set is a `.yaml` file or a file of JSON lines. Its entries have

    id, repository, title, instruction      `repository` is a folder beside the file, or {path: text}
    tests_file, tests                       optional: tests that are given with the task
    hidden_file, hidden                     optional: tests that only judge the landed code

HumanEval files (`task_id, prompt, entry_point, test`) work too. With `visible` their tests are given with the tasks;
otherwise a task is only the docstring, and its tests are hidden.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

HUMANEVAL = "humaneval"
_HUMANEVAL_FILES = {
    "README.md": "# Small functions\n\nOne module each.\n",
    "tests/test_nothing.py": "def test_nothing() -> None:\n    assert True\n",
}


class BenchTask(BaseModel):
    """One task of a set."""

    model_config = ConfigDict(extra="forbid")

    id: str
    repository: str
    title: str
    instruction: str
    tests_file: str = ""
    tests: str = ""
    hidden_file: str = ""
    hidden: str = ""


class TaskSet(BaseModel):
    """Tasks and their repositories: name -> path -> text."""

    name: str
    repositories: dict[str, dict[str, str]] = Field(default_factory=dict)
    tasks: list[BenchTask] = Field(default_factory=list)


def read_task_set(path: Path, *, visible: bool = True) -> TaskSet:
    """Read the set in the file at `path`. Raises `ValueError` if an entry is not a task."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        entries = yaml.safe_load(text)
    else:
        entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    if entries and "canonical_solution" in entries[0]:
        return _humaneval(path.stem, entries, visible=visible)
    found = TaskSet(name=path.stem)
    for entry in entries:
        repository = entry["repository"]
        if isinstance(repository, str):
            if repository not in found.repositories:
                found.repositories[repository] = _files(path.parent / repository)
        else:
            found.repositories[entry["id"]] = repository
            entry["repository"] = entry["id"]
        found.tasks.append(BenchTask.model_validate(entry))
    return found


def _files(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _humaneval(name: str, entries: Iterable[dict[str, str]], *, visible: bool) -> TaskSet:
    found = TaskSet(name=f"{name}-{'visible' if visible else 'docstring'}", repositories={HUMANEVAL: _HUMANEVAL_FILES})
    files = dict(_HUMANEVAL_FILES)
    for entry in entries:
        number = entry["task_id"].rpartition("/")[2]
        module, function = f"task_{number}", entry["entry_point"]
        files[f"{module}.py"] = _before(entry["prompt"], function)
        tests = {"tests_file": f"tests/test_{module}.py", "tests": _tests(entry["test"], module, function)}
        signature, docstring = _wanted(entry["prompt"], function)
        found.tasks.append(
            BenchTask(
                id=entry["task_id"],
                repository=HUMANEVAL,
                title=f"Add {function}",
                instruction=f"Add `{signature}` to `{module}.py`.\n\n{docstring}",
                **tests if visible else {f"hidden{key.removeprefix('tests')}": text for key, text in tests.items()},
            )
        )
    found.repositories[HUMANEVAL] = files
    return found


def _before(prompt: str, function: str) -> str:
    """The part of a prompt before the wanted function: imports and helpers."""
    lines = prompt.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(f"def {function}("))
    text = "".join(lines[:start]).strip()
    return f"{text}\n" if text else ""


def _wanted(prompt: str, function: str) -> tuple[str, str]:
    tree = ast.parse(f"{prompt}    pass\n")
    node = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{function}({ast.unparse(node.args)}){returns}", textwrap.dedent(ast.get_docstring(node) or "").strip()


def _tests(test: str, module: str, function: str) -> str:
    """HumanEval's `check(candidate)` as a test file: one test per assertion if it is a list of assertions, else one."""
    tree = ast.parse(test)
    check = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check")
    others = [ast.unparse(node) for node in tree.body if node is not check and not _is_metadata(node)]
    lines = [f"from {module} import *", f"from {module} import {function}", *others]
    body = [node for node in check.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    asserts = [node for node in body if isinstance(node, ast.Assert) and not _is_trivial(node)]
    if len(asserts) == len([node for node in body if not (isinstance(node, ast.Assert) and _is_trivial(node))]):
        groups: list[list[ast.stmt]] = [[node] for node in asserts]
    else:
        groups = [body]
    for number, group in enumerate(groups, start=1):
        text = "\n".join(ast.unparse(node) for node in group)
        text = re.sub(r"\bcandidate\b", function, text)
        lines += ["", "", f"def test_{function}_{number}() -> None:", textwrap.indent(text, "    ")]
    return "\n".join(lines) + "\n"


def _is_metadata(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METADATA"


def _is_trivial(node: ast.Assert) -> bool:
    return not any(isinstance(part, ast.Call) for part in ast.walk(node.test))
