"""Puts small faults into code that its tests accept, and sees which of them the tests notice. Runs in the sandbox.

    python -m ai_agents_sandboxed.mutation TASK.json RESULT.json

The task: `module` (name) and `source` (its text), `functions` (names; of a method `Class.method`), `tests` (bodies, one
assertion each), `samples` (the module with other solutions), `most` mutants and `seconds` for them. The result: `holds`
(which tests the code passes), `kills` (for each test the mutants that it is the first to fail), `total`, `killed`,
`survivors`, and `distinguishing` (calls that would distinguish a survivor from the code).
"""

from __future__ import annotations

import ast
import contextlib
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .jury import MOST_TESTS, RAISED, Jury, identity, module_of
from .operators import Function, Mutant, header, mutants, spread
from .probes import probes

_FIRST_SECONDS = 1.0
_PATIENCE = 10
_LEAST_SECONDS = 0.1
"""Processor time the accepted code has, and how much longer than it a mutant may take."""
_LONGEST_LINE = 200
_MOST_CASES = 3
_MOST_ALIVE = 12
_LONGEST_CALL = 600
"""A longer one in the answer would be refused, and the whole answer with it. The jury bounds the values."""
_MOST_VOTERS = 8
"""Each of them is asked for a further call, which may take it its whole time."""


@dataclass(frozen=True)
class Survivor:
    """A fault that no test notices."""

    line: int
    before: str
    after: str
    operator: str


@dataclass(frozen=True)
class Further:
    """A call in the place of that of a test, what the accepted code gives for it, and how many solutions the same."""

    test: int
    call: str
    expected: str
    agreeing: int
    asked: int


class Examination:
    """Mutants of one module's functions against its tests, until there are enough or the time is over."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._seconds = float(task["seconds"])
        self._most: int = task["most"]
        self._functions: list[str] = task["functions"]
        self._samples: list[str] = task["samples"]
        self._tests: list[list[str]] = task["tests"]
        self._tree = ast.parse(task["source"])
        self._module = module_of(task["module"], [])
        _import_all(self._tests)
        self._code = compiled(self._tree)
        self.holds = [False] * len(self._tests)
        self.kills = [0] * len(self._tests)
        self.total = 0
        self.survivors: list[Survivor] = []
        self.further: list[Further] = []

    def run(self) -> None:
        juries = self._juries()
        if not any(self.holds):
            return
        end = time.monotonic() + self._seconds
        seen, alive = {identity(self._code)}, []
        for mutant in spread([each for node in self._found() for each in mutants(node)]):
            if self.total >= self._most or time.monotonic() >= end:
                break
            before = header(mutant.statement)
            old = mutant.change.make()
            try:
                code, after = self._compiled_mutant(), _after(mutant)
            finally:
                mutant.change.undo(old)
            if code is None or (same := identity(code)) in seen:
                continue
            seen.add(same)
            self.total += 1
            first = self._first_to_fail(juries, code)
            if first is not None:
                self.kills[first] += 1
                continue
            alive.append(code)
            line = mutant.line
            self.survivors.append(Survivor(line, before[:_LONGEST_LINE], after[:_LONGEST_LINE], mutant.operator))
        if alive and self._samples and self._functions:
            name = self._functions[0]
            samples = [code for text in self._samples if (code := _compiled_sample(text))]
            self.further = distinguishing(juries[0], name, self._tests, self._code, alive, samples, self._tree)

    def _juries(self) -> list[Jury]:
        """One for every few tests, with the time that a mutant may take: measured with the accepted code."""
        found = []
        names = list(dict.fromkeys(name.partition(".")[0] for name in self._functions))
        for begin in range(0, len(self._tests), MOST_TESTS):
            tests = self._tests[begin : begin + MOST_TESTS]
            jury = Jury(self._module, names[0], tests, also=names[1:], seconds=_FIRST_SECONDS)
            jury.passed(self._code, 0)  # imports at the first time must not count
            begun = time.monotonic()
            passed = jury.passed(self._code, 0)
            took = time.monotonic() - begun
            jury.end()
            patience = min(max(_PATIENCE * took, _LEAST_SECONDS), _FIRST_SECONDS)
            found.append(Jury(self._module, names[0], tests, also=names[1:], seconds=patience))
            passed &= found[-1].passed(self._code, 0)
            self.holds[begin : begin + len(tests)] = [bool(passed >> index & 1) for index in range(len(tests))]
        return found

    def _first_to_fail(self, juries: Sequence[Jury], code: CodeType) -> int | None:
        """Place of the first test that holds for the accepted code and fails with `code`."""
        for number, jury in enumerate(juries):
            passed, begin = jury.passed(code, 0), number * MOST_TESTS
            for index, held in enumerate(self.holds[begin : begin + MOST_TESTS]):
                if held and not passed >> index & 1:
                    return begin + index
        return None

    def _found(self) -> list[Function]:
        """The functions the task names; of a class all its methods."""
        wanted = set(self._functions)
        found = []
        for name, node in _definitions(self._tree, ""):
            if name in wanted or any(name.startswith(f"{other}.") for other in wanted):
                found.append(node)
        return found

    def _compiled_mutant(self) -> CodeType | None:
        try:
            return compiled(self._tree)
        except (SyntaxError, ValueError, RecursionError):
            return None


def distinguishing(
    jury: Jury,
    name: str,
    tests: Sequence[Sequence[str]],
    accepted: CodeType,
    alive: Sequence[CodeType],
    samples: Sequence[CodeType],
    tree: ast.Module,
) -> list[Further]:
    """Few calls of `name` that together distinguish as many mutants of `alive` from the `accepted` code as possible.

    They are those of `tests` with other arguments. What the accepted code gives for them is no more than its opinion,
    so those of `samples` that pass every test are asked, too.
    """
    made = probes(name, tests, [tree], random.Random(0))  # noqa: S311  # nothing secret
    asked = [probe for probe in made if len(probe.call) <= _LONGEST_CALL]
    mine = jury.outcomes(accepted, asked) if asked else ()
    if not asked or mine != jury.outcomes(accepted, asked):
        return []
    holding = jury.passed(accepted, 0)
    votes = [
        jury.outcomes(sample, asked) for sample in samples[:_MOST_VOTERS] if jury.passed(sample, 0) & holding == holding
    ]
    left = [jury.outcomes(mutant, asked) for mutant in alive[:_MOST_ALIVE]]
    found: list[Further] = []
    while left and len(found) < _MOST_CASES:
        # An error that nobody stated may be an accident.
        valued = [not outcome & RAISED for outcome in mine]
        noticed = [sum(theirs[place] != mine[place] for theirs in left) * valued[place] for place in range(len(asked))]
        place = max(range(len(asked)), key=noticed.__getitem__)
        if not noticed[place]:
            break
        expected = jury.shown(accepted, place)
        left = [theirs for theirs in left if theirs[place] == mine[place]]
        if _is_value(expected):
            agreeing = sum(theirs[place] == mine[place] for theirs in votes)
            found.append(Further(asked[place].test, asked[place].call, expected, agreeing, len(votes)))
    return found


def _is_value(text: str) -> bool:
    """Whether what comes of a call can be written into an assertion."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return bool(text)


def compiled(tree: ast.Module) -> CodeType:
    """The whole module, so that decorators, classes and what else stands around a function are as they were."""
    return compile(ast.fix_missing_locations(tree), "<candidate>", "exec", dont_inherit=True)


def _after(mutant: Mutant) -> str:
    return "pass" if mutant.operator == "statement" else header(mutant.statement)


def _definitions(node: ast.Module | ast.ClassDef, prefix: str) -> list[tuple[str, Function]]:
    found: list[tuple[str, Function]] = []
    for child in node.body:
        if isinstance(child, Function):
            found.append((f"{prefix}{child.name}", child))
        elif isinstance(child, ast.ClassDef):
            found += _definitions(child, f"{prefix}{child.name}.")
    return found


def _import_all(tests: Sequence[Sequence[str]]) -> None:
    """Import what the tests import, so that the jury knows every module that holds a tested function."""
    scratch = ModuleType("imports_of_tests")
    for line in dict.fromkeys(line for lines in tests for line in lines if line.startswith(("import ", "from "))):
        with contextlib.suppress(Exception):
            exec(compile(line, "<imports>", "exec"), vars(scratch))  # noqa: S102  # in the sandbox


def _compiled_sample(text: str) -> CodeType | None:
    try:
        return compile(text, "<sample>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None


def main() -> None:
    """Examine as the task says, the same mutants every time."""
    examination = Examination(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    examination.run()
    result = {
        "holds": examination.holds,
        "kills": examination.kills,
        "total": examination.total,
        "killed": sum(examination.kills),
        "survivors": [asdict(survivor) for survivor in examination.survivors],
        "distinguishing": [asdict(further) for further in examination.further],
    }
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
