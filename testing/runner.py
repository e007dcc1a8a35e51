"""Runs a project's tests in the sandbox and reports the result."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from monitoring import get_logger
from monitoring.tracing import span
from testing.checkers import Checked
from testing.checking import check_workflows, formatter_of, is_configured, run_checker, run_formatter
from testing.environments.environment import Environment
from testing.environments.python_dependencies import text_of
from testing.errors import InvalidReport
from testing.frameworks.framework import ProjectNames, Report, Selected, TestCommand, Written
from testing.frameworks.javascript import CACHES
from testing.frameworks.junit import report_text
from testing.frameworks.registry import FRAMEWORKS, command_for, explain, explain_exit
from testing.inside import lines, watch
from testing.pages import Pages, look_at_pages
from testing.results import Failure, LinesRun, TestCounts, TestResult
from testing.sandbox.confinement import Mount
from testing.sandbox.sandbox import Sandbox, SandboxResult
from testing.sandbox.user import discard, everything
from testing.sandboxed_program import Place
from testing.tampering import TestFiles
from testing.variables import variables_of

_log = get_logger(__name__)

_TAIL = 8000
_ASKS_GIT = re.compile(r"""["']git["' ]|\bgit\.Repo\b|\brev-parse\b""")
_STACKS_AT = 0.9
"""Share of the time of a run after which it prints where it is."""
_OF_TEST_RUNS = {"PYTEST_XDIST_AUTO_NUM_WORKERS": "1"}
"""Variables that a plain program must not have: code could tell by them that tests are run."""
_LINES = "/out/lines.json"
_MOST_LINES_BYTES = 32 << 20


class TestRunner:
    """Runs tests. Safe to use from many threads, each with a run folder of its own."""

    __test__ = False

    def __init__(self, sandbox: Sandbox, test_command: str | None = None) -> None:
        """`test_command`: what the framework `command` runs."""
        self._sandbox = sandbox
        self._test_command = test_command or ""

    @property
    def confines(self) -> bool:
        """Whether nothing that a run has started outlives it."""
        return self._sandbox.confines

    def prepare(self, run_folder: Path, environment: Environment) -> None:
        """Make an exported tree ready for a run: copy the generated files in, hand everything to the sandbox's user."""
        environment.lay_generated(run_folder)
        _lay_empty_repository(run_folder)
        if not self.confines:
            environment.link_packages(run_folder)
        self._sandbox.hand_over(run_folder)

    def run_tests(
        self,
        source: Path,
        environment: Environment,
        *,
        timeout: float = 300.0,
        label: str = "",
        watched: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> TestResult:
        """Run all tests of the run folder `source`: an exported tree, which is prepared here. The tests write to it, so
        it must not be used for another verdict.

        `label` is what `Sandbox.kill` knows the run by. `watched`: lines by path (none: all of it), from which nothing
        may look at who calls it, at its tests or at its process; the run ends where it does. Raises SandboxUnavailable
        when nothing may be run.
        """
        return self._tested(source, environment, (), timeout, label, watched)

    def run_specific_test(
        self,
        source: Path,
        environment: Environment,
        test_path: str,
        *further: str,
        timeout: float = 300.0,
        label: str = "",
        watched: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> TestResult:
        """As `run_tests`, one test file or test id only, and `further` ones after it in the same run.

        Raises InvalidSelection, too, for what is no test file or id.
        """
        return self._tested(source, environment, (test_path, *further), timeout, label, watched)

    def lines_run(
        self,
        source: Path,
        environment: Environment,
        selection: Sequence[str] = (),
        *,
        timeout: float = 300.0,
        label: str = "",
    ) -> LinesRun:
        """Which lines of the run folder `source` are executed by the tests of `selection` (files or ids; empty means
        all), run as `run_tests` does. Takes several times as long as a plain run.

        Raises SandboxUnavailable when nothing may be run, and InvalidSelection for what is no test file or id.
        """
        if not FRAMEWORKS[environment.framework].traces_lines:
            able = [framework.name for framework in FRAMEWORKS.values() if framework.traces_lines]
            return LinesRun(problem=f"lines are measured with {', '.join(sorted(able))} only")
        command = command_for(environment.framework, self._selected(source, selection, environment))
        self.prepare(source, environment)
        out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
        try:
            self._sandbox.hand_over(out)
            variables = {lines.VARIABLE: _LINES}
            if environment.has_module("xdist"):
                variables["PYTEST_ADDOPTS"] = "-n0"  # other processes are not traced
            ended = self._run(command, source, environment, out, timeout, label, variables)
            if ended.killed_reason:
                return LinesRun(problem=f"the tests were killed while their lines were measured: {ended.killed_reason}")
            found = LinesRun(arcs=json.loads(report_text(out / Path(_LINES).name, _MOST_LINES_BYTES)))
        except (InvalidReport, ValueError, RecursionError) as problem:
            return LinesRun(problem=f"the run reported no lines: {problem}"[:300])
        finally:
            discard(out)
        _log.info("lines measured", files=len(found.arcs), seconds=round(ended.seconds, 2))
        return found

    def _tested(
        self,
        source: Path,
        environment: Environment,
        selection: Sequence[str],
        timeout: float,
        label: str,
        watched: Mapping[str, Sequence[int]],
    ) -> TestResult:
        framework = environment.framework
        with span("test run", framework=framework, whole_suite=not selection) as note:
            command = command_for(framework, self._selected(source, selection, environment))
            modules = _modules(source)  # before anything in it has run
            tests = TestFiles(source)
            self.prepare(source, environment)
            out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
            try:
                for cache in CACHES if environment.own_packages in environment.packages else ():
                    (out / cache).mkdir()
                self._sandbox.hand_over(out)
                told = {watch.VARIABLE: watch.told(environment.place, watched)} if watched else {}
                ended = self._run(command, source, environment, out, timeout, label, told)
                file = out / Path(command.report).name
                report, unreadable = _report(framework, Written(file, source, modules, environment.language))
                if rewritten := tests.changed():
                    report = Report()
            finally:
                discard(out)
            names = ProjectNames.of(modules, environment.has_module)
            failures = [explain(framework, environment.language, symptom, names) for symptom in report.symptoms]
            result = _result(ended, framework, report, unreadable, failures, rewritten)
            note(passed=result.passed, tests=result.test_count, failures=len(result.failures))
        _log.info(
            "tests run", framework=framework, passed=result.passed, tests=result.test_count, tier=result.tier,
            failures=len(result.failures), problem=result.problem, seconds=round(result.duration, 2),
        )  # fmt: skip
        return result

    def _selected(self, source: Path, selection: Sequence[str], environment: Environment) -> Selected:
        """The tests as they are named in the folder of the project."""
        inside = f"{environment.place}/" if environment.place else ""
        chosen = [test_id.removeprefix(inside) for test_id in selection]
        return Selected(source / environment.place, chosen, environment, self._test_command)

    def place(self, source: Path, environment: Environment, *, label: str = "") -> Place:
        """Where a program of ours can be run (see `run_program`): the run folder `source`, prepared here, in the
        project's environment. Raises SandboxUnavailable when nothing may be run.
        """
        self.prepare(source, environment)
        variables = variables_of(self._sandbox, source, environment)
        if environment.place:  # a program starts in the root, and the project's own modules lie elsewhere
            paths = [environment.work, *filter(None, [variables.get("PYTHONPATH", "")])]
            variables["PYTHONPATH"] = ":".join(paths)
        return Place(self._sandbox, source, environment.mount, environment.python, variables, label)

    def shell(
        self, source: Path, environment: Environment, command: str, *, timeout: float, label: str = ""
    ) -> SandboxResult:
        """How a shell command ends in the run folder `source`, an exported tree that is prepared here.

        Raises SandboxUnavailable when nothing may be run.
        """
        self.prepare(source, environment)
        return self._sandbox.run(
            ["/bin/sh", "-c", command],
            mounts=[Mount(source, "/work", writable=True), *environment.mounts],
            cwd="/work",
            env=variables_of(self._sandbox, source, environment),
            timeout=timeout,
            label=label,
        )

    def check(
        self, source: Path, environment: Environment, checker: str, *, timeout: float = 300.0, label: str = ""
    ) -> Checked | None:
        """What one of the project's own checkers says about the run folder `source`; None where the project has no
        settings for it or its environment lacks it.

        Raises SandboxUnavailable when nothing may be run.
        """
        if not is_configured(source, environment, checker):
            return None
        self.prepare(source, environment)
        variables = variables_of(self._sandbox, source, environment)
        found = run_checker(self._sandbox, source, environment, variables, checker, timeout=timeout, label=label)
        _log.info("checked", checker=checker, findings=len(found.findings), problem=found.problem)
        return found

    def check_workflows(self, source: Path, *, label: str = "") -> Checked:
        """What actionlint says about the workflows of GitHub in `source`, an exported tree that is handed over here.

        Raises SandboxUnavailable when nothing may be run.
        """
        self._sandbox.hand_over(source)
        found = check_workflows(self._sandbox, source, label=label)
        _log.info("checked", checker="actionlint", findings=len(found.findings), problem=found.problem)
        return found

    def look_at_pages(
        self, source: Path, environment: Environment, command: str, addresses: Sequence[str], *, label: str = ""
    ) -> Pages:
        """What web pages of the run folder `source`, an exported tree that is prepared here, answer and look like while
        a shell command serves them.

        Raises SandboxUnavailable when nothing may be run.
        """
        self.prepare(source, environment)
        variables = variables_of(self._sandbox, source, environment)
        found = look_at_pages(self._sandbox, source, environment, variables, command, addresses, label=label)
        _log.info("pages looked at", pages=len(found.pages), browser=found.browser, problem=found.problem)
        return found

    def format(
        self, source: Path, environment: Environment, paths: Sequence[str], *, label: str = ""
    ) -> dict[str, str]:
        """The Python files at `paths` of the run folder `source` as the project's own formatter writes them.

        Left out is what it does not manage; empty where the project has no settings for one or its environment lacks
        it. Raises SandboxUnavailable when nothing may be run.
        """
        formatter = formatter_of(source, environment)
        if formatter is None or not paths:
            return {}
        self.prepare(source, environment)
        variables = variables_of(self._sandbox, source, environment)
        return run_formatter(self._sandbox, source, environment, variables, formatter, paths, label=label)

    def _run(
        self,
        command: TestCommand,
        source: Path,
        environment: Environment,
        out: Path,
        timeout: float,
        label: str,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> SandboxResult:
        mounts = [Mount(source, "/work", writable=True), Mount(out, "/out", writable=True), *environment.mounts]
        if (own := environment.own_packages) in environment.packages:
            mounts += [Mount(out / cache, f"/work/{own}/{cache}", writable=True) for cache in CACHES]
        return self._sandbox.run(
            command.command,
            mounts=[*mounts, *command.mounts],
            cwd=environment.work,
            env=variables_of(self._sandbox, source, environment)
            | {"REPORT": command.report}
            | (_OF_TEST_RUNS | {"STACKS_AFTER": str(timeout * _STACKS_AT)} if environment.language == "python" else {})
            | dict(variables),
            timeout=timeout,
            label=label,
            is_init=command.is_init,
        )


def _lay_empty_repository(run_folder: Path) -> None:
    """A repository without commits where a conftest.py asks git for the place of the project: none is in the folder."""
    asks = any(_ASKS_GIT.search(text_of(file)) for file in everything(run_folder) if file.name == "conftest.py")
    git = run_folder / ".git"
    if not asks or os.path.lexists(git):
        return
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")


def _modules(source: Path) -> list[str]:
    below = len(os.fspath(source)) + 1
    return sorted(os.fspath(path)[below:] for path in everything(source) if path.suffix == ".py")


def _report(framework: str, written: Written) -> tuple[Report, str | None]:
    """The report, and why it cannot be read if it cannot."""
    try:
        return FRAMEWORKS[framework].read(written), None
    except InvalidReport as error:
        return Report(), str(error)


def _result(
    ended: SandboxResult,
    framework: str,
    report: Report,
    unreadable: str | None,
    failures: list[Failure],
    rewritten: list[str],
) -> TestResult:
    problem = _problem(ended, framework, report, unreadable)
    if rewritten:
        problem = f"The run changed its own tests: {', '.join(rewritten[:5])}."
    return TestResult(
        passed=problem is None and not failures and ended.exit_code == 0,
        test_count=len(report.test_ids),
        counts=TestCounts(
            passed=len(report.passed), failed=len(report.failed), errors=len(report.errors), skipped=len(report.skipped)
        ),
        failures=failures,
        test_ids=report.test_ids,
        passed_ids=report.passed,
        skipped_ids=report.skipped,
        duration=ended.seconds,
        exit_code=ended.exit_code,
        tier=ended.tier,
        output_tail=ended.output[-_TAIL:],
        problem=problem,
        killed_reason=ended.killed_reason,
    )


def _place_of_hang(output: str) -> str:
    """Where a run was shortly before it was killed, in words, as far as it printed its stacks; else empty."""
    stack = output.rpartition("Timeout (")[2]
    main = stack.rpartition("most recent call first")[2]
    found = re.search(r'File "/work/([^"\n]{1,200})", line (\d+) in (\S{1,80})', main)
    return f"; it was at line {found[2]} of {found[1]}, in {found[3]}" if found else ""


def _problem(ended: SandboxResult, framework: str, report: Report, unreadable: str | None) -> str | None:
    """Why there is no verdict on single tests, or why those that passed do not count."""
    if ended.killed_reason == "timeout":
        return f"The tests did not end within {ended.seconds:.0f} s and were killed{_place_of_hang(ended.output)}."
    if ended.killed_reason is not None:
        return f"The tests were killed: {ended.killed_reason}."
    meaning = explain_exit(framework, ended.exit_code)
    if unreadable is not None:
        return f"{unreadable} {meaning or f'Exit code {ended.exit_code} proves nothing without it'}."
    if report.symptoms:
        return None
    if not report.test_ids:
        return f"No test was found: {meaning}." if meaning else "No test was found."
    if not report.passed:
        return "Every test was skipped."
    if ended.exit_code != 0:
        return f"Every reported test passed, but {meaning or f'the exit code is {ended.exit_code}'}."
    return None
