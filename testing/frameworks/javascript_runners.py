"""How a JavaScript project's tests are recognised and run: by node's own runner, by vitest or by jest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from testing.environments.javascript_package import Package, read_package
from testing.frameworks.command import TestCommand
from testing.sandbox.mounts import Mount

JavaScriptRunner = Literal["node", "vitest", "jest"]

REPORT = "/out/report.json"
# Where the packages of a project lie, and the programs of the runners in them, called without the shell or npx.
PROGRAMS = {"vitest": "node_modules/vitest/vitest.mjs", "jest": "node_modules/jest/bin/jest.js"}
# Folders of node_modules that tools write to during a run; the rest of it is read-only.
CACHES = (".cache", ".vite", ".vite-temp", ".vitest")

_REPORTER = "/opt/ai-agents/reporter.mjs"
_SKIPPED = {".git", "node_modules", "dist", "build", "coverage", "out"}
JAVASCRIPT_SUFFIXES = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
_TEST_NAME = re.compile(r"(?:^test|^test-.+|.+[._-]test|.+\.spec)\.[cm]?[jt]sx?$")
_TEST_FOLDERS = {"test", "tests", "__tests__"}
_WORKERS = 4
"""A run may have 256 threads, of which each worker takes a dozen."""


def detect_javascript(source: Path) -> JavaScriptRunner | None:
    """The runner of the project at `source`: what its test script calls, else what it depends on, else node's own.

    None when it has no package.json and no JavaScript test.
    """
    package = read_package(source)
    if package is None:
        return "node" if test_files(source, Package()) else None
    for words, runner in ((r"\bvitest\b", "vitest"), (r"\bjest\b", "jest"), (r"\b(?:node|tsx)\b.*--test\b", "node")):
        if re.search(words, package.test_script):
            return runner  # type: ignore[return-value]  # mypy takes a tuple's text for any text
    return "vitest" if "vitest" in package.packages else "jest" if "jest" in package.packages else "node"


def javascript_command(runner: JavaScriptRunner, source: Path, selection: Sequence[str]) -> TestCommand:
    """The command that runs the files of `selection` (everything when empty) and reports to `REPORT`.

    An id with a name behind its file runs the whole file: what a test needs may be set up by those before it.
    """
    package = read_package(source) or Package()
    files = list(dict.fromkeys(test_id.partition("::")[0] for test_id in selection))
    if runner == "vitest":
        options = ["--reporter=json", f"--outputFile={REPORT}", "--coverage.enabled=false", f"--maxWorkers={_WORKERS}"]
        return TestCommand(["node", PROGRAMS["vitest"], "run", *options, *files], report=REPORT)
    if runner == "jest":
        modules = ["--experimental-vm-modules"] if package.esm or "vm-modules" in package.test_script else []
        options = ["--json", f"--outputFile={REPORT}", "--ci", "--coverage=false", f"--maxWorkers={_WORKERS}"]
        options += ["--cacheDirectory=/tmp/jest", "--passWithNoTests", "--watchman=false"]
        chosen = ["--runTestsByPath", *files] if files else []
        return TestCommand(["node", *modules, PROGRAMS["jest"], *options, *chosen], report=REPORT)
    reporter = Path(__file__).with_name("reporter.mjs")
    options = ["--test", f"--test-reporter={_REPORTER}", f"--test-reporter-destination={REPORT}"]
    options.append(f"--test-concurrency={_WORKERS}")
    chosen = files or test_files(source, package)
    mounts = (Mount(reporter, _REPORTER),)
    return TestCommand(["node", *package.loading_options(), *options, *chosen], mounts, REPORT)


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
