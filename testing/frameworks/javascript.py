"""JavaScript's frameworks (node's own runner, vitest and jest): how each is recognised and run, and why a test failed.

All give the same JSON report: jest, vitest, and our reporter for node:test. It is untrusted input: anyone inside can
forge the file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from testing.environments.package_json import Package, read_package
from testing.errors import InvalidReport
from testing.frameworks.declared_tests import JAVASCRIPT_SUFFIXES
from testing.frameworks.framework import (
    LONGEST_OUTPUT,
    MESSAGE_LENGTH,
    MOST_TESTS,
    TRACEBACK_LENGTH,
    Report,
    Selected,
    Symptom,
    TestCommand,
    TestFramework,
    Written,
)
from testing.frameworks.junit import report_text
from testing.results import Failure, FailureKind
from testing.sandbox.confinement import Mount

_Runner = Literal["node", "vitest", "jest"]

CACHES = (".cache", ".vite", ".vite-temp", ".vitest")
"""Folders of node_modules that tools write to during a run; the rest of it is read-only."""

_REPORT = "/out/report.json"
# Where the programs of the runners lie among a project's packages; they are called without the shell or npx.
_VITEST, _JEST = "node_modules/vitest/vitest.mjs", "node_modules/jest/bin/jest.js"
_REPORTER = "/opt/ai-agents/reporter.mjs"
_SKIPPED = {".git", "node_modules", "dist", "build", "coverage", "out"}
_TEST_NAME = re.compile(r"(?:^test|^test-.+|.+[._-]test|.+\.spec)\.[cm]?[jt]sx?$")
_TEST_FOLDERS = {"test", "tests", "__tests__"}
_WORKERS = 4
"""A run may have 256 threads, of which each worker takes a dozen."""
_SCRIPTS: tuple[tuple[str, _Runner], ...] = (
    (r"\bvitest\b", "vitest"),
    (r"\bjest\b", "jest"),
    (r"\b(?:node|tsx)\b.*--test\b", "node"),
)

_MOST_TITLES = 20
_FRAME = re.compile(r"^\s+at (?P<call>.*?)\(?(?:file://)?(?P<file>/[^():]+|[\w.][^():\s]*):(?P<line>\d+):\d+\)?$")
_LONGEST_FRAME = 1000
_NODE_FRAME = re.compile(r"^\s+at .*\(?node:")
_TYPE = re.compile(r"^(?:Uncaught )?(?P<name>[A-Za-z]*(?:Error|Exception))\b(?: \[[^\]]*\])?: ?(?P<rest>.*)", re.DOTALL)
_CLAIM = re.compile(r"^(?:AssertionError|JestAssertionError)|\bERR_ASSERTION\b|^Error: expect\(")
_NO_EXPORT = re.compile(r"module '([^']+)' does not provide an export named '([^']+)'")
_NO_MODULE = re.compile(r"Cannot find (?:module|package) '([^']+)'|Failed to (?:load url|resolve import) \"?([^\s\"]+)")
_NO_FUNCTION = re.compile(r"^(?:\(0 ?, ?)?([\w$.]+)\)?(?:\(\.\.\.\))? is not a (?:function|constructor)")
_UNPARSED = re.compile(
    r"^SyntaxError\b|^Failed to parse source|Transform failed|encountered an unexpected token|Unexpected token"
    r"|PARSE_ERROR"
)


def _runner_of(source: Path) -> _Runner | None:
    """The runner of the project at `source`: what its test script calls, else what it depends on, else node's own.

    None when it has no package.json and no JavaScript test.
    """
    package = read_package(source)
    if package is None:
        return "node" if test_files(source, Package()) else None
    for words, runner in _SCRIPTS:
        if re.search(words, package.test_script):
            return runner
    return "vitest" if "vitest" in package.packages else "jest" if "jest" in package.packages else "node"


# An id with a name behind its file runs the whole file: what a test needs may be set up by those before it.


def _vitest_command(run: Selected) -> TestCommand:
    options = ["--reporter=json", f"--outputFile={_REPORT}", "--coverage.enabled=false", f"--maxWorkers={_WORKERS}"]
    return TestCommand(["node", _VITEST, "run", *options, *run.files], report=_REPORT)


def _jest_command(run: Selected) -> TestCommand:
    package = read_package(run.source) or Package()
    modules = ["--experimental-vm-modules"] if package.esm or "vm-modules" in package.test_script else []
    options = ["--json", f"--outputFile={_REPORT}", "--ci", "--coverage=false", f"--maxWorkers={_WORKERS}"]
    options += ["--cacheDirectory=/tmp/jest", "--passWithNoTests", "--watchman=false"]
    chosen = ["--runTestsByPath", *run.files] if run.files else []
    return TestCommand(["node", *modules, _JEST, *options, *chosen], report=_REPORT)


def _node_command(run: Selected) -> TestCommand:
    package = read_package(run.source) or Package()
    reporter = Path(__file__).with_name("reporter.mjs")
    options = ["--test", f"--test-reporter={_REPORTER}", f"--test-reporter-destination={_REPORT}"]
    options.append(f"--test-concurrency={_WORKERS}")
    chosen = run.files or test_files(run.source, package)
    return TestCommand(["node", *package.loading_options(), *options, *chosen], (Mount(reporter, _REPORTER),), _REPORT)


def test_files(source: Path, package: Package) -> list[str]:
    """Files that `node --test` would run: those its script names, else those it finds by name and folder, sorted."""
    named = package.test_paths()
    suffixes = JAVASCRIPT_SUFFIXES if package.loading_options() else JAVASCRIPT_SUFFIXES[:3]
    found = []
    waiting = [source]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_symlink():
                continue
            if path.is_dir() and path.name not in _SKIPPED and not path.name.startswith("."):
                waiting.append(path)
            elif path.is_file() and path.suffix in suffixes:
                relative = PurePosixPath(path.relative_to(source).as_posix())
                if any(_named(relative, name) for name in named) if named else _found(relative):
                    found.append(str(relative))
    return sorted(found)


def _found(path: PurePosixPath) -> bool:
    return bool(_TEST_NAME.match(path.name) or _TEST_FOLDERS & set(path.parts[:-1]))


def _named(path: PurePosixPath, name: str) -> bool:
    """Whether the script's word `name`, a file, folder or glob, means `path`."""
    folder = name.rstrip("/")
    if str(path) == folder or (folder in map(str, path.parents) and _TEST_NAME.match(path.name)):
        return True
    pieces = re.split(r"(\*\*/|\*|\{[^{}]*\})", folder)
    pattern = "".join(_pattern(piece) for piece in pieces)
    return re.fullmatch(pattern, str(path)) is not None


def _pattern(piece: str) -> str:
    match piece:
        case "**/":
            return "(?:[^/]+/)*"
        case "*":
            return "[^/]*"
        case _ if piece.startswith("{"):
            return "(?:" + "|".join(map(re.escape, piece[1:-1].split(","))) + ")"
        case _:
            return re.escape(piece)


class _Case(BaseModel):
    title: str
    ancestorTitles: list[str] = Field([], max_length=_MOST_TITLES)
    status: Literal["passed", "failed", "pending", "skipped", "todo", "disabled", "focused"]
    failureMessages: list[str] | None = None


class _File(BaseModel):
    name: str
    status: str
    message: str | None = ""
    assertionResults: list[_Case] = []


class _Output(BaseModel):
    testResults: list[_File]


def read_javascript_report(path: Path, source: Path) -> Report:
    """The report at `path` about the sources at `source`. A test's id is `path::suite > name`.

    Raises InvalidReport when there is none, or it is not what these runners write.
    """
    text = report_text(path).replace(f"{source}/", "/work/")  # where nothing is mounted, paths are the host's
    try:
        output = _Output.model_validate_json(text)
    except ValidationError as error:
        raise InvalidReport(
            f"The report is not JSON as jest and vitest write it: {error.errors()[0]['msg']}."
        ) from None
    outcomes: dict[str, set[str]] = defaultdict(set)
    report = Report()
    for file in output.testResults:
        name = file.name.removeprefix("/work/")
        for case in file.assertionResults:
            test_id = f"{name}::{' > '.join([*case.ancestorTitles, case.title])}"
            outcomes[test_id].add(case.status if case.status in ("passed", "failed") else "skipped")
            if case.status == "failed":
                message = (case.failureMessages or ["failed"])[0][:LONGEST_OUTPUT]
                report.symptoms.append(Symptom(test_id, message, message))
            if len(outcomes) > MOST_TESTS:
                raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        if file.status == "failed" and not any(case.status == "failed" for case in file.assertionResults):
            message = (file.message or "the file could not be run")[:LONGEST_OUTPUT]
            report.symptoms.append(Symptom(name, message, message, collected=False))
    report.add(outcomes)
    return report


def diagnose_javascript(symptom: Symptom) -> Failure:
    """The failure with its kind, what is missing, and the project's part of its stack.

    A call of what is undefined counts as missing: it is how JavaScript says that a function is not there. It is
    the function under test, since the test calls nothing else that does not exist.
    """
    text = symptom.text.strip()
    name, message = _error(text)
    kind: FailureKind = "error" if symptom.collected else "collection"
    missing = _missing(message)
    if missing:
        kind = "missing"
    elif _CLAIM.search(text[:400]):
        kind = "assertion"
    elif name == "SyntaxError" or _UNPARSED.search(message):
        kind = "syntax"
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=(f"{name}: {message}" if name and not message.startswith(name) else message)[:MESSAGE_LENGTH],
        traceback=_project_lines(text)[:TRACEBACK_LENGTH],
        missing=missing,
        location=_location(text),
    )


def _error(text: str) -> tuple[str, str]:
    """Type and message; of a file that did not load the printed text begins with an excerpt of the source."""
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines):
        if found := _TYPE.match(line):
            rest = _without_frames("\n".join(text.splitlines()[number + 1 :]))
            return found["name"], f"{found['rest']}\n{rest}".strip()
    return "", _without_frames(text)


def _missing(message: str) -> str | None:
    if found := _NO_EXPORT.search(message):
        return f"{_relative(found[1])}.{found[2]}"
    if found := _NO_MODULE.search(message):
        module = found[1] or found[2]
        return _relative(module) if module.startswith((".", "/")) else None  # a package is nobody's to write
    if found := _NO_FUNCTION.match(message):
        return found[1].rpartition("__.")[2]
    return None


def _relative(path: str) -> str:
    return path.removeprefix("/work/")


def _project_path(match: re.Match[str]) -> str | None:
    """The frame's file relative to /work, None if it is not the project's."""
    path = _relative(match["file"])
    return None if path.startswith(("/", "..", "node:")) or "node_modules/" in path else path


def _location(text: str) -> str | None:
    for line in text.splitlines():
        if (found := _frame(line)) and (path := _project_path(found)):
            return f"{path}:{found['line']}"
    return None


def _frame(line: str) -> re.Match[str] | None:
    """A frame of a stack; a test may print lines of any length, which the pattern would take long for."""
    return _FRAME.match(line) if len(line) <= _LONGEST_FRAME else None


def _project_lines(text: str) -> str:
    """`text` without the frames of node, of packages and of the runner."""
    kept = []
    for line in text.splitlines():
        found = _frame(line)
        if (
            _NODE_FRAME.match(line)
            or re.match(r"^\s+at .*<anonymous>\)?$", line)
            or (found and not _project_path(found))
        ):
            continue
        kept.append(line.replace("file:///work/", "").replace("/work/", ""))
    return "\n".join(kept).strip()


def _without_frames(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not re.match(r"^\s+at ", line)).strip()


def _read(written: Written) -> Report:
    return read_javascript_report(written.file, written.source)


def _framework(
    name: _Runner,
    command: Callable[[Selected], TestCommand],
    modules: tuple[str, ...],
    settings: tuple[str, ...] = (),
    program: str = "",
) -> TestFramework:
    return TestFramework(
        name=name,
        language="node",
        recognises=lambda source: _runner_of(source) == name,
        command=command,
        read=_read,
        diagnose=lambda symptom, names: diagnose_javascript(symptom),
        exits={
            7: "node ended because of an error that nothing caught",
            9: "this version of node does not know one of its options",
            13: "node ended while a promise was still awaited",
            134: "node ran out of memory (sandbox.memory_mb)",
        },
        guarded_modules=modules,
        test_files=tuple(f"*.{word}{suffix}" for word in ("test", "spec") for suffix in JAVASCRIPT_SUFFIXES),
        settings_files=("package.json", *settings),
        program=program,
    )


NODE = _framework("node", _node_command, ("node:test",))
VITEST = _framework("vitest", _vitest_command, ("vitest",), ("vitest.config.*",), _VITEST)
JEST = _framework("jest", _jest_command, ("jest", "@jest"), ("jest.config.*",), _JEST)
