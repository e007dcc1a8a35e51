"""What parts of the method add, measured from a run's databases: real files and sandbox, answers written here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents import Requirements, TestCase
from bench.recorded import effects, refused
from bench.task_sets import BenchTask, TaskSet

_DOUBLE = "```python\ndef double(x):\n    return 2 * x\n```"
_SQUARE = _DOUBLE.replace("2 * x", "x * x")
_WRONG = _DOUBLE.replace("2 * x", "x")
_SET = TaskSet(
    name="own",
    repositories={"one": {"calc.py": "", "tests/test_none.py": "def test_none() -> None:\n    assert True\n"}},
    tasks=[
        BenchTask(
            id="double",
            repository="one",
            title="Double",
            instruction="Add `double(x)` to calc.py.",
            hidden_file="tests/test_hidden.py",
            hidden="from calc import double\n\n\ndef test_all() -> None:\n    assert double(7) == 14\n",
        )
    ],
)


def recorded(
    home: Path, cases: list[TestCase], answers: list[str], target: str = "calc.py", module: str = "calc"
) -> None:
    """Create the databases of a run with one task, with the tables and columns that `bench.recorded` reads."""
    folder = home / "data" / "repository-1"
    folder.mkdir(parents=True)
    requirements = Requirements(target_file=target, module=module, symbols=["double"])
    result = {"requirements": requirements.model_dump(), "cases": [case.model_dump() for case in cases]}
    with closing(sqlite3.connect(folder / "agents.db")) as connection, connection:
        connection.execute("CREATE TABLE tasks (id, title, result)")
        connection.execute("INSERT INTO tasks VALUES ('bench-1', 'Double', ?)", [json.dumps(result)])
    with closing(sqlite3.connect(folder / "engine.db")) as connection, connection:
        connection.execute("CREATE TABLE operation_outputs (workflow_uuid, function_name, output)")
        for number, answer in enumerate(answers, start=1):
            output = json.dumps({"value": {"text": answer}})
            connection.execute("INSERT INTO operation_outputs VALUES ('bench-1.0.1.code', ?, ?)",
                               [f"write 1.{number}", output])  # fmt: skip


def case(line: str, origin: str) -> TestCase:
    return TestCase.model_validate(
        {"name": f"test_{origin}", "lines": ["from calc import double", line], "origin": origin}
    )


@pytest.mark.long
def test_further_tests_are_told_by_what_they_refuse(tmp_path: Path) -> None:
    cases = [case("assert double(2) == 4", "example"), case("assert double(3) == 6", "qa"),
             case("assert double(0) == 1", "mutant")]  # fmt: skip
    recorded(tmp_path, cases, [_DOUBLE, _SQUARE, _WRONG, _DOUBLE])
    passing, found = refused(tmp_path, _SET)
    assert passing == 2  # `_WRONG` fails the example, and a repeated answer counts once
    assert (found["assertions"].tests, found["assertions"].right, found["assertions"].wrong) == (1, 0, 1)
    assert found["assertions"].saved == {"double"}
    assert (found["strengthening"].right, found["strengthening"].wrong) == (1, 1)


@pytest.mark.long
def test_a_repair_is_told_by_the_answers_it_saves(tmp_path: Path) -> None:
    rewritten = "```python\ndef other():\n    return 1\n\n\ndef double(x):\n    return 2 * x + other() - 3\n```"
    files = {"calc.py": "def other():\n    return 3\n", "tests/test_none.py": "def test_none():\n    assert True\n"}
    recorded(tmp_path, [case("assert double(2) == 4", "example")], [_DOUBLE, rewritten])
    looked_at, found = effects(tmp_path, _SET.model_copy(update={"repositories": {"one": files}}))
    assert looked_at == 2
    repair = found["cutting_down"]
    assert (repair.changed, repair.right_with, repair.right_without, repair.tasks) == (1, 1, 0, {"double"})
