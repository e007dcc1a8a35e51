"""The registries of test frameworks and checkers: a new one is one object and one line, and the product uses it."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agents import Fact, FactKind, Requirements, render_test_file
from agents.registry import check_names
from cli import app
from config import ConfigError, Settings, load_settings
from config.paths import ProjectPaths
from memory import MemoryStore, Task
from orchestrator.idle.fact_finder import FactFinder
from orchestrator.services import make_git, make_sandbox, make_suite
from orchestrator.suite import Suite
from orchestrator.workbench.protected import protected_paths
from testing import CHECKERS, FRAMEWORKS, Checked, Environment, Finding, InvalidReport, detect_framework, tampering
from testing.checkers import Checker
from testing.frameworks.framework import Report, Selected, Symptom, TestCommand, TestFramework, Written
from testing.frameworks.junit import report_text
from testing.frameworks.python import witnessed
from testing.tampering import TestFiles


def tap_command(run: Selected) -> TestCommand:
    names = [test_id.rpartition("::")[2] for test_id in run.selection]
    return TestCommand(["sh", "check.sh", *names], report="/out/tap")


def read_tap(written: Written) -> Report:
    """Lines such as `ok half` and `not ok twice: 3 is not 4`."""
    report = Report()
    for line in report_text(written.file).splitlines():
        if (found := re.fullmatch(r"(not )?ok (\w+)(?:: (.*))?", line)) is None:
            raise InvalidReport(f"{line!r} is no line of TAP.")
        test_id = f"check.sh::{found[2]}"
        report.add({test_id: {"failed" if found[1] else "passed"}})
        if found[1]:
            report.symptoms.append(Symptom(test_id, f"AssertionError: {found[3]}", ""))
    return report


TAP = TestFramework(
    name="tap",
    language=None,
    recognises=lambda source: (source / "check.sh").is_file(),
    command=tap_command,
    read=read_tap,
    diagnose=None,
    exits={3: "check.sh has no such test"},
)
SHELL_TESTS = """
for name in ${@:-half twice}; do
    case $name in
        half) [ "$(python -c 'import calc; print(calc.half(4))')" = 2 ] && echo ok half ;;
        twice) [ "$(python -c 'import calc; print(calc.twice(2))')" = 4 ] && echo ok twice ||
            { echo 'not ok twice: 3 is not 4'; failed=1; } ;;
        *) exit 3 ;;
    esac
done > "$REPORT"
exit ${failed:-0}
"""
PROJECT = {
    "calc.py": "import os\n\n\ndef half(x):\n    return x // 2\n\n\ndef twice(x):\n    return x + 1\n",
    "check.sh": SHELL_TESTS,
}


def owners_config(folder: Path, data: Path, files: dict[str, str], **testing: str) -> Path:
    """A configuration for a new repository with these files."""
    repository = folder / "repository"
    repository.mkdir()
    for name, text in files.items():
        (repository / name).write_text(text, encoding="utf-8")
    commit = ["-c", "user.name=Owner", "-c", "user.email=owner@localhost", "commit", "-q", "-m", "first"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], commit):
        subprocess.run(["git", "-C", str(repository), *command], check=True)
    values = {
        "git": {"repository_url": str(repository)},
        "file_system": {"workspace_path": str(folder / "workspace"), "data_path": str(data)},
        "testing": testing,
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    return config


def suite_of(config: Path) -> tuple[Suite, str]:
    """The suite as a daemon with this configuration has it, and a commit of the repository."""
    settings = load_settings(config)
    paths = ProjectPaths.of(settings, config.parent)
    git = make_git(settings, paths)
    git.clone()
    store = MemoryStore(paths.database_url)
    store.migrate()
    try:
        return make_suite(settings, paths, git, make_sandbox(settings), store), git.branch.tip()
    finally:
        store.close()


@pytest.mark.parametrize("configured", ["tap", "auto"])
def test_a_framework_is_one_object_and_one_line(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    monkeypatch.setitem(FRAMEWORKS, TAP.name, TAP)
    config = owners_config(tmp_path, shared_data, PROJECT, framework=configured)
    check_names(load_settings(config), "config.yaml")
    suite, commit = suite_of(config)

    result = suite.run(commit, (), "task-1")

    assert (result.passed_ids, result.exit_code, result.tier) == (["check.sh::half"], 1, 1)
    [failure] = result.failures
    # It says nothing of why a test failed: the project is in Python, so Python's frameworks do.
    assert (failure.test_id, failure.kind) == ("check.sh::twice", "assertion")
    assert failure.message == "AssertionError: 3 is not 4"
    assert suite.run(commit, ["check.sh::half"], "task-1").test_ids == ["check.sh::half"]
    gone = suite.run(commit, ["check.sh::gone"], "task-1")
    assert gone.problem == "No test was found: check.sh has no such test."
    assert suite.baseline(commit, "task-1").failed == ["check.sh::twice"]


def test_what_a_framework_says_of_itself_holds_everywhere(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its modules are no code's business, its files nobody's to change, its tests are written as it takes them."""
    full = replace(
        TAP,
        language="python",
        guarded_modules=("tapper",),
        test_files=("check_*.py",),
        settings_files=("tapper.cfg",),
        test_cases=True,
    )
    config = owners_config(
        tmp_path, shared_data, {"check.sh": "", "tapper.cfg": "", "check_a.py": ""}, framework="pytest"
    )
    source, settings = tmp_path / "repository", load_settings(config)
    assert not tampering("calc.py", None, "import tapper\n") and not tampering("tapper.py", None, "")

    monkeypatch.setitem(FRAMEWORKS, TAP.name, full)

    assert [mark.kind for mark in tampering("calc.py", None, "import tapper\n")] == ["framework"]
    assert [mark.kind for mark in tampering("src/tapper.py", None, "")] == ["shadow"]
    assert {"**/tapper.cfg", "**/check_*.py"} <= set(protected_paths(settings))
    watched = TestFiles(source)
    for name in ("tapper.cfg", "check_a.py", "check.sh"):
        (source / name).write_text("changed")
    assert watched.changed() == ["check_a.py", "tapper.cfg"]
    requirements = Requirements(target_file="calc.py", module="calc", symbols=["half"])
    assert "(unittest.TestCase)" in render_test_file(Task(id="t-1", title="half"), requirements, [], "tap")
    # The owner wants pytest, which runs Python's tests, whichever framework they are for.
    suite, _ = suite_of(config)
    assert (detect_framework(source), suite.projects.project_of(source).framework) == ("tap", "pytest")
    environment = Environment(path=tmp_path, key="", framework="tap", editable=False, generated=[], notes=[], seconds=0)
    command = witnessed(full, environment, "tap_entry", ["check_a.py"]).command
    assert command[-4:] == ["/opt/ai-agents/start.py", "tap_entry", "tapper", "check_a.py"]


def test_a_framework_that_is_not_registered_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = owners_config(tmp_path, tmp_path / "data", PROJECT, framework="tap")
    with pytest.raises(ConfigError, match=r"testing\.framework = 'tap': unknown name; allowed: 'auto', .*'unittest'"):
        check_names(load_settings(config), "config.yaml")
    refused = CliRunner().invoke(app, ["--config", str(config), "config", "check"])
    assert refused.exit_code == 2
    assert "unknown name" in refused.output

    monkeypatch.setitem(FRAMEWORKS, TAP.name, TAP)

    assert CliRunner().invoke(app, ["--config", str(config), "config", "check"]).exit_code == 0


def pyflakes_command(source: Path, environment: Environment) -> str:
    return f"{shlex.quote(environment.python)} -m pyflakes . > /out/checked; true"


def read_pyflakes(report: str) -> Checked:
    found = re.findall(r"(?m)^(?:\./)?([^:\n]+):(\d+):\d+:? (.*)$", report)
    return Checked(
        findings=[Finding(path=path, line=int(line), rule="pyflakes", message=words) for path, line, words in found]
    )


PYFLAKES = Checker("pyflakes", "lint", (), pyflakes_command, read_pyflakes)


def test_a_checker_is_one_object_and_one_line(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"calc.py": PROJECT["calc.py"], "requirements-test.txt": "pytest\npyflakes\n"}
    suite, commit = suite_of(owners_config(tmp_path, shared_data, files))
    finder = FactFinder(suite, Settings())
    assert finder.find(commit, [FactKind.LINT]).facts == []

    monkeypatch.setitem(CHECKERS, PYFLAKES.name, PYFLAKES)

    found = finder.find(commit, [FactKind.LINT, FactKind.TYPES])
    assert [shown(fact) for fact in found.facts] == [("lint", "calc.py", 1, "pyflakes: 'os' imported but unused")]
    assert found.notes == []


def shown(fact: Fact) -> tuple[str, str, int, str]:
    return fact.kind.value, fact.path, fact.line, fact.text
