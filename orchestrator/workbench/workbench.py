"""One task's worktree, and its trials in the sandbox. Every method can be repeated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from pydantic import BaseModel

from agents import Requirements, TestCase, render_javascript_tests, render_test_file
from file_system import (
    FileManager,
    is_javascript,
    is_test_file,
    matching_pattern,
    readable_text,
    same_code,
    text_of,
)
from file_system.walk import walk
from git_ops import ChangedFile, Overlay, SecretFound, UnsafeContent, Worktree
from memory import Task
from monitoring import redact
from orchestrator.baseline import Baseline
from orchestrator.services import Services
from orchestrator.workbench.commits import Landed
from orchestrator.workbench.formatting import as_project_formats
from orchestrator.workbench.javascript import draft_test, javascript_test_file
from orchestrator.workbench.new_tests import new_test_file
from orchestrator.workbench.protected import SECRETS, protected_paths
from orchestrator.workbench.sources import Sources, read_sources
from orchestrator.workbench.trial import Trial, evidence_of, files_of, shortened
from orchestrator.workbench.verdict import Judge
from testing import (
    FRAMEWORKS,
    EnvironmentSetupError,
    Place,
    SubProject,
    TestResult,
    declared_tests,
    read_pytest_settings,
)


class Opened(BaseModel):
    """A worktree, ready for use."""

    base: str


class Apply(Protocol):
    """Applies one answer to the files below a folder."""

    def __call__(self, root: Path, protected: list[str]) -> str:
        """What is wrong with the answer, in words for its author; empty if nothing is.

        `protected`: patterns of what it may not write.
        """


class Workbench:
    """The worktree of one task, and the trials in it."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._git = services.git
        self._suite = services.suite
        self._task = task
        self._judge = Judge(services, task)

    # -- the worktree ----------------------------------------------------------------------------------------

    def open(self) -> Opened:
        """A fresh worktree on the tip of the landing branch, with the owner's latest work in it."""
        self._services.sync(approved=True)
        self._git.worktrees.remove(self._task.id, branch=True)
        worktree = self._git.worktrees.create(self._task.id)
        return Opened(base=worktree.base_commit)

    def close(self, landed: Landed) -> bool:
        """Remove the worktree and branch of a landed task; the suite result of the landed tree is stored."""
        self._git.worktrees.remove(self._task.id, branch=True)
        self._suite.baseline(landed.tree, self._task.id)
        return True

    def discard(self) -> bool:
        """Remove the worktree and branch of a task that needed no work."""
        self._git.worktrees.remove(self._task.id, branch=True)
        return True

    def baseline(self, base: str) -> Baseline:
        """The result of the suite on `base`, before any work; builds the project environment if necessary."""
        return self._suite.baseline(base, self._task.id)

    def sources(self) -> Sources:
        """The source files of the worktree."""
        return read_sources(self._worktree.path)

    def check_readable(self, path: str) -> bool:
        """Raise the error of a file that no agent can read, before any model is asked."""
        files = FileManager(self._worktree.path)
        if files.exists(path):
            files.read_file(path)
        return True

    def lay(self, commit: str, tree: str) -> None:
        """Check out `commit` in the worktree, with the files of `tree`, a later one or the same."""
        worktree = self._worktree
        self._git.worktrees.reset(worktree, commit)
        if tree != commit:
            self._bring(commit, tree)

    def has_module(self, treeish: str, module: str) -> bool:
        """Whether the project environment of a commit or tree has a top-level package of that name."""
        return self._suite.has_module(treeish, module, self._task.id)

    def project_of(self, path: str) -> SubProject:
        """The project of the repository that a file belongs to."""
        return self._suite.projects.project_of(self._worktree.path, path)

    def tests_text(self, requirements: Requirements, path: str, cases: Sequence[TestCase]) -> str:
        """The text of a test file at `path` with `cases`, for the project's framework."""
        if not is_javascript(path):
            project = self.project_of(path)
            framework, settings = project.framework, read_pytest_settings(self._worktree.path / project.place)
            # Methods of a TestCase are collected, whatever the project's own functions of tests are called.
            if framework == "pytest" and not settings.collects_function("test_x"):
                framework = "unittest"
            return render_test_file(self._task, requirements, cases, framework)
        file = javascript_test_file(self._worktree.path, path, self.project_of(path).framework, cases)
        return render_javascript_tests(self._task, cases, file)

    # -- tests -----------------------------------------------------------------------------------------------

    def new_test_file(self, requirements: Requirements, base: str) -> str:
        """An unused path for the new tests, beside the tests that the suite of `base` collects."""
        before = self.baseline(base)
        collected = files_of([*before.passed, *before.failed])
        place = self.project_of(requirements.target_file).place
        return new_test_file(self._worktree.path, requirements, self._task.id, collected, place)

    def draft_file(self, requirements: Requirements) -> str:
        """Path of tests while they are tried out; never committed."""
        if is_javascript(requirements.target_file):
            return draft_test(self._worktree.path, requirements)
        place = self.project_of(requirements.target_file).place
        if read_pytest_settings(self._worktree.path / place).collects_file("test_x.py"):
            return f"{place}/tests/test_ai_agents_draft.py".lstrip("/")
        return self.new_test_file(requirements, self._worktree.base_commit)

    def trial(self, base: str, tests: tuple[str, str] | None, apply: Apply | None = None) -> Trial:
        """Add `tests` (path, text) to `base`, apply an answer, and run those tests; then everything is undone."""
        worktree = self._worktree
        self._git.worktrees.reset(worktree, base)
        try:
            if tests:
                FileManager(worktree.path).write_file(*tests)
            if apply and (problem := self._apply(apply)):
                return Trial.invalid(problem)
            tree = self._git.trees.write(worktree)
            if not tests:
                return Trial(applied=True, tree=tree)
            result = self._judge.run(tree, [tests[0]])
            return Trial.of(result, tree)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.worktrees.reset(worktree, base)

    def verify(
        self,
        start: str,
        tests_commit: str,
        apply: Apply,
        test_ids: Sequence[str],
        hidden: Collection[str] = (),
        *,
        likely: bool = False,
    ) -> Trial:
        """Apply an answer to the files of `start` and run the new tests, then the whole suite. `likely`: as `verdict`.

        Green: every id in `test_ids` passes, and the suite is at least as green as without the change. The `hidden`
        tests are left out of the description of failures.
        """
        worktree = self._worktree
        files = files_of(test_ids)
        self.lay(tests_commit, start)
        try:
            if problem := self._apply(apply):
                return Trial.invalid(problem)
            tree = self._git.trees.write(worktree, Overlay(source=tests_commit, paths=files))
            if problem := self._judge.refusal(self.files(protected_paths(self._services.settings)), tests_commit, tree):
                return Trial.invalid(problem)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.worktrees.reset(worktree, tests_commit)
        return self._judge.verdict(tree, test_ids, hidden, since=tests_commit, likely=likely)

    def verify_tree(
        self, tree: str, tests_commit: str, test_ids: Sequence[str], hidden: Collection[str] = (), kind: str = ""
    ) -> Trial:
        """As `verify`, for existing files: those of `tree`, with QA's tests as QA committed them. `kind` of work: what
        may be changed."""
        files = files_of(test_ids)
        self.lay(tests_commit, tree)
        try:
            tested = self.written(tests_commit, files)
            allowed = self.files(protected_paths(self._services.settings, kind))
            if problem := self._judge.refusal(allowed, tests_commit, tested):
                return Trial.invalid(problem)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.worktrees.reset(self._worktree, tests_commit)
        return self._judge.verdict(tested, test_ids, hidden, since=tests_commit, likely=True)

    def with_tests(self, code_commit: str, tests: tuple[str, str], test_ids: Sequence[str]) -> Trial:
        """Try the code of `code_commit` with new text of its tests (path, text): run these, then the suite."""
        path, text = tests
        return self._judge.verdict(self.tree_with(code_commit, {path: text}), test_ids)

    def formatted(self, trial: Trial, tests_commit: str, test_ids: Sequence[str]) -> str:
        """The tree of a green trial, with the changed files formatted like the project, if that is green too."""
        texts = as_project_formats(self._suite, self._git, tests_commit, trial.tree, self._task.id)
        if not texts:
            return trial.tree
        tree = self.tree_with(tests_commit, texts, trial.tree)
        return tree if self._judge.verdict(tree, test_ids).green else trial.tree

    def tree_with(self, commit: str, texts: Mapping[str, str], tree: str | None = None) -> str:
        """A tree with the files of `commit`, or of a later `tree`, and these texts by path."""
        worktree = self._worktree
        self.lay(commit, tree or commit)
        try:
            files = FileManager(worktree.path)
            for path, text in texts.items():
                files.write_file(path, text)
            files.discard_backups()
            return self._git.trees.write(worktree)
        finally:
            self._git.worktrees.reset(worktree, commit)

    # -- agents with tools -----------------------------------------------------------------------------------

    def files(self, protected: Sequence[str]) -> FileManager:
        """The worktree's files; those that match `protected` cannot be written, and those of submodules only read."""
        worktree = self._worktree
        others: dict[str, Path] = {}
        if (worktree.path / ".gitmodules").is_file():
            beside = worktree.path.with_name(f".{worktree.path.name}.submodules")
            others = self._git.trees.submodules(worktree.base_commit, beside)
        return FileManager(worktree.path, protected=protected, others=others)

    def written(self, source: str = "", paths: Sequence[str] = ()) -> str:
        """The worktree's files as a tree, with those at `paths` as they are in `source`. Raises UnsafeContent."""
        overlay = Overlay(source=source, paths=tuple(paths)) if paths else None
        return self._git.trees.write(self._worktree, overlay)

    def changed(self, before: str, after: str) -> list[ChangedFile]:
        """The files that differ between two commits or trees."""
        return self._git.commits.changed_files(before, after)

    def changed_tests(self, before: str, after: str) -> list[str]:
        """The files with tests that were added or changed."""
        kept = [c.path for c in self.changed(before, after) if c.status != "deleted" and is_test_file(c.path)]
        return [path for path, text in self.texts_of(after, kept).items() if _holds_tests(path, text)]

    def moved(self, before: str, after: str, onto: str) -> str:
        """The files of the commit `onto` with what changed from `before` to `after`. For changes of other files than
        those in which `before` and `onto` differ."""
        worktree = self._worktree
        self._git.worktrees.reset(worktree, onto)
        try:
            self._bring(before, after)
            return self._git.trees.write(worktree)
        finally:
            self._git.worktrees.reset(worktree, onto)

    def diff(self, before: str, after: str, limit: int) -> str:
        """What differs, as text of at most `limit` characters."""
        return self._git.commits.diff(before, after, limit=limit)

    def run(self, tree: str, selection: Sequence[str]) -> TestResult:
        """Run tests of a tree in the sandbox, with the time limit of new tests."""
        return self._judge.run(tree, selection)

    def collected(self, tree: str) -> set[str]:
        """The tests that the suite of a tree collects, without their parameters; for a file that cannot be imported,
        those that it declares."""
        result = self._suite.run(tree, (), self._task.id)
        broken = self.texts_of(tree, [failure.test_id for failure in result.failures if "::" not in failure.test_id])
        declared = [test_id for path, text in broken.items() for test_id in declared_tests(text, path)]
        return {test_id.partition("[")[0] for test_id in (*result.test_ids, *declared)}

    def compared(self, tree: str) -> str:
        """The whole suite of a tree in words: what passes, and what fails that did not before the work."""
        return self._judge.compared(tree)

    def try_setup(self, base: str, command: str) -> tuple[TestResult | None, str]:
        """The result of the suite of `base` in an environment that `command` sets up, and it in words; None if the
        command fails."""
        try:
            result = self._suite.try_setup(base, command, self._task.id)
        except EnvironmentSetupError as problem:
            return None, redact(shortened(str(problem)))
        counts = result.counts
        lost = sum("::" not in failure.test_id for failure in result.failures)
        told = f"{counts.passed} tests pass, {counts.failed + counts.errors} fail, {counts.skipped} are skipped"
        told += f"; {lost} files of tests cannot be collected" if lost else ""
        return result, f"{told}\n{evidence_of(result)}".strip()

    def shell(self, tree: str, command: str, seconds: float) -> str:
        """What a shell command prints on a copy of a tree's files in the sandbox, and how it ends. Files that may hold
        secrets are left out."""
        with self._suite.ready(tree, self._task.id) as (folder, environment):
            for path in walk(folder):
                if matching_pattern(path, SECRETS):
                    (folder / path).unlink()
            ended = self._suite.runner.shell(folder, environment, command, timeout=seconds, label=self._task.id)
        how = f"killed: {ended.killed_reason}" if ended.killed_reason else f"exit code {ended.exit_code}"
        return f"{redact(shortened(ended.output))}\n[{how}, {ended.seconds:.1f} s]".lstrip()

    @contextmanager
    def place(self, treeish: str) -> Iterator[Place]:
        """The files of a commit or tree in a folder of their own, where the sandbox can run a program of ours."""
        with self._suite.ready(treeish, self._task.id) as (folder, environment):
            yield self._suite.runner.place(folder, environment, label=self._task.id)

    def text_of(self, treeish: str, path: str) -> str:
        """The text of a file in a commit or tree; empty if it is missing."""
        return self._suite.text_of(treeish, path)

    def tree_of(self, treeish: str) -> str:
        """The hash of the files of a commit."""
        return self._git.repository.tree_of(treeish)

    def texts_of(self, treeish: str, paths: Sequence[str]) -> dict[str, str]:
        """The texts of several files in a commit or tree; empty ones for those that are missing or no text."""
        with self._suite.folders.for_reading(treeish) as (folder, _):
            files = FileManager(folder)
            return {path: readable_text(files, path) for path in paths}

    @contextmanager
    def exported(self, treeish: str) -> Iterator[Path]:
        """The files of a commit or tree in a folder of their own, to be read."""
        with self._suite.folders.for_reading(treeish) as (folder, _):
            yield folder

    def notices(self, treeish: str, texts: Mapping[str, str], selection: Sequence[str] = ()) -> bool:
        """Whether the tests of `selection` in a commit or tree, or the whole suite, end worse than before the work when
        files have other `texts`."""
        before = self.baseline(self._worktree.base_commit)
        return self._suite.notices(treeish, texts, selection, before, self._task.id)

    def is_python(self, treeish: str) -> bool:
        """Whether the tests of a commit or tree are Python's."""
        with self._suite.folders.for_reading(treeish) as (folder, _):
            return FRAMEWORKS[self._suite.projects.project_of(folder).framework].language == "python"

    def says_the_same(self, tree: str, other: str) -> bool:
        """Whether two trees differ only in blanks and comments of code."""
        if tree == other:
            return True
        changes = self._git.commits.changed_files(tree, other)
        if any(change.status != "modified" for change in changes):
            return False
        with self._suite.folders.for_reading(tree) as (one, _), self._suite.folders.for_reading(other) as (two, _):
            return all(same_code(path, text_of(one, path), text_of(two, path)) for path in (c.path for c in changes))

    # -- inside ----------------------------------------------------------------------------------------------

    def _bring(self, before: str, after: str) -> None:
        """Make the changes from one commit or tree to another in the worktree's files."""
        files = FileManager(self._worktree.path)
        with self._suite.folders.for_reading(after) as (folder, _):
            for change in self.changed(before, after):
                if change.old_path and change.old_path != change.path:
                    files.delete_file(change.old_path)
                if change.status == "deleted":
                    files.delete_file(change.path)
                else:
                    files.write_file(change.path, text_of(folder, change.path))
        files.discard_backups()

    def _unsafe(self, problem: UnsafeContent) -> Trial:
        """The trial of an answer that git must not store. A secret in it is recorded by place and kind."""
        if isinstance(problem, SecretFound):
            kinds = [f"line {line}: {kind}" for line, kind in problem.findings]
            self._services.store.journal.log(
                "security", "secret kept out of a commit", self._task.id, path=problem.path, found=[*kinds]
            )
        return Trial.invalid(str(problem))

    @property
    def _worktree(self) -> Worktree:
        return self._git.worktrees.get(self._task.id)

    def _apply(self, apply: Apply) -> str:
        return apply(self._worktree.path, protected_paths(self._services.settings))


def _holds_tests(path: str, text: str) -> bool:
    if not path.endswith(".py"):
        return True
    return PurePosixPath(path).name != "conftest.py" and bool(declared_tests(text, path))
