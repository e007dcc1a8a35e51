"""Trees in folders with the environments that their code needs, and what is asked of one in a single run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from file_system import text_of
from git_ops import GitManager
from orchestrator.project_environments import ProjectEnvironments
from orchestrator.run_folders import RunFolders
from testing import (
    Checked,
    Environment,
    EnvironmentManager,
    Examples,
    ExamplesTask,
    LinesRun,
    Pages,
    TestRunner,
    Timing,
    TimingTask,
    run_examples,
    time_both,
)

_SLOWER = 3
"""Times that a run may take longer while its lines are noted."""


class ReadyTrees:
    """Lays commits and trees out, each with its environment, and runs one thing in them. Every run has a folder of its
    own, which holds nothing of another run."""

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
    ) -> None:
        """`folder` holds what is remembered of the projects; `framework` is one of `FRAMEWORKS` or `auto`; `timeout` is
        in seconds, for one run. `setup_command` gives what sets the environment up in place of what the dependency
        files say; it is asked each time."""
        self._git = git
        self.projects = ProjectEnvironments(
            git,
            environments,
            folder=folder,
            framework=framework,
            setup_command=setup_command,
            landed=self._landed,
        )
        self.runner = runner
        prefix = f"ai-agents-run-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}-"
        self.folders = RunFolders(git, prefix, confines=lambda: runner.confines)
        self.timeout = timeout

    def lines_run(self, treeish: str, selection: Sequence[str], label: str) -> LinesRun:
        """Which lines of a commit or tree are executed by the tests of `selection` (empty means all)."""
        with self.ready(treeish, label, next(iter(selection), "")) as (folder, environment):
            seconds = self.timeout * _SLOWER
            return self.runner.lines_run(folder, environment, selection, timeout=seconds, label=label)

    def timed(self, before: str, after: str, benchmark: str, label: str, rounds: int = 9) -> Timing:
        """How long the function `benchmark` of a program takes with the files of two commits or trees, in turns."""
        with self.ready(after, label) as (folder, environment), self.folders.for_a_run(before) as (old, _):
            place = self.runner.place(folder, environment, label=label)
            self.runner.prepare(old, environment)
            return time_both(place, old, TimingTask(benchmark=benchmark, rounds=rounds))

    def examples(self, treeish: str, paths: Sequence[str], label: str) -> Examples:
        """How the examples (doctests) in files of a commit or tree end."""
        with self.ready(treeish, label, next(iter(paths), "")) as (folder, environment):
            there = [path for path in paths if (folder / path).is_file()]
            return run_examples(self.runner.place(folder, environment, label=label), ExamplesTask(paths=there))

    def environment_of(self, treeish: str, label: str) -> Environment:
        """The environment that a commit or tree is tested in, built if need be."""
        with self.folders.for_reading(treeish) as (folder, tree):
            return self.projects.ensure(folder, tree, label, self.projects.project_of(folder))

    def has_module(self, treeish: str, module: str, label: str) -> bool:
        """Whether the project environment of a commit or tree has a top-level package of that name."""
        return self.environment_of(treeish, label).has_module(module)

    def check(self, treeish: str, checker: str, label: str) -> Checked | None:
        """What one of the project's own checkers reports on a commit or tree; None if the project does not use it."""
        with self.ready(treeish, label) as (folder, environment):
            return self.runner.check(folder, environment, checker, timeout=self.timeout, label=label)

    def check_workflows(self, treeish: str, label: str) -> Checked:
        """What actionlint says about the workflows of GitHub in a commit or tree."""
        with self.folders.for_a_run(treeish) as (folder, _):
            return self.runner.check_workflows(folder, label=label)

    def look_at_pages(self, treeish: str, command: str, addresses: Sequence[str], label: str) -> Pages:
        """What web pages of a commit or tree answer and look like while a shell command serves them."""
        with self.ready(treeish, label) as (folder, environment):
            return self.runner.look_at_pages(folder, environment, command, addresses, label=label)

    def format(self, treeish: str, paths: Sequence[str], label: str) -> dict[str, str]:
        """Python files of a commit or tree as the project's own formatter writes them; empty if it has none."""
        with self.ready(treeish, label, next(iter(paths), "")) as (folder, environment):
            return self.runner.format(folder, environment, paths, label=label)

    def text_of(self, treeish: str, path: str) -> str:
        """The text of a file in a commit or tree; empty if it is missing."""
        with self.folders.for_reading(treeish) as (folder, _):
            return text_of(folder, path)

    @contextmanager
    def ready(self, treeish: str, label: str, path: str = "") -> Iterator[tuple[Path, Environment]]:
        """The files of a commit or tree in a folder of their own, and the environment that its tests need: that of the
        project which the file `path` belongs to, by default of the main one."""
        with self.folders.for_a_run(treeish) as (folder, tree):
            yield folder, self.projects.ensure(folder, tree, label, self.projects.project_of(folder, path))

    @contextmanager
    def _landed(self) -> Iterator[Path]:
        """The files at the tip of the landing branch."""
        with self.folders.for_reading(self._git.branch.tip()) as (folder, _):
            yield folder
