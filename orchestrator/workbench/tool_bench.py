"""Carries out the calls of a developer's tools in the worktree of one task.

The state of the work is a git tree: each message begins with the files of one tree and ends with another, so it can be
repeated after a crash. The tools themselves are in `orchestrator/workbench/tools.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import BaseModel

from agents import AgentError, UnusableAnswer
from agents.tool_developer import Action
from file_system import FileManager, FileSystemError
from git_ops import UnsafeContent
from orchestrator.workbench.trial import evidence_of, not_passed
from orchestrator.workbench.workbench import Workbench
from testing import InvalidSelection

_LONGEST_RESULT = 14_000
"""Characters of one tool's result."""


class DeveloperTool(Action):
    """A tool. An instance is one call, with its arguments."""

    def use(self, bench: ToolBench) -> str:
        """Carry out the call and return the text for the model. On an error, which says why, nothing is changed."""
        raise NotImplementedError


Doing = DeveloperTool | str
"""A call to carry out, or why it cannot be carried out."""


class Acted(BaseModel):
    """The results of one message's calls."""

    tree: str
    results: list[str]
    """One for each call, in order."""
    green: bool = False
    """The task's tests passed with `tree`."""
    finished: bool = False
    evidence: str = ""
    """How the task's tests failed when this message last ran them."""


class ToolBench:
    """Carries out the calls for one task, whose tests are in `tests_commit`. `shown` has the files as the developer
    sees them: of the task's tests only `test_ids`.
    """

    def __init__(self, bench: Workbench, tests_commit: str, shown: str, test_ids: Sequence[str]) -> None:
        self._bench = bench
        self._tests_commit = tests_commit
        self._shown = shown
        self._test_ids = list(test_ids)
        self._tests_file = test_ids[0].split("::")[0]
        self._laid = ""
        self._acted = Acted(tree="", results=[])

    def begin(self, treeish: str) -> str:
        """The tree with which work on the files of `treeish` begins."""
        self._bench.lay(self._tests_commit, treeish)
        self._laid = self._bench.tree_with_tests(self._shown, self._tests_file)
        return self._laid

    def act(self, tree: str, doings: Sequence[Doing], *, green: bool) -> Acted:
        """Carry out the calls of a message, one after the other, on the files of `tree`.

        `green`: the task's tests are known to pass with them. A call that fails is reported and changes nothing.
        """
        acted = self._acted = Acted(tree=tree, results=[], green=green)
        for doing in doings:
            try:
                text = doing if isinstance(doing, str) else doing.use(self)
            except (AgentError, FileSystemError, UnsafeContent, InvalidSelection) as problem:
                text = f"not done: {problem}"
            acted.results.append(_cut(text))
            if acted.finished:
                break
        return acted

    # -- for the tools --------------------------------------------------------------------------------------

    def files(self) -> FileManager:
        """The files as they are now, for reading."""
        if self._laid != self._acted.tree:
            self._bench.lay(self._tests_commit, self._acted.tree)
            self._laid = self._acted.tree
        return self._bench.developers_files()

    @contextmanager
    def changing(self, path: str) -> Iterator[FileManager]:
        """The files as they are now, for writing `path`; the change is kept unless the block raises an error."""
        files = self.files()
        try:
            yield files
            self._record(path)
        except BaseException:
            self._laid = ""  # what was written is undone by the next checkout of the tree
            raise
        finally:
            files.discard_backups()

    def test(self, tests: Sequence[str] = ()) -> str:
        """Run the named tests, or those of the task, in the sandbox; the result as text."""
        acted = self._acted
        if tests:
            files = self.files()
            for name in tests:
                if not files.exists(name.partition("::")[0]):
                    raise UnusableAnswer(f"there is no test file {name.partition('::')[0]}")
        result = self._bench.run(acted.tree, list(tests) or [self._tests_file])
        if not tests:
            acted.green = not not_passed(self._test_ids, result.passed_ids) and not result.problem
            acted.evidence = "" if acted.green else evidence_of(result)
        counts = result.counts
        summary = f"{counts.passed} passed, {counts.failed + counts.errors} failed, {counts.skipped} skipped"
        return f"{summary}\n{evidence_of(result)}".strip()

    def finish(self) -> str:
        """End the work if the task's tests pass, which are run if that is not known; else report how they failed."""
        told = "" if self._acted.green else self.test()
        self._acted.finished = self._acted.green
        return "finished" if self._acted.finished else f"not finished: the task's tests do not pass.\n{told}"

    def _record(self, path: str) -> None:
        tree = self._bench.tree_with_tests(self._shown, self._tests_file)
        if tree == self._acted.tree:
            raise UnusableAnswer(f"{path} is left out of the repository by its .gitignore; choose another path")
        self._acted.tree = self._laid = tree
        self._acted.green, self._acted.evidence = False, ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]}\n[… cut …]"
