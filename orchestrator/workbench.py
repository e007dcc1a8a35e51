"""One task's hands: its worktree, its trials in the sandbox, its commits, its landing. Every method can be repeated."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from pydantic import BaseModel, JsonValue

from agents import FACTS, ChangeFacts, Requirements, TestCase, render_javascript_tests, render_test_file
from file_system import FileManager, is_javascript, is_test_file, same_code
from git_ops import LandingConflict, Overlay, SecretFound, UnsafeContent, VerificationFailed, Worktree
from memory import FailureReason, Task
from monitoring import get_logger
from orchestrator.applying import apply_answer
from orchestrator.errors import StageFailed
from orchestrator.honesty import refusal
from orchestrator.javascript import draft_test, javascript_test_file, new_javascript_test
from orchestrator.services import Services
from orchestrator.sources import Sources, public_names, read_sources, text_of
from orchestrator.suite import Baseline
from orchestrator.trials import Trial, evidence_without, not_passed
from testing import Framework, TestResult, has_tests

log = get_logger(__name__)

TEST_FILES = ["tests/**", "test/**", "**/tests/**", "**/test/**", "**/test_*.py", "**/*_test.py", "**/conftest.py",
              "**/pytest.ini", "**/tox.ini", "**/__tests__/**", "**/*.test.*", "**/*.spec.*", "**/package.json",
              "**/package-lock.json", "**/.npmrc", "**/jest.*", "**/vitest.*", "**/vite.config.*", "**/babel.config.*",
              "**/.babelrc*", "**/*_test.*", "**/*-test.*", "**/*_spec.*", "**/*-spec.*",
              "**/.pytest.ini", "**/pytest.toml", "**/.pytest.toml", "**/.coveragerc", "**/__mocks__/**",
              "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "**/*.dist-info/**", "**/*.egg-info/**",
              "**/__pycache__/**"]  # fmt: skip
"""What a developer may not write: the tests are out of reach of the one who has to make them pass, and so is what
Python or pytest would run by itself before them."""
DEPENDENCY_FILES = ["**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/MANIFEST.in", "**/meson.build",
                    "**/*requirements*.txt", "**/*constraints*.txt", "**/uv.lock", "**/uv.toml",
                    "**/package.json", "**/package-lock.json", "**/.npmrc", "**/pnpm-lock.yaml", "**/yarn.lock",
                    "**/go.mod", "**/go.sum", "**/Cargo.toml", "**/Cargo.lock"]  # fmt: skip
"""What a developer may not write either: a change there is installed, with the network, before any test."""
_NEW_TESTS_SECONDS = 15.0
"""Time the new tests of a task get beyond that of the whole suite; an answer that loops for ever should not hold the
developer for long, nor the cores that an embedded model needs."""
_DIFF_CHARACTERS = 20_000
_MOST_FORMATTED = 20
"""Files."""
_MOST_REVERSED = 200
"""Tests whose names go on a command line."""
_IN_ORDER_ONLY = "the new tests pass only in the order they are written in: answers depend on earlier calls"
_MOST_NAMED = 50
"""Files, in a line of the audit trail."""


class Opened(BaseModel):
    """A worktree that is ready."""

    base: str


class Landed(BaseModel):
    """How a landing ended. Without `commit` it did not fit, for the reason in `problem`."""

    commit: str = ""
    tree: str = ""
    commits: list[str] = []
    pushed: bool = False
    push_error: str = ""
    problem: str = ""


class Workbench:
    """Files, tests and git for one task."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._git = services.git
        self._suite = services.suite
        self._task = task
        self.small = False
        """Whether the answers are a small model's, which writes definitions."""

    # -- the worktree ----------------------------------------------------------------------------------------

    def open(self) -> Opened:
        """A fresh worktree on the tip of the landing branch, with the owner's latest work in it."""
        self._services.sync(approved=True)
        self._git.remove_worktree(self._task.id, branch=True)
        worktree = self._git.create_worktree(self._task.id)
        return Opened(base=worktree.base_commit)

    def close(self, landed: Landed) -> bool:
        """The task is done: its worktree and branch go, the landed tree's suite is remembered."""
        self._git.remove_worktree(self._task.id, branch=True)
        self._suite.baseline(landed.tree, self._task.id)
        return True

    def discard(self) -> bool:
        """Nothing was to be done: the task's worktree and branch go."""
        self._git.remove_worktree(self._task.id, branch=True)
        return True

    def baseline(self, base: str) -> Baseline:
        """How the suite of `base` ends, before any work; builds the project environment if need be."""
        return self._suite.baseline(base, self._task.id)

    def sources(self) -> Sources:
        """The source files of the worktree."""
        return read_sources(self._worktree.path)

    def lay(self, commit: str, tree: str) -> None:
        """Put the worktree on `commit` and its files to those of `tree`, a later one."""
        worktree = self._worktree
        self._git.reset_worktree(worktree, commit)
        files = FileManager(worktree.path)
        with self._suite.exported(tree) as (folder, _):
            for change in self._git.changed_files(commit, tree):
                if change.status == "deleted":
                    files.delete_file(change.path)
                else:
                    files.write_file(change.path, text_of(folder, change.path))
        files.discard_backups()

    def has_module(self, treeish: str, module: str) -> bool:
        """Whether the project environment of a commit or tree has a top-level package of that name."""
        return self._suite.has_module(treeish, module, self._task.id)

    @property
    def framework(self) -> Framework:
        """What the new tests are written for."""
        return self._suite.framework_of(self._worktree.path)

    def tests_text(self, requirements: Requirements, path: str, cases: Sequence[TestCase]) -> str:
        """The text of a test file at `path` with `cases`, for the project's framework."""
        if not is_javascript(path):
            return render_test_file(self._task, requirements, cases, self.framework)
        file = javascript_test_file(self._worktree.path, path, self.framework, cases)
        return render_javascript_tests(self._task, cases, file)

    # -- tests -----------------------------------------------------------------------------------------------

    def new_test_file(self, requirements: Requirements) -> str:
        """A path for the new tests that is not taken, beside the tests there are."""
        root = self._worktree.path
        if is_javascript(requirements.target_file):
            return new_javascript_test(root, requirements, ["", *(f"-{self._task.id[-6:]}-{n}" for n in range(20))])
        folder = next((name for name in ("tests", "test") if (root / name).is_dir()), "tests")
        stem = requirements.symbols[0] if requirements.symbols else PurePosixPath(requirements.target_file).stem
        name = re.sub(r"\W+", "_", stem).strip("_").lower()
        taken = {path.name for path in FileManager(root).find_files("test_*.py")}
        suffixes = ["", *(f"_{self._task.id[-6:]}" if count == 0 else f"_{count}" for count in range(20))]
        free = next(suffix for suffix in suffixes if f"test_{name}{suffix}.py" not in taken)
        return f"{folder}/test_{name}{re.sub(r'[^A-Za-z0-9_]', '_', free)}.py"

    def draft_file(self, requirements: Requirements) -> str:
        """Where tests lie while they are tried out; never committed."""
        if is_javascript(requirements.target_file):
            return draft_test(self._worktree.path, requirements)
        return "tests/test_ai_agents_draft.py"

    def trial(self, base: str, requirements: Requirements | None, answer: str, tests: tuple[str, str] | None) -> Trial:
        """Put `tests` (path, text) and then `answer` on `base` and run those tests; all is undone afterwards."""
        worktree = self._worktree
        self._git.reset_worktree(worktree, base)
        try:
            if tests:
                FileManager(worktree.path).write_file(*tests)
            if requirements is not None and (problem := self._apply(requirements, answer, tests[1] if tests else "")):
                return Trial.invalid(problem)
            tree = self._git.write_tree(worktree)
            if not tests:
                return Trial(applied=True, tree=tree)
            result = self._suite.run(tree, [tests[0]], self._task.id, self._patience(base))
            return Trial.of(result, tree)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.reset_worktree(worktree, base)

    def verify(
        self,
        start: str,
        tests_commit: str,
        requirements: Requirements,
        answer: str,
        test_ids: Sequence[str],
        hidden: Collection[str] = (),
    ) -> Trial:
        """Apply `answer` to the files of `start` and run the new tests, then the whole suite.

        Green: every id in `test_ids` passes, and the suite is at least as green as it was without the change. What is
        told of failures leaves out the `hidden` ones.
        """
        worktree = self._worktree
        path = test_ids[0].split("::")[0]
        self.lay(tests_commit, start)
        try:
            if problem := self._apply(requirements, answer, self._read(path)):
                return Trial.invalid(problem)
            tree = self._git.write_tree(worktree, Overlay(source=tests_commit, paths=(path,)))
            if problem := self._refusal(tests_commit, tree):
                return Trial.invalid(problem)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.reset_worktree(worktree, tests_commit)
        return self._judged(tree, path, test_ids, hidden)

    def verify_tree(self, tree: str, tests_commit: str, test_ids: Sequence[str], hidden: Collection[str] = ()) -> Trial:
        """As `verify`, of files that are there already: those of `tree`, with QA's tests as QA committed them."""
        path = test_ids[0].split("::")[0]
        self.lay(tests_commit, tree)
        try:
            tested = self.tree_with_tests(tests_commit, path)
            if problem := self._refusal(tests_commit, tested):
                return Trial.invalid(problem)
        except UnsafeContent as unsafe:
            return self._unsafe(unsafe)
        finally:
            self._git.reset_worktree(self._worktree, tests_commit)
        return self._judged(tested, path, test_ids, hidden)

    def with_tests(self, code_commit: str, tests: tuple[str, str], test_ids: Sequence[str]) -> Trial:
        """The code of `code_commit` with another text of its new tests (path, text): these are run, then the suite."""
        return self._judged(self.tree_with(code_commit, tests), tests[0], test_ids)

    def tree_with(self, commit: str, file: tuple[str, str]) -> str:
        """The files of a commit with one of them (path, text) written anew, as a tree."""
        worktree = self._worktree
        self._git.reset_worktree(worktree, commit)
        try:
            FileManager(worktree.path).write_file(*file)
            return self._git.write_tree(worktree)
        finally:
            self._git.reset_worktree(worktree, commit)

    def _tree_with(self, tests_commit: str, tree: str, texts: Mapping[str, str]) -> str:
        """`tree` with these texts, QA's tests left as they are."""
        self.lay(tests_commit, tree)
        try:
            files = self.developers_files()
            for path, text in texts.items():
                files.write_file(path, text)
            files.discard_backups()
            return self._git.write_tree(self._worktree)
        finally:
            self._git.reset_worktree(self._worktree, tests_commit)

    def _judged(self, tree: str, path: str, test_ids: Sequence[str], hidden: Collection[str] = ()) -> Trial:
        """Run the new tests at `path`, then the whole suite, which was as it was in the worktree's base."""
        base = self._worktree.base_commit
        result = self._suite.run(tree, [path], self._task.id, self._patience(base))
        self._note_tier(result.tier)
        trial = Trial.of(result, tree, about=test_ids)
        if missing := not_passed(test_ids, trial.passed):
            return trial.red(result, missing, hidden)
        before = self._suite.baseline(base, self._task.id)
        held, whole = self._suite.holds(tree, before, self._task.id)
        if not held or not_passed(test_ids, whole.passed_ids):
            told = evidence_without(whole, hidden)
            return trial.model_copy(
                update={"green": False, "evidence": f"the new tests pass, but the suite does not:\n{told}"}
            )
        keeps_state = self._keeps_state(tree, trial.passed, test_ids)
        return trial.model_copy(update={"green": not keeps_state, "evidence": _IN_ORDER_ONLY if keeps_state else ""})

    def _refusal(self, tests_commit: str, tree: str) -> str:
        """Why the change from QA's commit to `tree`, which the worktree holds, is not even run; empty when it is."""

        def before(path: str) -> str:
            return self.text_of(tests_commit, path)

        changes = self._git.changed_files(tests_commit, tree)
        return refusal(self.developers_files(), changes, before, self._words)

    def _keeps_state(self, tree: str, passed: Sequence[str], test_ids: Sequence[str]) -> bool:
        """Whether QA's tests fail when they are run in the opposite order: then what the code answers depends on how
        often it was asked. The owner's own tests may depend on their order."""
        known = set(test_ids)
        ids = [test_id for test_id in passed if {test_id, test_id.partition("[")[0]} & known]
        if self._task.tests or not test_ids[0].split("::")[0].endswith(".py") or not 2 <= len(ids) <= _MOST_REVERSED:
            return False
        return bool(not_passed(ids, self.run(tree, ids[::-1]).passed_ids))

    def formatted(self, trial: Trial, tests_commit: str, test_ids: Sequence[str]) -> str:
        """The tree of a green trial, its changed files formatted as the project does it, if that is green, too.

        A file counts as formatted by the project when the formatter would leave it as it was before the work.
        """
        label = self._task.id
        changed = [
            change for change in self._git.changed_files(tests_commit, trial.tree)
            if change.path.endswith(".py") and change.status != "deleted"
        ][:_MOST_FORMATTED]  # fmt: skip
        texts = self._suite.format(trial.tree, [change.path for change in changed], label)
        old = [change.path for change in changed if change.status == "modified" and change.path in texts]
        kept = self._suite.format(tests_commit, old, label) if old else {}
        wanted = {
            path: text for path, text in texts.items()
            if text != self.text_of(trial.tree, path)
            and (path not in old or kept.get(path) == self.text_of(tests_commit, path))
        }  # fmt: skip
        if not wanted:
            return trial.tree
        tree = self._tree_with(tests_commit, trial.tree, wanted)
        path = test_ids[0].split("::")[0]
        return tree if self._judged(tree, path, test_ids).green else trial.tree

    # -- a developer with tools ------------------------------------------------------------------------------

    def developers_files(self) -> FileManager:
        """The worktree's files, as a developer with tools may read and write them."""
        return FileManager(self._worktree.path, protected=self._protected)

    def tree_with_tests(self, tests_commit: str, tests_file: str) -> str:
        """The worktree's files as a tree, with QA's tests as QA committed them. Raises UnsafeContent."""
        return self._git.write_tree(self._worktree, Overlay(source=tests_commit, paths=(tests_file,)))

    def run(self, tree: str, selection: Sequence[str]) -> TestResult:
        """Run tests of a tree in the sandbox, for as long as new tests may take."""
        return self._suite.run(tree, selection, self._task.id, self._patience(self._worktree.base_commit))

    def text_of(self, treeish: str, path: str) -> str:
        """The text of a file in a commit or tree; empty when it is not there."""
        with self._suite.exported(treeish) as (folder, _):
            return text_of(folder, path)

    def says_the_same(self, tree: str, other: str) -> bool:
        """Whether two trees differ in nothing but blanks and comments of code."""
        if tree == other:
            return True
        changes = self._git.changed_files(tree, other)
        if any(change.status != "modified" for change in changes):
            return False
        with self._suite.exported(tree) as (one, _), self._suite.exported(other) as (two, _):
            return all(same_code(path, text_of(one, path), text_of(two, path)) for path in (c.path for c in changes))

    # -- commits and landing ---------------------------------------------------------------------------------

    def commit_tests(self, path: str, text: str, base: str) -> str:
        """QA's commit: the new test file on `base`. `base` itself for tests that are there already and fail.

        Raises `StageFailed` when those have changed since the task was made of them.
        """
        worktree = self._worktree
        self._git.reset_worktree(worktree, base)
        if self._task.tests and self._task.source == FACTS:
            if not has_tests(self._read(path), path, text):
                raise StageFailed(FailureReason.CONFLICT, f"{path} has changed since its failing tests became a task")
            return base
        if not FileManager(worktree.path).write_file(path, text):
            return base  # the owner committed them already
        message = f"Test: {self._task.title}"
        commit = self._git.commit(worktree, message, self._trailers("tests"), paths=[path]).sha
        self._note("tests committed", "qa", commit=commit, files=[path])
        return commit

    def commit_code(self, tree: str, tests_commit: str) -> str:
        """The developer's commit: the tree that was verified, on top of QA's commit."""
        worktree = self._worktree
        self._git.reset_worktree(worktree, tests_commit)
        commit = self._git.commit(worktree, self._task.title, self._trailers("code"), tree=tree).sha
        changed = [change.path for change in self._git.changed_files(tests_commit, commit)]
        self._note("code committed", "developer", commit=commit, files=[*changed[:_MOST_NAMED]])
        return commit

    def facts(self, tests_commit: str, code_commit: str) -> ChangeFacts:
        """What can be said of the change without asking anybody."""
        changed = [change.path for change in self._git.changed_files(tests_commit, code_commit)]
        tests = [change.path for change in self._git.changed_files(self._worktree.base_commit, tests_commit)]
        worktree = self._worktree
        self._git.reset_worktree(worktree, tests_commit)
        before = public_names(worktree.path, changed)
        self._git.reset_worktree(worktree, code_commit)
        lost = before - public_names(worktree.path, changed)
        diff = self._git.diff(tests_commit, code_commit)
        lines = [line for line in diff.splitlines() if line.startswith(("+", "-"))]
        return ChangeFacts(
            changed_files=changed,
            test_files=tests,
            changed_lines=len(lines),
            lost_names=sorted(lost),
            touched_existing_tests=[path for path in changed if is_test_file(path) and path not in tests],
        )

    def diff(self, tests_commit: str, code_commit: str) -> str:
        """The developer's change as text, cut to what a reviewer can read."""
        return self._git.diff(tests_commit, code_commit, limit=_DIFF_CHARACTERS)

    def land(self, code_commit: str, test_ids: Sequence[str]) -> Landed:
        """Bring the task's commits onto the landing branch, its suite verified on the result, and push."""
        verified = self._git.worktree(self._task.id)
        tip = self._git.tip()

        def passes(tree: str) -> bool:
            held, whole = self._suite.holds(tree, self._suite.baseline(tip, self._task.id), self._task.id)
            return held and not not_passed(test_ids, whole.passed_ids)

        tree = self._git.write_tree(verified) if verified.base_commit == tip else None
        try:
            result = self._git.land(self._task.id, verify=passes, verified_tree=tree, run=self._task.run)
        except (LandingConflict, VerificationFailed) as problem:
            log.info("does not fit the landing branch", problem=str(problem))
            return Landed(problem=str(problem))
        pushed: dict[str, JsonValue] = {"pushed": result.pushed, "to": self._git.url if result.pushed else ""}
        self._note("landed", "tech_lead", commit=result.tip, branch=self._git.landing_branch, **pushed)
        if result.push_error:
            log.warning("landed but not pushed; it is tried again", problem=result.push_error)
        return Landed(
            commit=result.tip,
            tree=result.tree,
            commits=list(result.commits),
            pushed=result.pushed,
            push_error=result.push_error,
        )

    # -- inside ----------------------------------------------------------------------------------------------

    def _note(self, act: str, agent: str, **details: JsonValue) -> None:
        """A line of the audit trail; a step that is repeated may tell an act again."""
        self._services.store.log_activity(agent, act, self._task.id, **details)

    def _note_tier(self, tier: int) -> None:
        """What confines the code of models may change with the machine: the trail says when it did."""
        store, key = self._services.store, "sandbox tier"
        before = store.recall("orchestrator", key)
        if before != tier:
            store.remember("orchestrator", key, tier)
            store.log_activity("orchestrator", "sandbox tier changed", self._task.id, before=before, after=tier)

    def _unsafe(self, problem: UnsafeContent) -> Trial:
        """An answer that git must not be given; a secret in it is told to the owner, by place and kind."""
        if isinstance(problem, SecretFound):
            kinds = [f"line {line}: {kind}" for line, kind in problem.findings]
            self._note("secret kept out of a commit", "security", path=problem.path, found=[*kinds])
        return Trial.invalid(str(problem))

    @property
    def _words(self) -> str:
        return f"{self._task.title}\n{self._task.description}"

    @property
    def _worktree(self) -> Worktree:
        return self._git.worktree(self._task.id)

    def _patience(self, base: str) -> float:
        """Seconds the new tests get: more where the whole suite needs long, which imports may be the cause of."""
        return min(_NEW_TESTS_SECONDS + self._suite.baseline(base, self._task.id).seconds, self._suite.timeout)

    def _apply(self, requirements: Requirements, answer: str, tests: str) -> str:
        return apply_answer(self._worktree.path, self._protected, requirements, answer, small=self.small, tests=tests)

    @property
    def _protected(self) -> list[str]:
        settings = self._services.settings
        # Who writes the backlog gives the team work: that is the owner's.
        return [*settings.file_system.protected, *TEST_FILES, *DEPENDENCY_FILES, *settings.project.backlog_files]

    def _trailers(self, stage: str) -> dict[str, str]:
        return {"Stage": stage, "Run": str(self._task.run)}

    def _read(self, path: str) -> str:
        return text_of(self._worktree.path, path)
