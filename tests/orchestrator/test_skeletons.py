"""What an empty repository begins with can be installed, run and tested, whatever its summary says."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml

from agents import Skeleton
from orchestrator.workbench.skeleton import files_of_skeleton, is_empty
from tests.support.rounds import one_in

SUMMARIES = (
    'Says "hello" \\ and \'bye\'.', 'Z\u00e4hlt W\u00f6rter \N{SNOWMAN} """',
    "Two\nlines of it", "{braces} %s %(prog)s ${x}",
)  # fmt: skip


def laid(folder: Path, skeleton: Skeleton, ci: str = "github_actions") -> dict[str, str]:
    files = dict(files_of_skeleton(skeleton, [], ci))
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return files


@pytest.mark.parametrize(("command", "summary"), one_in(3, product(["", "count-words"], SUMMARIES)))
def test_a_python_skeleton_is_whole(summary: str, command: str, tmp_path: Path) -> None:
    skeleton = Skeleton(
        language="python", package="words", command=command, summary=summary, dependencies=["attrs>=23"]
    )
    files = laid(tmp_path, skeleton)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert (project["description"], project["dependencies"]) == (summary, ["attrs>=23"])
    assert project.get("scripts", {}) == ({command: "words.cli:main"} if command else {})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, env={"PATH": "/usr/bin", "PYTHONPATH": "src"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 if command else 1} passed" in done.stdout
    if command:
        told = subprocess.run(
            [sys.executable, "-m", "words", "--help"], capture_output=True, text=True, timeout=60, cwd=tmp_path,
            env={"PYTHONPATH": "src", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert command in told.stdout


def test_a_javascript_skeleton_is_whole(tmp_path: Path) -> None:
    skeleton = Skeleton(
        language="javascript", package="count-words", command="words", summary=SUMMARIES[0],
        dependencies=["@scope/x@^1.2.0", "left-pad"],
    )  # fmt: skip
    files = laid(tmp_path, skeleton)
    package = json.loads(files["package.json"])
    assert package["dependencies"] == {"@scope/x": "^1.2.0", "left-pad": "*"}
    done = subprocess.run(["node", "--test"], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
    told = subprocess.run(["node", package["bin"]["words"], "--version"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert told.stdout == "words 0.1.0\n"


@pytest.mark.parametrize("language", ["python", "javascript"])
@pytest.mark.parametrize(
    ("ci", "path"), [("github_actions", ".github/workflows/tests.yml"), ("gitlab_ci", ".gitlab-ci.yml")]
)
def test_its_tests_are_run_by_the_forge(language: str, ci: str, path: str, tmp_path: Path) -> None:
    skeleton = Skeleton.model_validate({"language": language, "package": "words", "summary": "Counts words."})
    read = yaml.safe_load(laid(tmp_path, skeleton, ci)[path])
    steps = json.dumps(read)
    assert ("pytest" if language == "python" else "npm test") in steps
    assert path not in laid(tmp_path, skeleton, "")


def test_what_is_there_stays(tmp_path: Path) -> None:
    skeleton = Skeleton(language="python", package="words", summary="Counts words.")
    files = files_of_skeleton(skeleton, ["readme.rst", ".gitignore", "docs/a.md"], "")
    assert not {"README.md", ".gitignore"} & {*files}


EMPTY: tuple[tuple[list[str], bool], ...] = (
    ([], True), (["README.md", "LICENSE", ".gitignore", "docs/idea.md", "notes.txt"], False),
    (["README", "LICENCE.txt", "docs/plan.rst", ".github/CODEOWNERS"], True), (["main.c"], False), (["run"], False),
    (["requirements.txt"], False), (["Makefile"], False), (["src/a.py", "README.md"], False),
)  # fmt: skip


@pytest.mark.parametrize(("paths", "empty"), EMPTY)
def test_an_empty_repository_has_no_code(paths: list[str], empty: bool) -> None:
    assert is_empty(paths) is empty
