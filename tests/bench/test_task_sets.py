"""The project's own task sets: hidden tests fail on the original repository and pass with a right solution."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from junitparser import JUnitXml

from agents import cases_in
from agents.stated.properties import stated_properties
from bench.task_sets import TaskSet, read_task_set

TASKS = Path(__file__).resolve().parents[2] / "bench" / "tasks"
OWN, LAWS = (read_task_set(TASKS / f"{name}.yaml") for name in ("own", "laws"))
SOLUTIONS: dict[str, list[dict[str, str]]] = {
    name: changes
    for kind in ("own", "laws")
    for name, changes in yaml.safe_load((TASKS / f"{kind}_solutions.yaml").read_text(encoding="utf-8")).items()
}


def lay(files: dict[str, str], folder: Path) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def outcomes(folder: Path) -> dict[str, bool]:
    """For each test file whether all its tests pass."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    subprocess.run(
        [*command, "tests", f"--junit-xml={report}"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder / 'src'}:{folder}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # they need none, and Hypothesis alone takes a second
        },
        capture_output=True,
        check=False,
    )
    found: dict[str, bool] = {}
    for suite in JUnitXml.fromfile(str(report)):
        for case in suite:
            name = (case.classname or case.name).rpartition("tests.")[2].split(".")[0]
            found[name] = found.get(name, True) and case.is_passed
    return found


@pytest.mark.parametrize(
    ("chosen", "repository"),
    [(chosen, repository) for chosen in (OWN, LAWS) for repository in chosen.repositories],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_set_judges_rightly(chosen: TaskSet, repository: str, tmp_path: Path) -> None:
    files = chosen.repositories[repository]
    tasks = [task for task in chosen.tasks if task.repository == repository]
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


def test_the_sets_have_a_judge_for_each_of_their_tasks() -> None:
    tasks = [*OWN.tasks, *LAWS.tasks]
    assert (len(OWN.tasks), len(LAWS.tasks)) == (20, 10)
    assert {task.id for task in tasks} == set(SOLUTIONS)
    assert all(task.hidden and task.hidden_file.startswith("tests/") for task in tasks)


def test_each_task_about_a_law_states_one_that_code_can_read() -> None:
    source = "\n".join(LAWS.repositories["codes"].values())
    signatures = re.findall(r"^def (\w+\(.*\) -> .*):$", source, re.MULTILINE)
    for task in LAWS.tasks:
        [wanted] = re.findall(r"^Add `(\w+)", task.instruction)
        assert stated_properties(task.instruction, [wanted], signatures), task.id


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
