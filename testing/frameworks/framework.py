"""How each framework is recognised in a repository, asked to run, and how its exit codes read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from testing.environments.javascript_package import read_package
from testing.environments.record import Environment
from testing.environments.setup_plan import Framework
from testing.environments.toolchains import Language
from testing.errors import InvalidSelection
from testing.frameworks.cargo import cargo_command
from testing.frameworks.command import REPORT, TestCommand
from testing.frameworks.go import go_command
from testing.frameworks.javascript_declared import declared_javascript_tests
from testing.frameworks.javascript_runners import JAVASCRIPT_SUFFIXES, detect_javascript, javascript_command
from testing.sandbox.mounts import Mount

_PYTHON_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a text that it cannot read, very long sums and deep nesting among them."""
_INSIDE = "/opt/ai-agents"

_NOT_TESTS = {".git", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", "site-packages"}
_LANGUAGES: dict[Framework, Language] = {
    "pytest": "python", "unittest": "python", "node": "node", "vitest": "node", "jest": "node",
    "go": "go", "cargo": "rust",
}  # fmt: skip
_CHANGED = {97: "the code under test changed the test framework or Python's builtins"}
_EXITS: dict[Framework, dict[int, str]] = {
    "unittest": _CHANGED,
    "pytest": {
        **_CHANGED,
        2: "the run was interrupted, most often by a file that could not be collected",
        3: "pytest itself failed",
        4: "pytest could not use its options or the selection",
        5: "no test was collected",
    },
    "node": {
        7: "node ended because of an error that nothing caught",
        9: "this version of node does not know one of its options",
        13: "node ended while a promise was still awaited",
        134: "node ran out of memory (sandbox.memory_mb)",
    },
    "command": {
        126: "testing.test_command names a program that cannot be run",
        127: "a program that testing.test_command needs was not found",
    },
}
_EXITS["vitest"] = _EXITS["jest"] = _EXITS["node"]


def detect_framework(source: Path) -> Framework:
    """Which framework the repository at `source` uses: what its configuration names, else what its tests look like,
    else pytest, which runs the others' tests too. Where Python has tests, it goes before other languages."""
    if (source / "pytest.ini").exists() or (source / "conftest.py").exists() or (source / "tests/conftest.py").exists():
        return "pytest"
    if (other := _other_language(source)) is not None:
        return other
    named = {"pyproject.toml": r"tool\.pytest", "setup.cfg": r"^\[tool:pytest\]", "tox.ini": r"^\[pytest\]|\bpytest\b"}
    if any(re.search(words, _text(source / name), re.MULTILINE) for name, words in named.items()):
        return "pytest"
    looks = {_style(_text(file)) for file in _test_files(source)}
    return "unittest" if "unittest" in looks and "pytest" not in looks else "pytest"


def language_of(framework: Framework, source: Path) -> Language:
    """The language whose environment the framework needs; that of a `command` is the one its sources are in."""
    return _LANGUAGES.get(framework) or _LANGUAGES[detect_framework(source)]


def _other_language(source: Path) -> Framework | None:
    """The framework of a repository that is not in Python, None for one that is."""
    package = read_package(source)
    python = any((source / name).is_file() for name in _PYTHON_FILES)
    if _test_files(source) or (python and not (package and package.test_script)):
        return None
    if package is not None:
        return detect_javascript(source)
    if (source / "go.mod").is_file():
        return "go"
    return "cargo" if (source / "Cargo.toml").is_file() else detect_javascript(source)


def command_for(
    framework: Framework, environment: Environment, source: Path, selection: Sequence[str], test_command: str = ""
) -> TestCommand:
    """The command that runs `selection` (everything when empty) of `source` and writes a report.

    `test_command` is what the framework `command` runs, by `sh` with the files of the selection as its arguments.
    Raises InvalidSelection for an id that the framework would take for something else.
    """
    for test_id in selection:
        _check(test_id)
    if framework == "pytest":
        return _witnessed(environment, "pytest_entry.py", [*pytest_options(environment), *selection])
    if framework in ("node", "vitest", "jest"):
        return javascript_command(framework, source, selection)
    if framework == "go":
        return go_command(selection)
    if framework == "cargo":
        return cargo_command(selection)
    if framework == "command":
        files = dict.fromkeys(test_id.partition("::")[0] for test_id in selection)
        return TestCommand(["sh", "-c", test_command, "sh", *files])
    ids = list(selection) or [file.relative_to(source).as_posix() for file in _test_files(source)]
    return _witnessed(environment, "unittest_entry.py", ids)


def explain_exit(framework: Framework, code: int) -> str | None:
    """What a framework means by an exit code that is not just "passed" (0) or "tests failed" (1)."""
    if code in (0, 1):
        return None
    told = _EXITS.get(framework, {}).get(code)
    return told or f"{framework} ended with exit code {code}"


def declared_tests(text: str, file: str) -> list[str]:
    """Ids of the tests that the test file `file` with this text defines, without their parameters, read without running
    it; empty when it does not parse. They tell what should be found in a file that cannot be imported before the code
    exists.
    """
    if PurePosixPath(file).suffix in JAVASCRIPT_SUFFIXES:
        return declared_javascript_tests(text, file)
    try:
        tree = ast.parse(text)
    except NOT_PYTHON:
        return []
    return [f"{file}::{name}" for name in _declared(tree.body, "")]


def _declared(body: Sequence[ast.stmt], within: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield within + node.name
        elif isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or _is_test_case(node)):
            yield from _declared(node.body, f"{within}{node.name}::")


def _is_test_case(node: ast.ClassDef) -> bool:
    return any("TestCase" in ast.unparse(base) for base in node.bases)


def _witnessed(environment: Environment, entry: str, arguments: Sequence[str]) -> TestCommand:
    """Run one of our programs below the witness, which alone writes the report."""
    python, folder = environment.python, Path(__file__).parent.parent / "inside"
    witness = [python, "-I", "-S", f"{_INSIDE}/witness.py", REPORT]
    mounts = tuple(Mount(file, f"{_INSIDE}/{file.name}") for file in sorted(folder.glob("[a-z]*.py")))
    return TestCommand([*witness, python, f"{_INSIDE}/{entry}", *arguments], mounts)


def pytest_options(environment: Environment) -> list[str]:
    """What pytest is told in every run: where to report, and nothing that would decide about more than the tests."""
    options = [
        *("-o", "junit_family=xunit1", f"--junitxml={REPORT}"),
        *("-o", "cache_dir=/tmp/pytest_cache"),  # a plugin may ask for the cache, so it is moved and not switched off
        *("--rootdir=/work", "--tb=short", "--color=no", "--maxfail=0"),
    ]
    # Only where installed: an option that no plugin knows ends the run.
    if environment.has_module("pytest_cov"):
        options.append("--no-cov")  # a threshold would fail a run whose tests all pass
    if environment.has_module("pytest_randomly"):
        options += ["-p", "randomly", "--randomly-seed=0", "--randomly-dont-reorganize"]
    if environment.has_module("hypothesis"):
        options.append("--hypothesis-seed=0")
    if environment.has_module("pytest_benchmark"):
        options.append("--benchmark-disable")
    return options


def _check(test_id: str) -> None:
    path = PurePosixPath(test_id.partition("::")[0])
    if not test_id or test_id.startswith("-") or path.is_absolute() or ".." in path.parts or "\0" in test_id:
        raise InvalidSelection(
            f"Cannot run {test_id!r}: a test is named by its path relative to the repository, such as "
            "tests/test_x.py or tests/test_x.py::test_name."
        )


def _test_files(source: Path) -> list[Path]:
    """Files that unittest's discovery would take (`test*.py`), and pytest's `*_test.py`, sorted."""
    found, waiting = [], [source]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_symlink():
                continue
            if path.is_dir() and path.name not in _NOT_TESTS and not path.name.startswith("."):
                waiting.append(path)
            elif re.fullmatch(r"test.*\.py|.*_test\.py", path.name):
                found.append(path)
    return sorted(found)


def _style(text: str) -> str:
    if re.search(r"^\s*(import pytest|from pytest)|^(async )?def test_|^class Test\w*:", text, re.MULTILINE):
        return "pytest"
    return "unittest" if re.search(r"\(.*TestCase\)", text) else ""


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() and not path.is_symlink() else ""
