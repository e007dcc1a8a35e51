"""Puts small faults into code that its tests accept, and sees which of them the tests notice. Runs in the sandbox.

    python -m ai_agents_sandboxed.mutation TASK.json RESULT.json

The task: `module` (name) and `source` (its text), `functions` (names; of a method `Class.method`), `tests` (bodies, one
assertion each), `samples` (the module with other solutions), `most` mutants and `seconds` for them. The result: `holds`
(which tests the code passes), `kills` (for each test the mutants that it is the first to fail), `total`, `killed`,
`survivors`, and `distinguishing` (calls that would tell a survivor from the code).
"""

from __future__ import annotations

import ast
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from .further_calls import Further, distinguishing
from .jury import MOST_TESTS, Jury, identity, module_of
from .operators import Function, Mutant, header, mutants, spread

_FIRST_SECONDS = 1.0
_PATIENCE = 10
_LEAST_SECONDS = 0.1
"""Processor time the accepted code has, and how much longer than it a mutant may take."""
_LONGEST_LINE = 200


@dataclass(frozen=True)
class Survivor:
    """A fault that no test notices."""

    line: int
    before: str
    after: str
    operator: str


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
        """One for every few tests, with the time that mutants may take, after each has heard the accepted code."""
        found = []
        names = list(dict.fromkeys(name.partition(".")[0] for name in self._functions))
        for begin in range(0, len(self._tests), MOST_TESTS):
            tests = self._tests[begin : begin + MOST_TESTS]
            jury = Jury(self._module, names[0], tests, also=names[1:], seconds=_FIRST_SECONDS)
            jury.passed(self._code, 0)  # what is imported at the first time must not count
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
