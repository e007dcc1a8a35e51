"""Carries out the calls of an agent's tools in the worktree of one task.

The state of the work is a git tree: each message begins with the files of one tree and ends with another, so it can be
repeated after a crash. The tools themselves are in `orchestrator/workbench/tools.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, JsonValue

from agents import AgentError, UnusableAnswer
from agents.tools import Action
from file_system import FileManager, FileSystemError, PathRefused
from git_ops import UnsafeContent
from monitoring import redact
from orchestrator.errors import StageFailed
from orchestrator.workbench.trial import evidence_of, files_of, not_passed
from orchestrator.workbench.workbench import Workbench
from testing import EnvironmentSetupError, InvalidSelection

_LONGEST_RESULT = 14_000
"""Characters of one tool's result."""


class BenchTool(Action):
    """A tool. An instance is one call, with its arguments."""

    agents: ClassVar[tuple[str, ...]] = ()
    """The roles that are given it; empty: all."""
    concludes: ClassVar[bool] = False
    """Whether it ends the agent's work."""
    concluded: ClassVar[str] = "finished"
    """What the agent is told of a call that ended its work."""
    changes: ClassVar[bool] = False
    """Whether it changes files: work is not ended on files that are not as the agent meant them."""

    def use(self, bench: ToolBench) -> str:
        """Carry out the call and return the text for the model. On an error, which says why, nothing is changed."""
        raise NotImplementedError


Doing = BenchTool | str
"""A call to carry out, or why it cannot be carried out."""


class Conclusion(BaseModel):
    """How an agent ended its work."""

    tool: str
    """The tool it called."""
    arguments: dict[str, JsonValue]
    facts: dict[str, JsonValue] = {}
    """What code found out while it checked that the work may end."""


class Acted(BaseModel):
    """The results of one message's calls."""

    tree: str
    results: list[str]
    """One for each call, in order."""
    green: bool = False
    """The task's tests passed with `tree`."""
    conclusion: Conclusion | None = None
    """Set when the agent ended its work."""
    evidence: str = ""
    """How the task's tests failed when this message last ran them."""


@dataclass(frozen=True)
class Rights:
    """What an agent may do, and what surrounds its work."""

    base: str
    """The commit that the files are laid on."""
    protected: Sequence[str] = ("*",)
    """Patterns of paths that it may not write."""
    refusal: Callable[[str], str] = lambda _path: ""
    """Why a path may not be written for another reason; empty if it may."""
    role: str = ""
    """Whose tools are given; empty: those of the agent's own role."""
    first: tuple[str, ...] = ()
    """The tools to begin with, if what the agent is shown suffices most times; the others it gets if it asks."""
    working: str = ""
    """How the agent works with them; empty: as in its own role."""
    kept: tuple[str, tuple[str, ...]] | None = None
    """A commit or tree, and paths whose files are always those of it, whatever is written there."""
    test_ids: tuple[str, ...] = ()
    """The task's tests, if they are there."""
    may_end: Callable[[ToolBench, BenchTool], dict[str, JsonValue] | str] = lambda _bench, _call: {}
    """Checks that the work may end with this call: facts about it, or why it may not, in words for the model."""
    overview: Callable[[], str] = lambda: ""
    """What the files of the repository define, those first that matter most for the task."""


class ToolBench:
    """Carries out one agent's calls for one task."""

    def __init__(self, bench: Workbench, rights: Rights) -> None:
        self.bench = bench
        self.rights = rights
        self._laid = ""
        self._acted = Acted(tree="", results=[])
        self._told = False

    def begin(self, treeish: str) -> str:
        """The tree with which work on the files of `treeish` begins."""
        self.bench.lay(self.rights.base, treeish)
        self._laid = self._written()
        return self._laid

    def act(self, tree: str, doings: Sequence[Doing], *, green: bool) -> Acted:
        """Carry out the calls of a message, one after the other, on the files of `tree`.

        `green`: the task's tests are known to pass with them. A call that fails is reported and changes nothing; after
        a change that failed, the work cannot be ended in the same message.
        """
        acted = self._acted = Acted(tree=tree, results=[], green=green)
        self._told = False
        refused = False
        for doing in doings:
            try:
                if refused and not isinstance(doing, str) and doing.concludes:
                    raise UnusableAnswer("another change of this message was not done; see why, then end the work")
                text = doing if isinstance(doing, str) else doing.use(self)
                refused |= isinstance(doing, str)
            except (AgentError, FileSystemError, UnsafeContent, InvalidSelection, EnvironmentSetupError) as problem:
                text = f"not done: {problem}"
                refused |= isinstance(doing, str) or doing.changes
            acted.results.append(redact(cut(text)))  # they are stored, and go into the next prompt
            if acted.conclusion:
                break
        return acted

    # -- for the tools --------------------------------------------------------------------------------------

    @property
    def tree(self) -> str:
        """The files as they are now."""
        return self._acted.tree

    def files(self) -> FileManager:
        """The files as they are now, for reading."""
        if self._laid != self._acted.tree:
            self.bench.lay(self.rights.base, self._acted.tree)
            self._laid = self._acted.tree
        return self.bench.files(self.rights.protected)

    @contextmanager
    def changing(self, *paths: str) -> Iterator[FileManager]:
        """The files as they are now, for writing `paths`; the change is kept unless the block raises an error."""
        files = self.files()
        for path in paths:
            behind = path
            with suppress(FileSystemError):  # a link may lead to where the role has no rights
                behind = files.resolved(path) if files.exists(path) else path
            if why := self.rights.refusal(path) or self.rights.refusal(behind):
                raise PathRefused(path, "rights", why, "leave it as it is")
        try:
            yield files
            self._record(", ".join(paths))
        except BaseException:
            self._laid = ""  # what was written is undone by the next checkout of the tree
            raise
        finally:
            files.discard_backups()

    def test(self, tests: Sequence[str] = ()) -> str:
        """Run the named tests, or those of the task, in the sandbox; the result as text. Where the task has none, the
        suite is run."""
        acted = self._acted
        if tests:
            files = self.files()
            for name in tests:
                if not files.exists(name.partition("::")[0]):
                    raise UnusableAnswer(f"there is no test file {name.partition('::')[0]}")
        wanted = list(tests) or self._own_tests()
        if not wanted:
            return self.test_suite()
        result = self.bench.run(acted.tree, wanted)
        if not tests and self.rights.test_ids:
            acted.green = not not_passed(self.rights.test_ids, result.passed_ids) and not result.problem
            acted.evidence = "" if acted.green else evidence_of(result)
        counts = result.counts
        summary = f"{counts.passed} passed, {counts.failed + counts.errors} failed, {counts.skipped} skipped"
        return f"{summary}\n{evidence_of(result)}".strip()

    def test_suite(self) -> str:
        """Run the whole suite, and compare it with the suite before the work; the result as text."""
        try:
            return self.bench.compared(self._acted.tree)
        except StageFailed as problem:
            return f"the suite gives no verdict: {problem}"

    def run(self, command: str, seconds: float) -> str:
        """Run a shell command on a copy of the files in the sandbox; what it printed and how it ended."""
        return self.bench.shell(self._acted.tree, command, seconds)

    def is_green(self) -> bool:
        """Whether the task's tests pass; they are run if that is not known."""
        self._told = bool(self._acted.evidence)
        if self.rights.test_ids and not self._acted.green and not self._told:
            self.test()
        return self._acted.green or not self.rights.test_ids

    def conclude(self, call: BenchTool) -> str:
        """End the work with `call` if that is allowed; the text for the model."""
        found = self.rights.may_end(self, call)
        if isinstance(found, str):
            return f"not finished: {found}"
        arguments = call.model_dump(mode="json")
        self._acted.conclusion = Conclusion(tool=call.tool, arguments=arguments, facts=found)
        return call.concluded

    @property
    def evidence(self) -> str:
        """How the task's tests failed when they were last run; it is told once in a message."""
        return "how, stands above" if self._told else self._acted.evidence

    def _own_tests(self) -> list[str]:
        """The files of the task's tests; for their author those that changed."""
        if self.rights.test_ids:
            return list(files_of(self.rights.test_ids))
        return self.bench.changed_tests(self.rights.base, self._acted.tree)

    def _record(self, what: str) -> None:
        tree = self._written()
        if tree == self._acted.tree:
            raise UnusableAnswer(
                f"nothing has changed in {what}: it is the same, or its .gitignore keeps it out of the repository"
            )
        self._acted.tree = self._laid = tree
        self._acted.green, self._acted.evidence = False, ""

    def _written(self) -> str:
        if self.rights.kept is None:
            return self.bench.written()
        source, paths = self.rights.kept
        return self.bench.written(source, paths)


def cut(text: str) -> str:
    """A tool's result, at most as long as a model is shown."""
    return text if len(text) <= _LONGEST_RESULT else f"{text[:_LONGEST_RESULT]}\n[… cut …]"
