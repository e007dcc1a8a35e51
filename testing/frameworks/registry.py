"""The registered test frameworks. A new one is a `TestFramework` in a file of this folder, and its name in `FRAMEWORKS`
at the place that gives it the right precedence. One in Python also has a program in `testing/inside/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from testing.environments.toolchains import Language
from testing.errors import InvalidSelection
from testing.frameworks.compiled import CARGO, GO
from testing.frameworks.framework import ProjectNames, Report, Selected, Symptom, TestCommand, TestFramework, Written
from testing.frameworks.javascript import JEST, MOCHA, NODE, SCRIPT, VITEST
from testing.frameworks.junit import read_report
from testing.frameworks.python import PYTEST, UNITTEST
from testing.results import Failure
from testing.sandbox.user import everything


def _owners_command(run: Selected) -> TestCommand:
    return TestCommand(["sh", "-c", run.test_command, "sh", *run.files])


def _read(written: Written) -> Report:
    return read_report(written.file, written.source, written.modules, python=written.language == "python")


COMMAND = TestFramework(
    name="command",
    language=None,
    recognises=lambda source: False,
    command=_owners_command,
    read=_read,
    diagnose=None,
    exits={
        126: "testing.test_command names a program that cannot be run",
        127: "a program that testing.test_command needs was not found",
    },
)
"""`testing.test_command`: any other way to run tests, by a shell command that writes JUnit XML to $REPORT."""

FRAMEWORKS: Mapping[str, TestFramework] = {
    framework.name: framework for framework in (UNITTEST, PYTEST, VITEST, JEST, MOCHA, SCRIPT, GO, CARGO, NODE, COMMAND)
}
"""By name. The order is precedence: the first one that recognises a folder runs its tests, so a framework stands before
those that would take its projects, too (unittest before pytest). Python goes before other languages, and a package.json
before the manifests of Go and Rust; tests for node's runner without one come last."""


BY_EXIT_CODE = (SCRIPT.name,)
"""Names of those that say no more than whether all tests pass."""


def guarded_modules(language: Language) -> frozenset[str]:
    """The topmost modules of all frameworks of a language."""
    return frozenset(name for each in FRAMEWORKS.values() if each.language == language for name in each.guarded_modules)


def detect_framework(source: Path) -> str:
    """The name of the framework that the repository at `source` uses; pytest where none is recognised."""
    return next((name for name, framework in FRAMEWORKS.items() if framework.recognises(source)), PYTEST.name)


_OTHER_LANGUAGES = {
    ".c": "C", ".cc": "C++", ".cpp": "C++", ".clj": "Clojure", ".cs": "C#", ".dart": "Dart", ".erl": "Erlang",
    ".ex": "Elixir", ".exs": "Elixir", ".f90": "Fortran", ".fs": "F#", ".hs": "Haskell", ".java": "Java",
    ".jl": "Julia", ".kt": "Kotlin", ".lua": "Lua", ".m": "Objective-C", ".ml": "OCaml", ".nim": "Nim", ".php": "PHP",
    ".pl": "Perl", ".r": "R", ".rb": "Ruby", ".scala": "Scala", ".swift": "Swift", ".tcl": "Tcl", ".vb": "Visual Basic",
    ".zig": "Zig",
}  # fmt: skip
"""Suffix -> language, of those whose tests no framework here runs."""


def other_language(source: Path) -> str:
    """The language that the repository at `source` is written in, if no framework here runs its tests; else empty."""
    if any(framework.recognises(source) for framework in FRAMEWORKS.values()):
        return ""
    suffixes = Counter(path.suffix.lower() for path in everything(source) if path.suffix.lower() in _OTHER_LANGUAGES)
    return _OTHER_LANGUAGES[suffixes.most_common(1)[0][0]] if suffixes else ""


def language_of(framework: str, source: Path) -> Language:
    """The language whose environment the framework needs; where it has none of its own, the one the sources are in."""
    if own := FRAMEWORKS[framework].language:
        return own
    others = ((other.language, other) for other in FRAMEWORKS.values())
    return next((language for language, other in others if language and other.recognises(source)), "python")


def command_for(framework: str, run: Selected) -> TestCommand:
    """The command that runs the selected tests and writes a report.

    Raises InvalidSelection for an id that the framework would take for something else.
    """
    for test_id in run.selection:
        _check(test_id)
    return FRAMEWORKS[framework].command(run)


def explain_exit(framework: str, code: int) -> str | None:
    """What a framework means by an exit code that is not just "passed" (0) or "tests failed" (1)."""
    if code in (0, 1):
        return None
    return FRAMEWORKS[framework].exits.get(code) or f"{framework} ended with exit code {code}"


def explain(framework: str, language: Language, symptom: Symptom, names: ProjectNames) -> Failure:
    """Why a test failed, in the terms of its language."""
    own = FRAMEWORKS[framework].diagnose
    found = own or next(
        other.diagnose for other in FRAMEWORKS.values() if other.language == language and other.diagnose
    )
    return found(symptom, names)


def _check(test_id: str) -> None:
    path = PurePosixPath(test_id.partition("::")[0])
    if not test_id or test_id.startswith("-") or path.is_absolute() or ".." in path.parts or "\0" in test_id:
        raise InvalidSelection(
            f"Cannot run {test_id!r}: a test is named by its path relative to the repository, such as "
            "tests/test_x.py or tests/test_x.py::test_name."
        )
