"""Repositories that a team with tools can do little in: each ends with a clear word, and no model is asked in vain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memory import ENDED, FailureReason, TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.players import ADD_IT, TASK, WITH_TOOLS, Script, players, results, role_of
from tests.support.rounds import one_in

__all__ = ["make_house"]


def test_a_repository_without_tests_gets_its_first_ones(make_house: MakeHouse) -> None:
    house, server = make_house(players(), llm=WITH_TOOLS)
    git(house.repository, "rm", "-qr", "tests")
    git(house.repository, "commit", "-qm", "no tests")
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests] == ["qa", "qa", "developer", "tech_lead"]
    assert "tests/test_add.py" in git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration")


@pytest.mark.long
def test_names_of_files_that_are_no_utf_8_are_shown_as_they_can_be_and_left_alone(make_house: MakeHouse) -> None:
    odd = ("caf\udce9.txt", "\udcff\udcfe/n\udce9.md", "caf\udce9.py")
    developer: Script = (
        (
            ("list_files", {}), ("search", {"text": "ordinary"}), ("run", {"command": "ls; cat caf*.txt; ls | od -c"}),
            ("move_file", {"path": "caf\N{REPLACEMENT CHARACTER}.txt", "to": "cafe.txt"}),
        ),
        (ADD_IT, ("run_tests", {}), ("finish", {"summary": "Adds add."})),
    )  # fmt: skip
    house, server = make_house(
        players(developer=developer), files=dict.fromkeys(odd, "x = 'ordinary'\n"), llm=WITH_TOOLS
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, *ENDED)
    assert task.status is TaskStatus.COMPLETED, task.reason_detail
    told = next(results(request) for request in server.requests if role_of(request) == "developer" and results(request))
    assert "caf\N{REPLACEMENT CHARACTER}.txt" in told and "ordinary" in told
    changed = git(house.repository, "diff", "--name-only", "main", "agents/integration")
    assert changed.split() == ["calc.py", "tests/test_add.py"]


@pytest.mark.parametrize(
    ("text", "place"),
    one_in(2, [("\n\ndef test_it() -> None:\n    time.sleep(1000)\n", "line 5 of tests/test_hang.py, in test_it"),
               ("\ntime.sleep(1000)\n", "line 3 of tests/test_hang.py")]),
    ids=["in a test", "while it is collected"],
)  # fmt: skip
def test_a_suite_that_hangs_costs_no_call(make_house: MakeHouse, text: str, place: str) -> None:
    house, server = make_house(players(), files={"tests/test_hang.py": f"import time\n{text}"}, llm=WITH_TOOLS)
    house.write_config(testing={"timeout": 12})
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, *ENDED)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)
    assert place in task.reason_detail
    assert "testing.timeout" in task.reason_detail
    assert not server.requests


@pytest.mark.parametrize(
    ("files", "remedy"),
    [({"go.mod": "module calc\n\ngo 1.22\n", "calc.go": "package calc\n"}, "install Go"),
     ({"Main.hs": 'main :: IO ()\nmain = putStrLn "hi"\n'}, "is written in Haskell"),
     ({"src/a.zig": "", "src/b.zig": "", "tools/c.rb": ""}, "testing.test_command")],
    ids=["no toolchain", "unknown", "two unknown ones"],
)  # fmt: skip
def test_a_language_whose_tests_cannot_be_run_costs_no_call(
    make_house: MakeHouse, files: dict[str, str], remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "programs" / "go"  # before one that the machine may have
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}{os.pathsep}{os.environ['PATH']}")
    house, server = make_house(players(), files=files, llm=WITH_TOOLS)
    git(house.repository, "rm", "-qr", "tests", "calc.py")
    git(house.repository, "commit", "-qm", "another language")
    task_id = house.submit("Add a function that adds two numbers.", "Add add")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, *ENDED)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)
    assert remedy in task.reason_detail
    assert not server.requests


@pytest.mark.long
def test_thirty_thousand_files(make_house: MakeHouse) -> None:
    house, server = make_house(players(), llm=WITH_TOOLS)
    for number in range(60):
        folder = house.repository / f"pkg{number}"
        folder.mkdir()
        for part in range(500):
            (folder / f"m{part}.py").write_text(f"def f{number}_{part}(x):\n    return x + {part}\n")
    git(house.repository, "add", "-A")
    git(house.repository, "commit", "-q", "-m", "many files")
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert all(len(str(request.body)) < 16_000 for request in server.requests)
