"""One task's commits: QA's tests, the developer's code, what can be said of the change, and its landing.

Every method can be repeated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, JsonValue

from agents import FACTS, ChangeFacts
from file_system import FileManager, is_test_file, text_of
from git_ops import LandingConflict, LandingWithdrawn, VerificationFailed, Worktree
from memory import FailureReason, Task, TaskStatus
from monitoring import get_logger
from orchestrator.errors import StageFailed
from orchestrator.services import Services
from orchestrator.workbench.sources import lost_names
from orchestrator.workbench.trial import not_passed
from testing import has_tests

log = get_logger(__name__)

_DIFF_CHARACTERS = 20_000
_SHORTEST_SUBJECT, _LONGEST_SUBJECT = 8, 100
_SIGNED = re.compile(r"[\w-]+-by\s*:", re.IGNORECASE)
"""A trailer in somebody's name. Those of ours `git_ops` leaves out."""
_MOST_NAMED = 50
"""Files, in a line of the audit trail."""


class Landed(BaseModel):
    """The result of a landing. Without `commit` the work did not fit, for the reason in `problem`."""

    commit: str = ""
    tree: str = ""
    commits: list[str] = []
    pushed: bool = False
    push_error: str = ""
    problem: str = ""


class Moved(BaseModel):
    """Commits of a task on another base; empty where they do not fit it, with the reason in `problem`."""

    tests: str = ""
    code: str = ""
    problem: str = ""


class Commits:
    """The commits of one task and their landing."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._git = services.git
        self._suite = services.suite
        self._task = task

    def commit_tests(self, path: str, text: str, base: str) -> str:
        """QA's commit: the new test file on `base`. `base` itself for failing tests that are already in it.

        Raises `StageFailed` if those have changed since they became a task.
        """
        worktree = self._worktree
        self._git.worktrees.reset(worktree, base)
        if self._task.tests and self._task.source == FACTS:
            if not has_tests(text_of(worktree.path, path), path, text):
                raise StageFailed(FailureReason.CONFLICT, f"{path} has changed since its failing tests became a task")
            return base
        if not FileManager(worktree.path).write_file(path, text):
            return base  # the owner committed them already
        message = f"Test: {self._task.title}"
        commit = self._git.commits.commit(worktree, message, self._trailers("tests"), paths=[path]).sha
        self._note("tests committed", "qa", commit=commit, files=[path])
        return commit

    def commit_tests_tree(self, tree: str, base: str, changed: Mapping[str, str]) -> str:
        """QA's commit of a whole tree on `base`; `base` itself if nothing differs. `changed`: existing tests that QA
        changed and the reasons, for the message."""
        worktree = self._worktree
        self._git.worktrees.reset(worktree, base)
        files = [change.path for change in self._git.commits.changed_files(base, tree)]
        if not files:
            return base
        why = "".join(f"\n- {test}: {reason}" for test, reason in changed.items())
        message = f"Test: {self._task.title}" + (f"\n\nTests that the task makes untrue:{why}" if why else "")
        commit = self._git.commits.commit(worktree, message, self._trailers("tests"), tree=tree).sha
        self._note("tests committed", "qa", commit=commit, files=[*files[:_MOST_NAMED]])
        return commit

    def moved(self, tests_commit: str, code_commit: str, base: str) -> Moved:
        """The two commits of the task on the new `base`, and the worktree there."""
        landing, task_id = self._git.landing, self._task.id
        moved = Moved()
        try:
            moved.tests = landing.moved(task_id, tests_commit, base)
            same = code_commit == tests_commit
            moved.code = moved.tests if same else landing.moved(task_id, code_commit, moved.tests)
        except LandingConflict as problem:
            moved.problem = str(problem)
        if moved.tests:
            self._git.worktrees.reset(self._worktree, moved.code or moved.tests)
        return moved

    def commit_code(self, tree: str, tests_commit: str, message: str = "", by: str = "developer") -> str:
        """The developer's commit, or that of another agent: the tree that was verified, on top of QA's commit.
        `message`: the author's words, which are used if they are fit for a commit; otherwise the task's title is."""
        worktree = self._worktree
        self._git.worktrees.reset(worktree, tests_commit)
        words = fit_message(message) or self._task.title
        commit = self._git.commits.commit(worktree, words, self._trailers("code"), tree=tree).sha
        changed = [change.path for change in self._git.commits.changed_files(tests_commit, commit)]
        self._note("code committed", by, commit=commit, files=[*changed[:_MOST_NAMED]])
        return commit

    def facts(self, tests_commit: str, code_commit: str) -> ChangeFacts:
        """What code can say about the change."""
        if tests_commit == code_commit:  # the tests are the work
            changed = [c.path for c in self._git.commits.changed_files(self._worktree.base_commit, code_commit)]
            return ChangeFacts(changed_files=changed, test_files=[], changed_lines=0, lost_names=[])
        changed = [change.path for change in self._git.commits.changed_files(tests_commit, code_commit)]
        tests = [change.path for change in self._git.commits.changed_files(self._worktree.base_commit, tests_commit)]
        self._git.worktrees.reset(self._worktree, code_commit)
        with self._services.suite.folders.for_reading(tests_commit) as (before, _):
            lost = lost_names(before, self._worktree.path, changed)
        diff = self._git.commits.diff(tests_commit, code_commit)
        lines = [line for line in diff.splitlines() if line.startswith(("+", "-"))]
        return ChangeFacts(
            changed_files=changed,
            test_files=tests,
            changed_lines=len(lines),
            lost_names=lost,
            touched_existing_tests=[path for path in changed if is_test_file(path) and path not in tests],
        )

    def fingerprint(self, code_commit: str) -> str:
        """What the change adds and takes away, wherever it stands: the same on another base."""
        diff = self._git.commits.diff(self._worktree.base_commit, code_commit)
        beside = (" ", "@@") if "\nBinary files" in diff else (" ", "@@", "index ")  # of those only the index tells
        lines = [line for line in diff.splitlines() if not line.startswith(beside)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def diff(self, tests_commit: str, code_commit: str) -> str:
        """The developer's change as a diff, cut to a length that a reviewer can read."""
        return self._git.commits.diff(tests_commit, code_commit, limit=_DIFF_CHARACTERS)

    def paths(self, commit: str) -> list[str]:
        """The files of the repository at a commit."""
        return self._git.trees.paths(commit)

    def land(self, code_commit: str, test_ids: Sequence[str]) -> Landed:
        """Rebase the task's commits onto the landing branch, verify the suite on the result, land and push."""
        verified = self._git.worktrees.get(self._task.id)
        tip = self._git.branch.tip()

        def passes(tree: str) -> bool:
            found = self._suite.compare(tree, self._suite.baseline(tip, self._task.id), self._task.id)
            return found.holds and not not_passed(test_ids, found.result.passed_ids)

        def wanted() -> bool:
            task = self._services.store.tasks.get(self._task.id)
            return (task.status, task.run) == (TaskStatus.IN_PROGRESS, self._task.run)

        tree = self._git.trees.write(verified) if verified.base_commit == tip else None
        try:
            result = self._git.landing.land(
                self._task.id, verify=passes, verified_tree=tree, run=self._task.run, wanted=wanted
            )
        except (LandingConflict, LandingWithdrawn, VerificationFailed) as problem:
            log.info("does not fit the landing branch", problem=str(problem))
            return Landed(problem=str(problem))
        pushed: dict[str, JsonValue] = {"pushed": result.pushed, "to": self._git.url if result.pushed else ""}
        self._note("landed", "tech_lead", commit=result.tip, branch=self._git.branch.name(), **pushed)
        if result.push_error:
            log.warning("landed but not pushed; the push is tried again later", problem=result.push_error)
        return Landed(
            commit=result.tip,
            tree=result.tree,
            commits=list(result.commits),
            pushed=result.pushed,
            push_error=result.push_error,
        )

    def _note(self, act: str, agent: str, **details: JsonValue) -> None:
        """Write a line of the audit trail; a repeated step may write it twice."""
        self._services.store.journal.log(agent, act, self._task.id, **details)

    def _trailers(self, stage: str) -> dict[str, str]:
        return {"Stage": stage, "Run": str(self._task.run)}

    @property
    def _worktree(self) -> Worktree:
        return self._git.worktrees.get(self._task.id)


def fit_message(message: str) -> str:
    """A model's commit message, signed by nobody; empty if its subject is too short or too long for a commit."""
    words = "\n".join(line for line in message.strip().splitlines() if not _SIGNED.match(line)).strip()
    return words if _SHORTEST_SUBJECT <= len(words.partition("\n")[0].strip()) <= _LONGEST_SUBJECT else ""
