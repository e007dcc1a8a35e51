"""What a test framework is here: how a folder shows that it uses it, how it runs, and what its report means."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testing.environments.environment import Environment
from testing.environments.toolchains import Language
from testing.results import Failure
from testing.sandbox.confinement import Mount

REPORT = "/out/report.xml"
MESSAGE_LENGTH, TRACEBACK_LENGTH = 2000, 8000
LONGEST_OUTPUT = 8000
"""Characters of a test's output that are examined: a text written for it can make patterns slow."""
MOST_TESTS = 100_000
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a text that it cannot read, very long sums and deep nesting among them."""


@dataclass(frozen=True)
class TestCommand:
    """What to run in the sandbox."""

    __test__ = False

    command: list[str]
    mounts: tuple[Mount, ...] = ()
    report: str = REPORT
    """Where it writes its report."""
    is_init: bool = False
    """It is the sandbox's first process, which nothing inside can end or stop; it keeps its memory closed itself."""


@dataclass(frozen=True)
class Selected:
    """The tests to run: those of `selection` (files or ids; empty means all) of the folder `source`."""

    source: Path
    selection: Sequence[str]
    environment: Environment
    test_command: str = ""
    """`testing.test_command`, which only the framework `command` uses."""

    @property
    def files(self) -> list[str]:
        """The files of the selection, each once; empty means all."""
        return list(dict.fromkeys(test_id.partition("::")[0] for test_id in self.selection))


@dataclass(frozen=True)
class Written:
    """A report in `file` about the sources at `source`; `modules` are their Python files, relative to it, as they were
    before the tests ran. `language` is that of the environment."""

    file: Path
    source: Path
    modules: Sequence[str]
    language: Language


@dataclass(frozen=True)
class Symptom:
    """What the report says about one failure; `exception` is the type's name where the report gives it apart."""

    test_id: str
    message: str
    text: str
    exception: str = ""
    collected: bool = True
    output: str = ""
    """What the test printed."""


@dataclass(frozen=True)
class ProjectNames:
    """Tells modules of the project from those of others."""

    own: frozenset[str]
    installed: Callable[[str], bool]

    @classmethod
    def of(cls, modules: Sequence[str], installed: Callable[[str], bool]) -> ProjectNames:
        """`modules`: the project's Python files, relative to it. `installed` answers whether a top-level module lies in
        the environment."""
        inside = [module.removeprefix("src/").removeprefix("lib/") for module in modules]
        return cls(frozenset(module.partition("/")[0].removesuffix(".py") for module in inside), installed)

    def may_be_own(self, module: str) -> bool:
        """It is the project's, or nobody's yet: a module still to be written."""
        top = module.partition(".")[0]
        return top in self.own or not (top in sys.stdlib_module_names or self.installed(top))


@dataclass
class Report:
    """What the report holds: each test once, with its worst outcome."""

    test_ids: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    symptoms: list[Symptom] = field(default_factory=list)

    def add(self, outcomes: Mapping[str, Collection[str]]) -> None:
        """Add tests by id, with all outcomes that were reported of each: "passed", "failed", "errors" or "skipped"."""
        for test_id, found in outcomes.items():
            self.test_ids.append(test_id)
            worst = next(outcome for outcome in ("failed", "errors", "skipped", "passed") if outcome in found)
            getattr(self, worst).append(test_id)


Diagnosis = Callable[[Symptom, ProjectNames], Failure]


@dataclass(frozen=True)
class TestFramework:
    """One test framework; `registry.FRAMEWORKS` lists all."""

    __test__ = False

    name: str
    """As in `testing.framework`."""
    language: Language | None
    """The language whose environment it needs; None: that of the sources."""
    recognises: Callable[[Path], bool]
    """Whether the sources in a folder use it. The first framework of the registry that recognises them is taken."""
    command: Callable[[Selected], TestCommand]
    read: Callable[[Written], Report]
    """The report; raises InvalidReport when there is none, or it is not what the framework writes."""
    diagnose: Diagnosis | None
    """Why a test failed; None: a framework of the sources' language says it."""
    exits: Mapping[int, str] = field(default_factory=dict)
    """What exit codes mean that are not just "passed" (0) or "tests failed" (1)."""
    module: str = ""
    """The Python module that runs the tests; `requirement` installs it where the project brings none of its own."""
    requirement: str = ""
    guarded_modules: tuple[str, ...] = ()
    """The top-level modules of the framework, in its language, which are none of the business of the code under test: a
    change must not import them or take their names. In Python the guard (`testing/inside/guard.py`) watches them."""
    test_files: tuple[str, ...] = ()
    """Globs of the names of files with tests. The guard takes as tests only what `testing/inside/guard.py` lists."""
    settings_files: tuple[str, ...] = ()
    """Globs of the names of files that decide what a run means. No developer may write these or `test_files`, and a run
    that changes one does not count."""
    test_cases: bool = False
    """Whether new tests in Python are methods of a `unittest.TestCase`, and not functions as pytest takes them, which
    may import pytest: true for all but pytest."""
    traces_lines: bool = False
    """Whether its program in `testing/inside/` is started by `start.py`, which notes the lines that are run."""
    program: str = ""
    """The runner's file among the installed packages of a JavaScript project."""
