"""The project's own task set: its hidden tests fail before a task is done and hold with a right solution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml

from agents import cases_in
from bench.task_sets import BenchTask, TaskSet, read_task_set

TASKS = Path(__file__).resolve().parents[2] / "bench" / "tasks"
OWN = read_task_set(TASKS / "own.yaml")
SOLUTIONS: dict[str, list[dict[str, str]]] = yaml.safe_load((TASKS / "own_solutions.yaml").read_text(encoding="utf-8"))


def lay(files: dict[str, str], folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def outcomes(folder: Path) -> dict[str, bool]:
    """Test file -> whether all its tests pass."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    subprocess.run(
        [*command, "tests", f"--junit-xml={report}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'src'}:{folder}"},
        capture_output=True,
        check=False,
    )
    found: dict[str, bool] = {}
    for suite in JUnitXml.fromfile(str(report)):
        for case in suite:
            name = (case.classname or case.name).rpartition("tests.")[2].split(".")[0]
            found[name] = found.get(name, True) and case.is_passed
    return found


def tasks_of(repository: str) -> list[BenchTask]:
    return [task for task in OWN.tasks if task.repository == repository]


@pytest.mark.parametrize("repository", sorted(OWN.repositories))
def test_the_set_judges_rightly(repository: str, tmp_path: Path) -> None:
    files, tasks = OWN.repositories[repository], tasks_of(repository)
    judges = {task.hidden_file: task.hidden for task in tasks}
    judges |= {task.tests_file: task.tests for task in tasks if task.tests}
    lay(files | judges, tmp_path / "before")
    before = outcomes(tmp_path / "before")
    assert {name for name, holds in before.items() if not holds} == {Path(path).stem for path in judges}

    solved = dict(files)
    for task in tasks:
        for change in SOLUTIONS[task.id]:
            text = solved[change["file"]]
            if "find" in change:
                assert text.count(change["find"]) == 1, (task.id, change["find"])
                solved[change["file"]] = text.replace(change["find"], change["put"])
            else:
                solved[change["file"]] = f"{text}\n\n{change['put']}"
    lay(solved | judges, tmp_path / "after")
    after = outcomes(tmp_path / "after")
    assert len(after) == len(judges) + 1
    assert all(after.values()), after


def test_the_set_has_twenty_tasks_with_a_judge_each() -> None:
    assert len(OWN.tasks) == len({task.id for task in OWN.tasks}) == len(SOLUTIONS) == 20
    assert all(task.hidden and task.hidden_file.startswith("tests/") for task in OWN.tasks)


PROMPT = '''import math


def half(n: int) -> int:
    """Halve it.
    >>> half(4)
    2
    """
'''
CHECK = """METADATA = {}


def check(candidate):
    assert True
    assert candidate(4) == 2
    assert candidate(5) == 2
"""
HUMANEVAL = {
    "task_id": "HumanEval/7",
    "prompt": PROMPT,
    "entry_point": "half",
    "canonical_solution": "    return n // 2",
    "test": CHECK,
}


@pytest.fixture
def humaneval(tmp_path: Path) -> Path:
    file = tmp_path / "h.jsonl"
    file.write_text(json.dumps(HUMANEVAL), encoding="utf-8")
    return file


def test_humaneval_tests_are_given_or_hidden(humaneval: Path) -> None:
    given: TaskSet = read_task_set(humaneval)
    hidden = read_task_set(humaneval, visible=False)
    [task] = given.tasks
    assert (given.name, hidden.name) == ("h-visible", "h-docstring")
    assert (task.tests_file, task.hidden) == ("tests/test_task_7.py", "")
    assert [case.lines[-1] for case in cases_in(task.tests)] == ["assert half(4) == 2", "assert half(5) == 2"]
    assert (hidden.tasks[0].hidden, hidden.tasks[0].tests) == (task.tests, "")
    assert task.instruction == "Add `half(n: int) -> int` to `task_7.py`.\n\nHalve it.\n>>> half(4)\n2"
    assert given.repositories["humaneval"]["task_7.py"] == "import math\n"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("[{id: a, repository: nowhere, title: A, instruction: B}]", encoding="utf-8")
    with pytest.raises(ValueError, match="nowhere is no folder"):
        read_task_set(tmp_path / "s.yaml")
