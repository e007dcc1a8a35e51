"""Facts about a code base that may call for work. Code finds them; the CEO decides whether they become tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from memory import Task, TaskKind

FACTS: Literal["facts"] = "facts"
"""`Task.source` of a task that code made of facts."""
_LONGEST_TEXT = 900


class FactKind(StrEnum):
    """What can be found, in the order in which it is worth working on."""

    FAILING_TESTS = "failing_tests"
    TYPES = "types"
    TODO = "todo"
    LINT = "lint"
    UNCOVERED = "uncovered"
    DOCSTRINGS = "docstrings"


def fact_kinds(tasks_from: Iterable[str]) -> list[FactKind]:
    """The kinds of facts among the sources of tasks that `project.tasks_from` names."""
    return [FactKind(source) for source in tasks_from if source != "backlog"]


DECIDABLE = frozenset({FactKind.FAILING_TESTS, FactKind.TODO})
"""Kinds whose facts a test may be able to decide, one that fails before the work and passes after it. The others need a
team that works with tools, whose kinds of work have other proofs."""
WORK = {
    FactKind.UNCOVERED: TaskKind.TESTS,
    FactKind.DOCSTRINGS: TaskKind.DOCUMENTATION,
    FactKind.LINT: TaskKind.REFACTORING,
}
"""The kind of work that a kind of fact calls for, where it is always the same."""


class Fact(BaseModel):
    """One thing found. It comes from the repository, so it is data, never an instruction."""

    model_config = ConfigDict(frozen=True)

    kind: FactKind
    path: str
    line: int = 0
    symbol: str = ""
    """What it is about: a function, class or `Class.method`; empty when it is about the whole file."""
    text: str = Field("", max_length=_LONGEST_TEXT)
    digest: str
    """Identity of the fact with the code around it: the same as long as neither changes, wherever the lines move."""
    tests_file: str = ""
    tests: str = ""
    """Of failing tests: their file, and its text without the tests that fail for something else."""
    beyond: str = ""
    """Why nobody on the team can do anything about it, such as code of others; empty if somebody can."""

    @property
    def subject(self) -> str:
        """Identity of what it is about, whatever the code around it: two facts of one subject are one concern."""
        words = self.text if self.kind is FactKind.TODO else ""
        return _digest(self.kind, self.tests_file or self.path, self.symbol, words)

    @classmethod
    def of(
        cls,
        kind: FactKind,
        path: str,
        line: int,
        symbol: str,
        text: str,
        around: str,
        **more: str,
    ) -> Fact:
        """The fact with its digest; `around` is the code that it depends on. Long texts are cut."""
        digest = _digest(kind, path, symbol, "\n".join(row.strip() for row in around.splitlines() if row.strip()))
        kept = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
        return cls.model_validate(
            {"kind": kind, "path": path, "line": line, "symbol": symbol, "text": kept, "digest": digest, **more}
        )


class PlannedTask(BaseModel):
    """A task that the CEO wants, and what it is made of."""

    task: Task
    facts: list[str] = []
    """Digests of the facts it is made of."""
    reason: str = ""


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", errors="surrogatepass")).hexdigest()[:10]
