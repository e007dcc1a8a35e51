"""Python's frameworks, pytest and unittest, both run below the witness; and why a test in Python failed."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from pathlib import Path

from testing.environments.environment import Environment
from testing.environments.package_json import read_package
from testing.environments.pytest_settings import django_settings, read_pytest_settings
from testing.environments.python_dependencies import text_of
from testing.frameworks.framework import (
    MESSAGE_LENGTH,
    REPORT,
    TRACEBACK_LENGTH,
    ProjectNames,
    Selected,
    Symptom,
    TestCommand,
    TestFramework,
)
from testing.frameworks.junit import read_python_report
from testing.inside import start, watch
from testing.results import Failure, FailureKind
from testing.sandbox.confinement import Mount
from testing.source_files import source_paths

_PYTHON_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
_INSIDE = "/opt/ai-agents"
_OWN_FILES = ("pytest.ini", "conftest.py", "tests/conftest.py")
_NAMED = {"pyproject.toml": r"tool\.pytest", "setup.cfg": r"^\[tool:pytest\]", "tox.ini": r"^\[pytest\]|\bpytest\b"}
CHANGED = {
    start.CHANGED: "the code under test changed the test framework or Python's builtins",
    watch.LOOKED: "the code under test looked at who calls it, at its tests or at its process",
}
_FRAME = re.compile(
    r'^(?:E\s+)?\s*File "(?P<file>[^"]+)", line (?P<line>\d+)|^(?P<path>[^\s:][^:]*):(?P<number>\d+): in '
)
_EXCEPTION = re.compile(r"^(?:[\w.<>]*\.)?(?P<name>[A-Za-z_]\w*)(?::|$)")
_SYNTAX = {"SyntaxError", "IndentationError", "TabError"}
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_MODULE_ATTRIBUTE = re.compile(r"^module '([\w.]+)' has no attribute '(\w+)'")
_NO_ATTRIBUTE = re.compile(r"^(?:type object )?'(\w+)'(?: object)? has no attribute '(\w+)'")
_NO_PARAMETER = re.compile(r"^([\w.<>]+)\(\) got an unexpected keyword argument '(\w+)'")
_TOO_MANY = re.compile(r"^([\w.<>]+)\(\) takes .*positional arguments? but")
_BUILTIN_TYPES = {name for name, value in vars(builtins).items() if isinstance(value, type)} | {
    "NoneType", "function", "method", "module", "generator", "coroutine", "builtin_function_or_method",
}  # fmt: skip


def _has_python(source: Path) -> bool:
    """Whether the tests of `source` are Python's: a file of pytest or Python tests are there, or it is a Python
    project whose package.json, if there is one, runs no tests."""
    if any((source / name).exists() for name in _OWN_FILES) or python_test_files(source):
        return True
    package = read_package(source)
    return any((source / name).is_file() for name in _PYTHON_FILES) and not (package and package.test_script)


def _is_plain_unittest(source: Path) -> bool:
    """Whether nothing names pytest, and the tests look like unittest's: pytest runs those too."""
    if any((source / name).exists() for name in _OWN_FILES) or django_settings(source):
        return False
    if any(re.search(words, text_of(source / name), re.MULTILINE) for name, words in _NAMED.items()):
        return False
    looks = {_style(text_of(file)) for file in python_test_files(source)}
    return "unittest" in looks and "pytest" not in looks


def _pytest_command(run: Selected) -> TestCommand:
    options = pytest_options(run.environment, run.source)
    # pytest itself looks at `testpaths` in the root alone.
    chosen = run.selection or (read_pytest_settings(run.source).test_paths if run.environment.place else ())
    return witnessed(PYTEST, run.environment, "pytest_entry", [*options, *chosen])


def _unittest_command(run: Selected) -> TestCommand:
    ids = list(run.selection) or [file.relative_to(run.source).as_posix() for file in python_test_files(run.source)]
    return witnessed(UNITTEST, run.environment, "unittest_entry", ids)


def witnessed(
    framework: TestFramework, environment: Environment, program: str, arguments: Sequence[str]
) -> TestCommand:
    """Run a program of `testing/inside/`, which runs the tests of `framework` (see `start.py` there).

    It runs below the witness, which alone writes the report.
    """
    python, folder = environment.python, Path(__file__).parent.parent / "inside"
    witness = [python, "-I", "-S", f"{_INSIDE}/witness.py", REPORT]
    start = [python, f"{_INSIDE}/start.py", program, ",".join(framework.guarded_modules)]
    mounts = tuple(Mount(file, f"{_INSIDE}/{file.name}") for file in sorted(folder.glob("[a-z]*.py")))
    return TestCommand([*witness, *start, *arguments], mounts, is_init=True)


def pytest_options(environment: Environment, source: Path) -> list[str]:
    """pytest's options in every run: where to report, and that nothing but the tests decides."""
    options = [
        *("-o", "junit_family=xunit1", f"--junitxml={REPORT}"),
        *("-o", "junit_logging=system-out", "-o", "junit_log_passing_tests=false"),
        *("-o", "cache_dir=/tmp/pytest_cache"),  # a plugin may ask for the cache, so it is moved and not switched off
        *("--rootdir=/work", "--tb=short", "--color=no", "--maxfail=0"),
        "--continue-on-collection-errors",  # one broken file of the project must not keep all others from being run
    ]
    theirs = read_pytest_settings(source)
    # Only where installed and not switched off: an option that no plugin knows ends the run.
    if environment.has_module("pytest_cov") and not theirs.disables("cov") and not theirs.disables("pytest_cov"):
        options.append("--no-cov")  # a threshold would fail a run whose tests all pass
    if environment.has_module("pytest_randomly") and not theirs.disables("randomly"):
        options += ["-p", "randomly", "--randomly-seed=0", "--randomly-dont-reorganize"]
    if environment.has_module("hypothesis") and not theirs.disables("hypothesispytest"):
        options.append("--hypothesis-seed=0")
    if environment.has_module("pytest_benchmark") and not theirs.disables("benchmark"):
        options.append("--benchmark-disable")
    if django_settings(source) and "python_files" not in theirs.keys:
        options += ["-o", "python_files=tests.py test_*.py *_test.py"]  # Django's own runner takes tests.py
    return options


def python_test_files(source: Path) -> list[Path]:
    """Files that unittest's discovery would take (`test*.py`), and pytest's `*_test.py`, sorted."""
    return sorted(map(Path, filter(_TEST_FILE, source_paths(source))))


_TEST_FILE = re.compile(r"(?:.*/)?(?:test[^/]*\.py|[^/]*_test\.py)", re.DOTALL).fullmatch
_CHAIN = re.compile(
    r"The above exception was the direct cause of the following exception:|"
    r"During handling of the above exception, another exception occurred:"
)


def _style(text: str) -> str:
    if re.search(r"^\s*(import pytest|from pytest)|^(async )?def test_|^class Test\w*:", text, re.MULTILINE):
        return "pytest"
    return "unittest" if re.search(r"\(.*TestCase\)", text) else ""


def diagnose(symptom: Symptom, names: ProjectNames) -> Failure:
    """The failure with its kind, what is missing, and the project's part of its traceback."""
    exception, message = _exception(symptom)
    kind: FailureKind = "error" if symptom.collected else "collection"
    missing = None
    if exception in _SYNTAX:
        kind = "syntax"
    elif exception in ("AssertionError", "Failed"):
        kind = "assertion"
    else:
        missing = _missing(exception, message, names)
        kind = "missing" if missing else kind
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=f"{exception}: {message}".strip(": ")[:MESSAGE_LENGTH],
        traceback=project_frames(symptom.text)[-TRACEBACK_LENGTH:],
        missing=missing,
        location=_location(symptom.text),
        causes=tuple(filter(None, map(_location, _CHAIN.split(symptom.text)[:-1]))),
        output=symptom.output,
    )


def _exception(symptom: Symptom) -> tuple[str, str]:
    """Type and message of the exception. pytest gives both in one line, and leaves the type of a plain assert out;
    of a file that could not be collected it gives only the traceback."""
    if symptom.exception:
        return symptom.exception, symptom.message
    message = symptom.message
    if not symptom.collected or not message:
        errors = [line[1:].strip() for line in symptom.text.splitlines() if line.startswith("E ")]
        message = next((line for line in reversed(errors) if _EXCEPTION.match(line)), message)
    message = re.sub(r'^failed on (?:setup|teardown) with "', "", message).removesuffix('"')
    if message.startswith("assert ") or message == "assert":
        return "AssertionError", message
    found = _EXCEPTION.match(message)
    return (found["name"], message[found.end() :].strip()) if found else ("", message)


def _missing(exception: str, message: str, names: ProjectNames) -> str | None:
    if exception in ("ModuleNotFoundError", "ImportError"):
        if found := _NO_MODULE.search(message):
            return found[1] if names.may_be_own(found[1]) else None
        if found := _NO_NAME.search(message):
            return f"{found[2]}.{found[1]}" if names.may_be_own(found[2]) else None
    if exception == "AttributeError":
        if found := _NO_MODULE_ATTRIBUTE.match(message):
            return f"{found[1]}.{found[2]}" if names.may_be_own(found[1]) else None
        if (found := _NO_ATTRIBUTE.match(message)) and found[1] not in _BUILTIN_TYPES:
            return f"{found[1]}.{found[2]}"
    if exception == "TypeError":
        if found := _NO_PARAMETER.match(message):
            return f"{found[1]}({found[2]})"
        if found := _TOO_MANY.match(message):
            return f"{found[1]}()"
    return (message or "implementation") if exception == "NotImplementedError" else None


def _project_path(match: re.Match[str]) -> str | None:
    """The frame's file relative to /work, None if it is not the project's."""
    path = (match["file"] or match["path"]).removeprefix("/work/")
    return None if path.startswith(("/", "<", "..")) else path


def _location(text: str) -> str | None:
    for line in reversed(text.splitlines()):
        found = _FRAME.match(line)
        if found and (path := _project_path(found)):
            return f"{path}:{found['line'] or found['number']}"
    return None


def project_frames(text: str) -> str:
    """`text` without the frames of pytest, unittest and the interpreter, and the lines that belong to them."""
    kept, skipping = [], False
    for line in text.splitlines():
        found = _FRAME.match(line)
        if found and not line.startswith("E"):
            skipping = _project_path(found) is None
        elif line.startswith("E ") or not line[:1].isspace():
            skipping = False
        if not skipping:
            kept.append(line)
    return "\n".join(kept).strip()


PYTEST = TestFramework(
    name="pytest",
    language="python",
    recognises=_has_python,
    command=_pytest_command,
    read=read_python_report,
    diagnose=diagnose,
    exits={
        **CHANGED,
        2: "the run was interrupted, most often by a file that could not be collected",
        3: "pytest itself failed",
        4: "pytest could not use its options or the selection",
        5: "no test was collected",
    },
    module="pytest",
    guarded_modules=("pytest", "_pytest", "pluggy", "unittest"),
    test_files=("test_*.py", "*_test.py"),
    settings_files=(
        *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
        *("tox.ini", "setup.cfg", "pyproject.toml"),
    ),
    requirement="pytest==9.2.0",
    traces_lines=True,
)
UNITTEST = TestFramework(
    name="unittest",
    language="python",
    recognises=_is_plain_unittest,
    command=_unittest_command,
    read=read_python_report,
    diagnose=diagnose,
    exits=CHANGED,
    module="xmlrunner",
    guarded_modules=("unittest", "xmlrunner"),
    test_files=("test_*.py",),
    requirement="unittest-xml-reporting==4.0.0",
    test_cases=True,
    traces_lines=True,
)
