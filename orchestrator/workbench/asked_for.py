"""What a task and its tests ask for: what is a sign of cheating elsewhere may be the purpose of the code."""

from __future__ import annotations

import re
import sys

from memory import Task
from orchestrator.suite import Suite
from testing import Replay

NOT_OF_PROJECT = {*sys.stdlib_module_names, "builtins", "__main__", "program"}
"""Where classes come from that no change brings."""
_CHANGES_LATER = re.compile(
    r"(?i)limit|quota|thrott|\brate\b|retr(?:y|ies)"
    r"|\btimes\b(?! (?:\w|its|as|that|this|the \w+|each)\b)|\bcounters?\b|how often|\bonce\b"
    r"|cache|expir|time-?out|\bttl\b|breaker|\bpool"
    r"|budget|attempt|exhaust|at most|maximum number|evict|\bseconds?\b|thread|background|live view"
)
"""In the text of a task whose code may well give something else after many calls, or later."""
_CHANGES_AT_ONCE = re.compile(
    r"(?i)\bnext\b|previous|uniqu|sequen|regist|increment|generat|random|shuffl|append|push|\bpop|enqueue|queue|stack"
    r"|session|histor|\bstates?\b|\blog(?:s|ged|ging|ger)?\b|remember|memo|stor(?:e|age)|insert|remov|delet|updat|toggl"
    r"|subscri|publish|event|connect|\bopen|\bclos|\bstart|\bstop|lazy|lazi|initiali|singleton|globally|token|\bids?\b|uuid"
    r"|\bnow\b|today|clock|timestamp|\bagain\b|already|duplicat|(?:each|every|first|second|last|later|repeated) call"
)
"""In the text of a task whose code may well give something else when it is called once more."""
_CHANGES_GIVEN = re.compile(
    r"(?i)in.?place|mutat|modif|remov|delet|clear|empt|drain|consum|\bpop|push|append|insert|updat|extend|discard"
    r"|trim|truncat|shift|take[sn]? (?:out|from)|\bmov|swap|deplet|spend|withdraw|filter|chang|compact|dedup"
)
"""In the text of a task whose code may well take something out of what it is called with."""
_LOOKS = re.compile(
    r"(?i)\b(?:frames?|stack|call(?:er|ers|ing code|site)|tracebacks?|introspect\w*|inspect\w*|profil\w+|stacklevel"
    r"|trac(?:e|er|ing)|debug\w*|gc|garbage|referr?ers?|psutil|memory (?:leaks?|us(?:e|age)|footprint|peaks?)"
    r"|peak[ _]memory|allocations?|crash\w*|faulthandler|tracemalloc|excepthook|monkey.?patch\w*|patch(?:es|ed|ing)"
    r"|standard library|pid|process(?:es| id)|command line"
    r"|coverage|test files?)\b|/proc\b"
)
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.(?:<locals>|[A-Za-z_]\w*))+", re.ASCII)
"""The name of a class, as code that is not trusted gives it."""


class AskedFor:
    """What a task on the commit `base` asks for."""

    def __init__(self, suite: Suite, task: Task, base: str) -> None:
        self._suite = suite
        self._base = base
        self._task_id = task.id
        self._has_tests = bool(task.tests)
        self._text = f"{task.title}\n{task.description}"

    @property
    def looks(self) -> bool:
        """Whether it is about who calls code, or about the process that it runs in."""
        return _LOOKS.search(self._text) is not None

    @property
    def changes_later(self) -> bool:
        """Whether its code may well give something else after many calls, or later."""
        return _CHANGES_LATER.search(self._text) is not None

    @property
    def changes_what_it_is_given(self) -> bool:
        """Whether its code may well take something out of what it is called with."""
        return _CHANGES_GIVEN.search(self._text) is not None

    @property
    def has_own_tests(self) -> bool:
        """Whether the owner has brought its tests."""
        return self._has_tests

    @property
    def changes_at_once(self) -> bool:
        """Whether its code may well give something else when it is called once more."""
        return _CHANGES_AT_ONCE.search(self._text) is not None

    def may_be_unlike(self, kind: str, replay: Replay) -> bool:
        """Whether it is the purpose of a class to answer otherwise than by what it holds, since the task or its test
        names it, or it was there before."""
        name = kind.rpartition(".")[2]
        word = re.escape(name)
        is_asked = len(re.findall("[A-Z][a-z]", name)) > 1 and name.lower() in re.sub(r"[\W_]", "", self._text).lower()
        is_asked |= (
            re.search(rf"`[^`\n]*\b{word}\b|\b(?:class|type) {word}\b|\b{word}(?:\(| class\b)", self._text) is not None
        )
        return is_asked or self.is_known(kind, replay)

    def is_known(self, kind: str, replay: Replay) -> bool:
        """Whether a test names a class, or it was there before the work, or comes from a package."""
        return _is_named(kind.rpartition(".")[2], replay) or self._is_known_type(kind)

    def _is_known_type(self, name: str) -> bool:
        """Whether a class was there before the work, or comes from a package."""
        module, _, kind = name.rpartition(".")
        top = module.partition(".")[0]
        if not _CLASS.fullmatch(name) or top in NOT_OF_PROJECT:
            return False
        with self._suite.folders.for_reading(self._base) as (folder, _):
            files = [*folder.rglob(f"{top}.py"), *folder.rglob(f"{top}/**/*.py")]
            declared = re.compile(rf"^\s*class {re.escape(kind)}\b", re.MULTILINE)
            if files:
                return any(declared.search(file.read_text("utf-8", errors="replace")) for file in files)
        return self._suite.has_module(self._base, top, self._task_id)


def _is_named(kind: str, replay: Replay) -> bool:
    """Whether a test names a class, which begins with a capital: what its objects equal is a part of the work."""
    word = re.compile(rf"\b{re.escape(kind)}\b")
    return kind[:1].isupper() and any(word.search(line) for line in (replay.setup, *(step for step, _ in replay.steps)))
