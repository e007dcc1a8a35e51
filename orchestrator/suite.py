"""The whole test suite of a tree: run once per content and environment, with the result kept on disk."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypedDict

from pydantic import BaseModel

from file_system import FileManager
from git_ops import GitManager
from memory import FailureReason
from monitoring import get_logger
from orchestrator.baseline import BY_COMMAND, Baseline, failed_test, lacking_in, require_usable
from orchestrator.errors import StageFailed
from orchestrator.ready_trees import ReadyTrees
from testing import (
    Environment,
    EnvironmentManager,
    InvalidSelection,
    SubProject,
    TestResult,
    TestRunner,
    install_command,
    make_target,
    merged,
    other_language,
    owner_of,
)

log = get_logger(__name__)

_MOST_FAILURES = 40
_MOST_RESULTS = 300
_FAULT_SECONDS = 10.0
"""Time for the tests of code with a fault, beyond twice that of the whole suite: it may never end."""
_MORE_TIME = 4
_MOST_REPEATED = 20
"""Newly failing tests that are run again: so many at once are no accident."""


class Comparison(BaseModel):
    """The suite after a change, compared with the suite before it."""

    result: TestResult
    worse: list[str]
    """Tests, and files that cannot be collected, that fail or are missing and did not before."""
    flaky: list[str]
    """Tests that failed too, but passed when they were run again."""
    is_judged: bool
    """Whether the run gave a verdict at all."""

    @property
    def holds(self) -> bool:
        """Whether the suite is at least as green as before."""
        return self.is_judged and not self.worse


@dataclass(frozen=True)
class Whole:
    """A run of all tests of a tree."""

    result: TestResult
    baseline: Baseline
    """The same, as it is stored."""


class _How(TypedDict):
    timeout: float
    label: str
    watched: Mapping[str, Sequence[int]]


class _Run(NamedTuple):
    """The tests of one project."""

    result: TestResult
    environment: Environment


class Suite(ReadyTrees):
    """Runs tests of trees, and remembers how whole suites ended."""

    def __init__(
        self,
        git: GitManager,
        environments: EnvironmentManager,
        runner: TestRunner,
        *,
        folder: Path,
        framework: str,
        setup_command: Callable[[], str | None],
        timeout: float,
        without_suite: bool = False,
    ) -> None:
        """As `ReadyTrees`; `folder` holds the stored results, too. `without_suite`: the owner says that there are no
        tests that have to hold."""
        super().__init__(
            git, environments, runner, folder=folder, framework=framework, setup_command=setup_command, timeout=timeout
        )
        self._folder = folder
        self._without_suite = without_suite

    def forget_results(self) -> int:
        """Delete all but the latest stored results; how many were deleted. They can be computed again."""
        kept = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in kept[_MOST_RESULTS:]:
            file.unlink(missing_ok=True)
        self.projects.forget_left_out()
        return len(kept[_MOST_RESULTS:])

    def run(
        self,
        treeish: str,
        selection: Sequence[str],
        label: str,
        timeout: float | None = None,
        texts: Mapping[str, str] = MappingProxyType({}),
        watched: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> TestResult:
        """Run `selection` (test files or ids; empty means all) of a commit or tree, in which files that are there have
        other `texts`. `watched`: see `TestRunner.run_tests`."""
        with self.folders.for_a_run(treeish) as (folder, tree):
            runs = self._runs(folder, tree, selection, label, timeout or self.timeout, texts, watched)
            return merged([run.result for run in runs])

    def baseline(self, treeish: str, label: str) -> Baseline:
        """The result of the whole suite of a commit or tree, read from disk if it was run before.

        Raises `StageFailed` if there is no verdict at all.
        """
        with self.folders.for_reading(treeish) as (folder, tree):
            if self.projects.framework in ("auto", "pytest") and (language := other_language(folder)):
                raise StageFailed(
                    FailureReason.NEEDS_OWNER,
                    f"the repository is written in {language}, whose tests cannot be run without being told how: "
                    f"{BY_COMMAND}",
                    blocked=True,
                )
            file = self._result_of(tree, _key(self.projects.ensure_all(folder, tree, label)))
            if file.is_file():
                return Baseline.model_validate_json(file.read_text(encoding="utf-8"))
        with self.folders.for_a_run(tree) as (folder, _):
            main, *others = self._runs(folder, tree, (), label, self.timeout)
            runs = [main, *(run for run in others if not self.projects.is_silent(run.environment, run.result))]
            environments = [run.environment for run in runs]
            result = merged([run.result for run in runs])
            found = self._recorded(result, folder, tree, environments)
            unknown = "" if self._without_suite else make_target(folder)
        require_usable(result, [each.framework for each in environments], unknown)
        if not result.test_ids and result.failures:
            failing = [failure.test_id for failure in result.failures][:20]
            log.warning("none of the repository's tests can be run: only the new tests guard its code", failing=failing)
        elif not result.test_ids:
            log.warning("the repository has no tests of its own: only the new tests guard its code")
        elif result.failures:
            log.warning("tests fail before the work", failing=[failure.test_id for failure in result.failures][:20])
        self._store(found)
        return found

    def known_of(self, folder: Path, tree: str) -> tuple[Environment | None, Baseline | None]:
        """The environment for the files of `tree`, which are in `folder`, and the result of its suite, as far as they
        are there; nothing is made or run."""
        environments = self.projects.find_all(folder)
        if not environments:
            return None, None
        file = self._result_of(tree, _key(environments))
        found = Baseline.model_validate_json(file.read_text(encoding="utf-8")) if file.is_file() else None
        return environments[0], found

    def recorded(self, baseline: Baseline) -> datetime:
        """When the result was stored."""
        return datetime.fromtimestamp((self._folder / f"{baseline.key}.json").stat().st_mtime, UTC)

    def _result_of(self, tree: str, key: str) -> Path:
        return self._folder / f"{tree[:20]}-{key[:20]}.json"

    def _store(self, found: Baseline) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{found.key}.json"
        part = file.with_suffix(f".{threading.get_ident()}.part")  # another thread may run the same suite
        part.write_text(found.model_dump_json(), encoding="utf-8")
        part.replace(file)

    def whole(self, treeish: str, label: str, timeout: float | None = None) -> Whole:
        """Run all tests of a commit or tree, whatever is stored of them."""
        with self.folders.for_a_run(treeish) as (folder, tree):
            return self._whole(folder, tree, label, timeout or self.timeout)

    def whole_with(
        self,
        tree: str,
        texts: Mapping[str, str],
        read: Callable[[TestResult], TestResult | None],
        label: str,
        timeout: float,
        watched: Mapping[str, Sequence[int]],
    ) -> Whole | None:
        """Run all tests of a tree in which files that are there have other `texts`, with lines `watched`. `read` gives
        the result as it is without that, None if it cannot say."""
        with self.folders.for_a_run(tree) as (folder, found):
            runs = self._runs(folder, found, (), label, timeout, texts, watched)
            result = read(merged([run.result for run in runs]))
            if result is None:
                return None
            return Whole(result, self._recorded(result, folder, found, [run.environment for run in runs]))

    def compare(self, tree: str, before: Baseline, label: str, whole: Whole | None = None) -> Comparison:
        """The suite of `tree`, which is run if this has not been done (`whole`), compared with `before`: which tests
        fail or are missing that did not before. What is no worse is stored: it is the state before the next work.

        A test that fails is run again before it is blamed, alone and, if it passes then, once more with all others.
        """
        whole = whole or self.whole(tree, label)
        result = whole.result
        worse = _worse(before, result)
        is_judged = result.problem is None or bool(result.failures)
        if result.problem is None and not worse:
            self._store(whole.baseline)
        flaky = self._flaky(tree, before, worse, label) if is_judged else []
        return Comparison(
            result=result,
            worse=[test_id for test_id in worse if test_id not in flaky],
            flaky=flaky,
            is_judged=is_judged or not (before.passed or result.test_ids),
        )

    def notices(
        self, treeish: str, texts: Mapping[str, str], selection: Sequence[str], before: Baseline, label: str
    ) -> bool:
        """Whether the tests of `selection` (empty means all) end worse than `before` when files have other `texts`.

        A run that takes too long is given more time once: the machine may be slow, and then every fault would count.
        """
        seconds = min(_FAULT_SECONDS + before.seconds * 2, self.timeout)
        result = self.run(treeish, selection, label, seconds, texts)
        if result.killed_reason == "timeout" and seconds < self.timeout:
            result = self.run(treeish, selection, label, min(seconds * _MORE_TIME, self.timeout), texts)
        if not selection:
            return bool(_worse(before, result))
        return bool({failure.test_id for failure in result.failures} - set(before.failed)) or not result.test_ids

    def _flaky(self, tree: str, before: Baseline, worse: Sequence[str], label: str) -> list[str]:
        """Those of the tests `worse` that pass alone, in one of two runs, and with all others when these run again."""
        left = [test_id for test_id in worse if "::" in test_id]
        if not 0 < len(left) == len(worse) <= _MOST_REPEATED:
            return []
        passed: set[str] = set()
        for _ in range(2):
            again = [test_id for test_id in left if test_id not in passed]
            try:
                passed |= set(self.run(tree, again, label).passed_ids) if again else set()
            except InvalidSelection:  # an id that cannot be given on a command line
                return []
        suspects = [test_id for test_id in left if test_id in passed]
        return [test_id for test_id in suspects if test_id not in _worse(before, self.run(tree, (), label))]

    def try_setup(self, treeish: str, command: str, label: str) -> TestResult:
        """The result of the whole suite of a commit or tree in an environment that `command` sets up.

        Raises EnvironmentSetupError when the command fails.
        """
        with self.folders.for_a_run(treeish) as (folder, tree):
            environment = self.projects.ensure(folder, tree, label, self.projects.project_of(folder), command)
            return self.runner.run_tests(folder, environment, timeout=self.timeout, label=label)

    def _runs(
        self,
        folder: Path,
        tree: str,
        selection: Sequence[str],
        label: str,
        seconds: float,
        texts: Mapping[str, str] = MappingProxyType({}),
        watched: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> list[_Run]:
        """Run the tests of `selection` (empty means all) in each project that they belong to. `folder` holds the files
        of `tree`; each further project gets a folder of its own."""
        chosen: dict[SubProject, list[str]] = {}
        if selection:
            projects = self.projects.projects(folder)
            for test_id in selection:
                chosen.setdefault(owner_of(projects, test_id) or projects[0], []).append(test_id)
        environments = (
            [self.projects.ensure(folder, tree, label, project) for project in chosen]
            if chosen
            else self.projects.ensure_all(folder, tree, label)
        )
        ids_of = list(chosen.values()) or [[] for _ in environments]
        runs: list[_Run] = []
        for environment, ids in zip(environments, ids_of, strict=True):
            with self.folders.for_a_run(tree) if runs else nullcontext((folder, tree)) as (place, _):
                for path, text in texts.items():
                    FileManager(place).write_file(path, text)
                how: _How = {"timeout": seconds, "label": label, "watched": watched}
                if ids:
                    result = self.runner.run_specific_test(place, environment, *ids, **how)
                else:
                    result = self.runner.run_tests(place, environment, **how)
                runs.append(_Run(result, environment))
        return runs

    def _whole(self, folder: Path, tree: str, label: str, timeout: float) -> Whole:
        runs = self._runs(folder, tree, (), label, timeout)
        result = merged([run.result for run in runs])
        return Whole(result, self._recorded(result, folder, tree, [run.environment for run in runs]))

    def _recorded(self, result: TestResult, folder: Path, tree: str, environments: Sequence[Environment]) -> Baseline:
        lacking = [] if result.passed_ids else lacking_in(result.failures, folder)
        return Baseline(
            key=self._result_of(tree, _key(environments)).stem,
            tree=tree,
            passed=result.passed_ids,
            failed=[failure.test_id for failure in result.failures],
            seconds=result.duration,
            skipped=len(result.skipped_ids),
            failures=[failed_test(failure) for failure in result.failures[:_MOST_FAILURES]],
            lacking=lacking,
            installing=install_command(folder, lacking) if lacking else "",
        )


def _key(environments: Sequence[Environment]) -> str:
    """One key for the environments of all projects."""
    keys = [environment.key for environment in environments]
    return keys[0] if len(keys) == 1 else hashlib.sha256("\0".join(keys).encode()).hexdigest()


def _worse(before: Baseline, result: TestResult) -> list[str]:
    """What passed before and does not now, and what fails now and did not before, sorted."""
    failing = {failure.test_id for failure in result.failures} - set(before.failed)
    return sorted(failing | (set(before.passed) - set(result.passed_ids)))
