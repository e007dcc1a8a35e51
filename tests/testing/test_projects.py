"""Which projects a repository holds, and that each is tested by its own means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from git_ops import GitManager
from orchestrator.suite import Suite
from testing import EnvironmentManager, TestResult, TestRunner, make_target, merged, owner_of, projects_of
from testing.environments.package_json import package_manager
from testing.results import TestCounts
from tests.git_ops.conftest import git
from tests.testing.conftest import Tree

TEST = "def test_it(): pass\n"
BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PYPROJECT = BUILD + '[project]\nname = "X"\nversion = "1"\n'
CODE = "def double(x):\n    return 2 * x\n\n\ndef other():\n    return 'unseen'\n"
NODE = '{"name": "web", "type": "module", "scripts": {"test": "node --test"}}'
JEST = '{"name": "web", "scripts": {"test": "jest"}}'


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"calc.py": "", "tests/test_a.py": TEST}, [("", "pytest")]),
        ({}, [("", "pytest")]),
        ({"pyproject.toml": PYPROJECT, "docs/pyproject.toml": PYPROJECT, "docs/test_a.py": TEST}, [("", "pytest")]),
        ({"pyproject.toml": PYPROJECT, "sub/pyproject.toml": PYPROJECT, "sub/test_a.py": TEST}, [("", "pytest")]),
        (
            {f"libs/{each}/{name}": text for each in "ab" for name, text in (("setup.py", ""), ("test_x.py", TEST))},
            [("libs/a", "pytest"), ("libs/b", "pytest")],
        ),
        (
            {"backend/requirements.txt": "", "backend/tests/test_a.py": TEST, "frontend/package.json": JEST},
            [("backend", "pytest"), ("frontend", "jest")],
        ),
        (
            {"tests/test_a.py": TEST, "package.json": NODE, "web/a.test.js": ""},
            [("", "pytest"), ("", "node")],
        ),
        ({"tests/test_a.py": TEST, "package.json": '{"scripts": {"lint": "x"}}'}, [("", "pytest")]),
        ({"tests/test_a.py": TEST, "package.json": NODE}, [("", "pytest")]),
        (
            {
                "pyproject.toml": f'{PYPROJECT}[tool.uv.workspace]\nmembers = ["libs/*"]\n',
                "libs/one/pyproject.toml": PYPROJECT, "libs/one/test_a.py": TEST, "other/setup.py": "",
                "other/test_b.py": TEST,
            },
            [("", "pytest")],
        ),
        (
            {
                "pyproject.toml": f'{PYPROJECT}[tool.uv.workspace]\nmembers = ["libs/*", "../..", "/etc/*", "**/*"]\n',
                "libs/one/pyproject.toml": PYPROJECT, "libs/one/test_a.py": TEST,
            },
            [("libs/one", "pytest")],
        ),
        ({"tests/test_all.py": TEST, "api/setup.py": "", "api/test_a.py": TEST}, [("", "pytest")]),
        ({"package.json": '{"workspaces": ["packages/*"]}', "packages/a/package.json": JEST}, [("", "node")]),
    ],
)  # fmt: skip
def test_projects_are_found(tree: Tree, files: dict[str, str], found: list[tuple[str, str]]) -> None:
    assert [(each.place, each.framework) for each in projects_of(tree(files))] == found


def test_a_file_belongs_to_the_innermost_project_of_its_language(tree: Tree) -> None:
    files = {"api/setup.py": "", "api/test_a.py": TEST, "web/package.json": NODE}
    projects = projects_of(tree(files))
    owners = {path: owner_of(projects, path) for path in ("a.py", "api/x.py", "web/x.js", "api/x.js")}
    assert {path: each.place if each else None for path, each in owners.items()} == {
        "a.py": None, "api/x.py": "api", "web/x.js": "web", "api/x.js": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"package.json": '{"packageManager": "pnpm@9.1.0+sha512.abc"}'}, ("pnpm", "9.1.0")),
        ({"package.json": '{"packageManager": "yarn@4.1.0"}', "pnpm-lock.yaml": ""}, ("yarn", "4.1.0")),
        ({"package.json": "{}", "pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, ("pnpm", "8")),
        ({"package.json": "{}", "yarn.lock": "# yarn lockfile v1\n"}, ("yarn", "1")),
        ({"package.json": "{}", "yarn.lock": "__metadata:\n  version: 8\n"}, ("yarn", "4")),
        ({"package.json": '{"packageManager": "rm@1"}', "package-lock.json": ""}, ("npm", "")),
    ],
)
def test_who_installs_the_packages(tree: Tree, files: dict[str, str], found: tuple[str, str]) -> None:
    assert package_manager(tree(files)) == found


def ended(test_id: str = "", problem: str | None = None, killed: str | None = None) -> TestResult:
    ids = [test_id] if test_id else []
    return TestResult(
        passed=bool(ids) and problem is None, test_count=len(ids), counts=TestCounts(passed=len(ids)), failures=[],
        test_ids=ids, passed_ids=ids, skipped_ids=[], duration=1.0, exit_code=0, tier=1, output_tail="",
        problem=problem, killed_reason=killed,
    )  # fmt: skip


def test_a_suite_without_a_verdict_is_none_for_all_and_one_without_tests_is_nothing() -> None:
    green, dead = ended("a::x"), ended(problem="The tests were killed: memory.", killed="memory")
    for results in ([green, dead], [dead, green]):
        found = merged(results)
        assert not found.passed and found.problem == dead.problem and found.killed_reason == "memory"
        assert found.passed_ids == ["a::x"]
    nothing = ended(problem="No test was found: pytest found none.")
    assert merged([nothing, green]).passed and merged([green, nothing]).duration == 2.0
    assert not merged([nothing]).passed


def suite_in(folder: Path, files: Mapping[str, str], manager: EnvironmentManager, runner: TestRunner) -> Suite:
    """The suite of a new repository in `folder` with these files."""
    owner = folder / "owner"
    git(folder, "init", "-q", "-b", "main", str(owner))
    for path, text in files.items():
        (owner / path).parent.mkdir(parents=True, exist_ok=True)
        (owner / path).write_text(text)
    git(owner, "add", "-A")
    git(owner, "commit", "-q", "-m", "first")
    clone = GitManager(str(owner), folder / "clone", workspace_path=folder / "ws")
    clone.clone()
    return Suite(
        clone, manager, runner, folder=folder / "results", framework="pytest", setup_command=lambda: None, timeout=60
    )


def test_each_project_is_tested_in_its_own_environment(
    manager: EnvironmentManager, runner: TestRunner, tmp_path: Path
) -> None:
    files: dict[str, str] = {}
    for name in ("alpha", "beta"):
        files |= {
            f"packages/{name}/pyproject.toml": PYPROJECT.replace('"X"', f'"{name}"'),
            f"packages/{name}/src/{name}/__init__.py": f"NAME = {name!r}\n",
            f"packages/{name}/tests/test_name.py": f"import {name}\ndef test_name(): assert {name}.NAME == {name!r}\n",
        }
    suite = suite_in(tmp_path, files, manager, runner)
    ids = [f"packages/{name}/tests/test_name.py::test_name" for name in ("alpha", "beta")]
    baseline = suite.baseline("refs/remotes/origin/main", "t")
    assert baseline.passed == ids and not baseline.failed
    wrong = {"packages/beta/src/beta/__init__.py": "NAME = 'gamma'\n"}
    chosen = suite.run("refs/remotes/origin/main", ids, "t", texts=wrong)
    assert chosen.passed_ids == ids[:1]
    assert [(failure.test_id, failure.kind) for failure in chosen.failures] == [(ids[1], "assertion")]
    alone = suite.run("refs/remotes/origin/main", ids[1:], "t")
    assert alone.passed and alone.test_ids == ids[1:]
    assert suite.baseline("refs/remotes/origin/main", "t") == baseline, "it is stored"


@pytest.mark.long
def test_a_slow_machine_is_no_sign_that_tests_notice_a_fault(
    manager: EnvironmentManager, runner: TestRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "import time\nimport calc\n\n\ndef test_it():\n    time.sleep(2)\n    assert calc.double(2) == 4\n"
    suite = suite_in(tmp_path, {"calc.py": CODE, "test_calc.py": slow}, manager, runner)
    tip = "refs/remotes/origin/main"
    before = suite.baseline(tip, "t").model_copy(update={"seconds": 0.0})
    monkeypatch.setattr("orchestrator.suite._FAULT_SECONDS", 1.5)
    monkeypatch.setattr("orchestrator.suite._MORE_TIME", 20)
    not_noticed, noticed = CODE.replace("unseen", "still unseen"), CODE.replace("2 * x", "3 * x")
    assert not suite.notices(tip, {"calc.py": not_noticed}, [], before, "t")
    assert suite.notices(tip, {"calc.py": noticed}, ["test_calc.py"], before, "t")
    monkeypatch.setattr("orchestrator.suite._MORE_TIME", 2)
    endless = CODE.replace("return 2 * x", "while True: pass")
    assert suite.notices(tip, {"calc.py": endless}, [], before, "t")


@pytest.mark.parametrize(
    ("makefile", "target"),
    [
        ("test:\n\tpython3 checks/run.py\n", "make test"),
        ("all: build\n\ncheck: build\n\t@./run-checks.sh\n", "make check"),
        (".PHONY: tests\ntests:\n\tcd qa && python -m unittest discover -p '*_spec.py'\n\t@./more\n", "make tests"),
        ("test:\n\tpip install -e .\n\tpython -m pytest tests\n", ""),
        ("test:\n\t@echo no tests yet\n", ""),
        ("test: lint\n\nlint:\n\truff check .\n", ""),
        ("test := 1\n\tx\n", ""),
        ("build:\n\tcc -o test test.c\n", ""),
    ],
)
def test_tests_that_only_make_knows_are_seen(tree: Tree, makefile: str, target: str) -> None:
    assert make_target(tree({"Makefile": makefile})) == target
