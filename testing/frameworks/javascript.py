"""JavaScript's frameworks (node's own runner, vitest, jest, mocha, and any other by its test script): how each is
recognised and run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from testing.environments.package_json import Package, read_package
from testing.frameworks.declared_tests import JAVASCRIPT_SUFFIXES
from testing.frameworks.framework import (
    Diagnosis,
    ProjectNames,
    Report,
    Selected,
    Symptom,
    TestCommand,
    TestFramework,
    Written,
)
from testing.frameworks.javascript_report import diagnose_javascript, read_javascript_report
from testing.results import Failure
from testing.sandbox.confinement import Mount
from testing.source_files import source_paths

_Runner = Literal["node", "vitest", "jest", "mocha", "script"]

CACHES = (".cache", ".vite", ".vite-temp", ".vitest")
"""Folders of node_modules that tools write to during a run; the rest of it is read-only."""

_REPORT = "/out/report.json"
# Where the programs of the runners lie among a project's packages; they are called without the shell or npx.
_VITEST, _JEST = "node_modules/vitest/vitest.mjs", "node_modules/jest/bin/jest.js"
_MOCHA = "node_modules/mocha/bin/mocha.js"
_OURS = "/opt/ai-agents"
_WRITTEN = ("coverage", "out")
"""Folders that JavaScript's tools write, which in other languages may be packages."""
_TEST_NAME = re.compile(r"(?:^test|^test-.+|.+[._-]test|.+\.spec)\.[cm]?[jt]sx?$")
_TEST_FOLDERS = {"test", "tests", "__tests__", "spec"}
_WORKERS = 4
"""A run may have 256 threads, of which each worker takes a dozen."""
_SCRIPTS: tuple[tuple[str, _Runner], ...] = (
    (r"\bvitest\b", "vitest"),
    (r"\bjest\b", "jest"),
    (r"(?<![\w-])_?mocha\b(?!-)", "mocha"),
    (r"\b(?:node|tsx)\b.*--test\b", "node"),
)
_CHECKS = re.compile(r"[\s(]*(?:npx\s+)?(?:eslint|prettier|standard|xo|tslint|biome|echo|tsc\b.*--noEmit)\b")
"""How a part of a script begins that makes nothing which the tests need."""
_CALLS_OTHERS = re.compile(r"(?:run-s|run-p|npm-run-all2?|npm test|npm run test|yarn|pnpm|lerna|turbo|nx|wireit)\b")
"""How a script begins that only calls scripts of others."""
_MOCHA_VALUES = re.compile(
    r"-[rtuRgfOs]|--(?:require|timeout|ui|reporter|reporter-options?|grep|fgrep|file|extension|ignore|exclude|config|"
    r"package|spec|node-option|loader|import|retries|slow|jobs)"
)
"""Its options with a value behind them."""
_MOCHA_LEFT_OUT = ("-R", "--reporter", "-O", "--reporter-option", "--reporter-options", "-j", "--jobs")
_MOCHA_FLAGS_LEFT_OUT = ("-w", "--watch", "-p", "--parallel", "-b", "--bail")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")


def _runner_of(source: Path) -> _Runner | None:
    """The runner of the project at `source`: what its test script calls, else, without such a script, what it depends
    on, else node's own. A script that calls none of those that are known is a runner itself.

    None when it has no package.json and no JavaScript test.
    """
    package = read_package(source)
    if package is None:
        return "node" if test_files(source, Package()) else None
    known: tuple[_Runner, ...] = ("vitest", "jest", "mocha")
    for words, runner in _SCRIPTS:
        if found := re.search(words, package.test_script):
            *before, _ = re.split(r"&&|;", f"{package.pretest} && {package.test_script[: found.start()]}")
            builds = runner == "mocha" and any(part.strip(" ()") and not _CHECKS.match(part) for part in before)
            return "script" if builds else runner  # what is built has to be built anew
    if package.test_script and not (_CALLS_OTHERS.match(package.test_script) and {*known} & package.packages):
        return "script"
    return next((runner for runner in known if runner in package.packages), "node")


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
    reporter = _ours("reporter.mjs")
    options = ["--test", f"--test-reporter={reporter.target}", f"--test-reporter-destination={_REPORT}"]
    options.append(f"--test-concurrency={_WORKERS}")
    chosen = run.files or test_files(run.source, package)
    return TestCommand(["node", *package.loading_options(), *options, *chosen], (reporter,), _REPORT)


def _mocha_command(run: Selected) -> TestCommand:
    package = read_package(run.source) or Package()
    reporter = _ours("mocha_reporter.cjs")
    variables, loading, options, specs = _mocha_words(package.test_script)
    ours = ["--require", reporter.target, "--reporter", reporter.target, "--no-parallel", "--no-bail"]
    command = ["env", *variables] if variables else []
    command += ["node", *loading, _MOCHA, *options, *ours, *(run.files or specs)]
    return TestCommand(command, (reporter,), _REPORT)


def _mocha_words(script: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Of the part of a script that calls mocha: the variables it sets, node's options that load code, mocha's options
    without those that are ours to set, and the files, folders and globs that it names."""
    part = next((part for part in re.split(r"&&|\|\||;", script) if re.search(_SCRIPTS[2][0], part)), "")
    try:
        words = [word for word in shlex.split(part) if word not in "()"]
    except ValueError:
        return [], [], [], []
    at = next((number for number, word in enumerate(words) if re.search(r"(?:^|/)_?mocha(?:\.js)?$", word)), len(words))
    variables = [word for word in words[:at] if _ASSIGNED.match(word)]
    loading = replace(Package(), test_script=shlex.join(["--test", *words[:at]])).loading_options()
    options: list[str] = []
    specs: list[str] = []
    left = iter(words[at + 1 :])
    for word in left:
        name, is_assigned, _ = word.partition("=")
        value = [next(left, "")] if _MOCHA_VALUES.fullmatch(word) and not is_assigned else []
        if not word.startswith("-"):
            specs.append(word)
        elif name == "--spec":
            specs += value or [word.partition("=")[2]]
        elif name not in (*_MOCHA_LEFT_OUT, *_MOCHA_FLAGS_LEFT_OUT):
            options += [word, *value]
    return variables, loading, options, specs


def _script_command(run: Selected) -> TestCommand:
    """The whole script, whatever is selected: its exit code is the outcome of each file with tests."""
    package = read_package(run.source) or Package()
    program = _ours("script_report.mjs")
    names = run.files or test_files(run.source, package, typed=True) or ["package.json"]
    files = [str(PurePosixPath(run.environment.place) / name) for name in names]
    return TestCommand(["node", program.target, _REPORT, package.whole_script, *files], (program,), _REPORT)


def _ours(name: str) -> Mount:
    return Mount(Path(__file__).with_name(name), f"{_OURS}/{name}")


def test_files(source: Path, package: Package, *, typed: bool = False) -> list[str]:
    """Files that `node --test` would run: those its script names, else those it finds by name and folder, sorted. Those
    in TypeScript only where the script loads what reads it, or if they are `typed`."""
    named = package.test_paths()
    suffixes = JAVASCRIPT_SUFFIXES if typed or package.loading_options() else JAVASCRIPT_SUFFIXES[:3]
    paths = [
        PurePosixPath(path).relative_to(source)
        for path in source_paths(source, _WRITTEN)
        if path.endswith(suffixes) and PurePosixPath(path).suffix in suffixes
    ]
    chosen = [path for path in paths if (any(_named(path, name) for name in named) if named else _found(path))]
    return sorted(str(path) for path in chosen)


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


def _diagnose(symptom: Symptom, names: ProjectNames) -> Failure:
    return diagnose_javascript(symptom)


def _diagnose_script(symptom: Symptom, names: ProjectNames) -> Failure:
    """All that is known is that the script failed, and what it printed. That it does so for a test alone is seen by
    the exit code without it, and with the code that makes it pass."""
    found = diagnose_javascript(symptom)
    return found if found.kind in ("missing", "syntax") else found.model_copy(update={"kind": "assertion"})


def _framework(
    name: _Runner,
    command: Callable[[Selected], TestCommand],
    modules: tuple[str, ...],
    settings: tuple[str, ...] = (),
    program: str = "",
    diagnose: Diagnosis = _diagnose,
) -> TestFramework:
    return TestFramework(
        name=name,
        language="node",
        recognises=lambda source: _runner_of(source) == name,
        command=command,
        read=_read,
        diagnose=diagnose,
        exits={
            7: "node ended because of an error that nothing caught",
            9: "this version of node does not know one of its options",
            13: "node ended while a promise was still awaited",
            126: "the test script of package.json names a program that cannot be run",
            127: "a program that the test script of package.json needs was not found",
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
MOCHA = _framework("mocha", _mocha_command, ("mocha",), (".mocharc.*",), _MOCHA)
WHOLE_SCRIPT = "npm test"
"""What the one test of each file is called."""
SCRIPT = _framework(
    "script",
    _script_command,
    ("ava", "tap", "tape", "jasmine", "uvu"),
    ("ava.config.*", ".taprc", "jasmine.json", "jasmine.mjs", "karma.conf.*"),
    diagnose=_diagnose_script,
)
"""The `test` script of package.json, whatever it calls; judged by its exit code."""
