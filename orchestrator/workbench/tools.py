"""A developer's tools at work on one task's worktree. The state of the work is a git tree: what is done begins with
laying one and ends with another, so that it can be done again after a crash."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from agents import AgentError, UnusableAnswer
from agents.tool_developer import Action, CreateFile, EditFile, Finish, ListFiles, ReadFile, RunTests, Search
from file_system import FileSystemError
from git_ops import UnsafeContent
from orchestrator.workbench.file_tools import create_file, edit_file, list_files, read_file, search_files
from orchestrator.workbench.trial import evidence_of, not_passed
from orchestrator.workbench.workbench import Workbench
from testing import InvalidSelection, TestResult

_LONGEST_RESULT = 14_000
"""Characters of one tool's result."""

Doing = Action | str
"""What is to be done, or why a call cannot be."""


class Acted(BaseModel):
    """What came of one message's calls."""

    tree: str
    results: list[str]
    """One for each call, in their order."""
    green: bool = False
    """The task's tests passed with `tree`."""
    finished: bool = False
    evidence: str = ""
    """How the task's tests failed, when they were run last in this message."""


class ToolBench:
    """The tools of one task, whose tests stand in `tests_commit`; `shown` has the files with no other tests of the task
    than `test_ids`, which are those that the developer is shown.
    """

    def __init__(self, bench: Workbench, tests_commit: str, shown: str, test_ids: Sequence[str]) -> None:
        self._bench = bench
        self._tests_commit = tests_commit
        self._shown = shown
        self._test_ids = list(test_ids)
        self._tests_file = test_ids[0].split("::")[0]
        self._laid = ""

    def begin(self, treeish: str) -> str:
        """The tree that work on the files of `treeish` begins with."""
        self._bench.lay(self._tests_commit, treeish)
        self._laid = self._bench.tree_with_tests(self._shown, self._tests_file)
        return self._laid

    def act(self, tree: str, doings: Sequence[Doing], *, green: bool) -> Acted:
        """Do what a message asks for, one after the other, on the files of `tree`.

        `green`: the task's tests are known to pass with them. What cannot be done is told and changes nothing.
        """
        acted = Acted(tree=tree, results=[], green=green)
        for doing in doings:
            try:
                text = doing if isinstance(doing, str) else self._do(doing, acted)
            except (AgentError, FileSystemError, UnsafeContent, InvalidSelection) as problem:
                text = f"not done: {problem}"
            acted.results.append(_cut(text))
            if acted.finished:
                break
        return acted

    def _do(self, action: Action, acted: Acted) -> str:
        match action:
            case RunTests(tests=tests):
                return self._test(tests, acted)
            case Finish():
                return self._finish(acted)
        self._lay(acted.tree)
        files = self._bench.developers_files()
        match action:
            case ListFiles():
                return list_files(files, action)
            case ReadFile():
                return read_file(files, action)
            case Search():
                return search_files(files, action)
        try:
            match action:
                case EditFile():
                    text = edit_file(files, action)
                case CreateFile():
                    text = create_file(files, action)
                case _:
                    raise AssertionError(action)
            self._record(acted, action.path)
        except BaseException:
            self._laid = ""  # whatever was written is undone by laying the tree again
            raise
        finally:
            files.discard_backups()
        return text

    def _record(self, acted: Acted, path: str) -> None:
        tree = self._bench.tree_with_tests(self._shown, self._tests_file)
        if tree == acted.tree:
            raise UnusableAnswer(f"{path} is left out of the repository by its .gitignore; choose another path")
        acted.tree = self._laid = tree
        acted.green, acted.evidence = False, ""

    def _test(self, tests: Sequence[str], acted: Acted) -> str:
        if tests:
            self._lay(acted.tree)
            files = self._bench.developers_files()
            for name in tests:
                if not files.exists(name.partition("::")[0]):
                    raise UnusableAnswer(f"there is no test file {name.partition('::')[0]}")
        result = self._bench.run(acted.tree, list(tests) or [self._tests_file])
        if not tests:
            acted.green = not not_passed(self._test_ids, result.passed_ids) and not result.problem
            acted.evidence = "" if acted.green else evidence_of(result)
        return _told(result)

    def _finish(self, acted: Acted) -> str:
        told = "" if acted.green else self._test((), acted)
        acted.finished = acted.green
        return "finished" if acted.finished else f"not finished: the task's tests do not pass.\n{told}"

    def _lay(self, tree: str) -> None:
        if self._laid != tree:
            self._bench.lay(self._tests_commit, tree)
            self._laid = tree


def _told(result: TestResult) -> str:
    counts = result.counts
    summary = f"{counts.passed} passed, {counts.failed + counts.errors} failed, {counts.skipped} skipped"
    return f"{summary}\n{evidence_of(result)}".strip()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]}\n[… cut …]"
