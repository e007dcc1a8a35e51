"""How a JavaScript project's tests are recognised and run: by node's own runner, by vitest or by jest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

from testing.environments.javascript_package import Package, read_package
from testing.frameworks.declared import JAVASCRIPT_SUFFIXES
from testing.frameworks.framework import Report, Selected, TestCommand, TestFramework, Written
from testing.frameworks.javascript_report import diagnose_javascript, read_javascript_report
from testing.sandbox.mounts import Mount

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


def _read(written: Written) -> Report:
    return read_javascript_report(written.file, written.source)


def _framework(name: _Runner, command: Callable[[Selected], TestCommand], program: str = "") -> TestFramework:
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
        program=program,
    )


NODE = _framework("node", _node_command)
VITEST = _framework("vitest", _vitest_command, _VITEST)
JEST = _framework("jest", _jest_command, _JEST)
