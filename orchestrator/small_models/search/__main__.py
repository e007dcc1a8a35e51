"""Searches for a solution among changes of solutions that nearly work. Runs in the sandbox: it runs what models wrote.

    python -m ai_agents_sandboxed.search TASK.json RESULT.json

The task: `module` and `function` (names), `samples` (answers as source), `tests` (bodies, one assertion each) and
`seconds`; with `present` the last sample is the function as it is. The result: `code` (source, or empty), `tried`,
`best` and `of` (tests passed by the best, and all); of what was found: `found`, `agreeing`, `proven`, as
`recombining.py` says.
Whoever asked verifies what was found with the real test runner: nothing here is believed.
"""

from __future__ import annotations

import builtins
import copy
import heapq
import json
import random
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from testing.mutation.jury import Jury, identity, module_of
from testing.mutation.probes import probes

from .edits import STAGES, changes
from .solutions import Solution, best, compiled, computes_unused, in_lines, read_solution, written
from .templates import Hints, constants_of, empty_cases, one_argument_calls

_DEEPEST = 2
"""Changes in a row: with more of them almost anything can be bent to a handful of tests."""
_SHARE_FOR_OTHERS = 0.2
_MOST_FOUND = 60
"""For how much of the time after the first found solution, and up to how many, others are looked for to choose from."""
_MOST_ALIKE = 3
"""How many candidates that pass the same tests are worth going on from."""


@dataclass(frozen=True)
class _Candidate:
    """A solution, the tests it passes, the changes that made it of a sample, and which changes come next."""

    solution: Solution
    passed: int
    depth: int
    stage: int = 0


class Search:
    """Best first: changes of the candidates that pass most tests, until one passes all or the time is over."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._seconds = float(task["seconds"])
        self._end = time.monotonic() + self._seconds
        self._name: str = task["function"]
        solutions = (read_solution(code, self._name) for code in task["samples"])
        self._solutions = [solution for solution in solutions if solution is not None]
        self._present = self._solutions[-1] if task.get("present") and self._solutions else None
        self._imports = [node for solution in self._solutions for node in solution.imports]
        self._module = module_of(task["module"], self._imports)
        self._known = set(vars(self._module)) | set(dir(builtins))
        self._jury = Jury(self._module, self._name, task["tests"])
        self._tests: list[list[str]] = task["tests"]
        self._donors = [solution.function for solution in self._solutions]
        self._hints = Hints(
            empty_cases(self._name, self._tests),
            one_argument_calls(self._module, self._name),
            constants_of(self._donors),
        )
        self._seen: set[object] = set()
        self._alike: dict[int, int] = {}
        self._samples: list[tuple[int, Solution]] = []
        self._found: list[Solution] = []
        self._heap: list[tuple[int, int, int, _Candidate]] = []
        self._pushed = 0
        self.tried = 0
        self.best = 0
        self.found = self.agreeing = 0
        self.proven = False

    def run(self) -> str:
        """The source of a solution that passes every test, or nothing."""
        for solution in reversed(self._solutions):
            passed = self._judge(solution, 0)
            if passed == self._jury.everything:
                return self._written(solution)
            if passed is not None:
                self._samples.append((passed, solution))
                self._keep(solution, passed, depth=0)
        while self._heap and time.monotonic() < self._end:
            candidate = heapq.heappop(self._heap)[-1]
            self._try_changes(candidate)
            if candidate.stage + 1 < STAGES:
                self._push(replace(candidate, stage=candidate.stage + 1))
        return self._written(self._likeliest()) if self._found else ""

    def _try_changes(self, candidate: _Candidate) -> None:
        solution, passed = candidate.solution, candidate.passed
        known = self._known_with(solution)
        for change in changes(candidate.stage, solution.function, self._donors, known, self._hints):
            if time.monotonic() >= self._end:
                return
            old = change.make()
            try:
                now = self._judge(solution, passed)
                if now == self._jury.everything and not computes_unused(solution.function):
                    self._keep_found(_copied(solution))
                elif now is not None and now & ~passed and now.bit_count() >= max(passed.bit_count(), self.best):
                    self._keep(_copied(solution), now, candidate.depth + 1)
            finally:
                change.undo(old)

    def _keep_found(self, solution: Solution) -> None:
        """One solution may be right by chance: look on a little for others to choose from."""
        if not self._found:
            self._end = min(self._end, time.monotonic() + self._seconds * _SHARE_FOR_OTHERS)
        self._found.append(solution)
        if len(self._found) >= _MOST_FOUND:
            self._end = 0

    def _likeliest(self) -> Solution:
        """Of the found solutions the one that goes on doing what the samples do; of those that do the same, one
        without a line that no test runs, if there is any.
        """
        questions = probes(self._name, self._tests, self._donors, random.Random(0))  # noqa: S311  # nothing secret
        outcomes = [self._jury.outcomes(compiled(solution), questions) for solution in self._found]
        samples = [
            (passed.bit_count() / self.tests, self._jury.outcomes(compiled(solution), questions))
            for passed, solution in self._samples
            if passed.bit_count() * 2 >= self.tests
        ]
        place = best(outcomes, samples)
        alike = [each for each, theirs in zip(self._found, outcomes, strict=True) if theirs == outcomes[place]]
        self.found, self.agreeing = len(outcomes), len(alike)
        proven = next((each for each in alike if self._is_proven(each)), None)
        self.proven = proven is not None
        return proven or self._found[place]

    def _is_proven(self, solution: Solution) -> bool:
        """Whether the tests run all of it, but for what the present function has, too."""
        code, statements = in_lines(solution)
        run = self._jury.lines_run(code)
        known = {text for _, text in in_lines(self._present)[1]} if self._present else set()
        return all(line in run or text in known for line, text in statements)

    @property
    def tests(self) -> int:
        """How many tests there are."""
        return self._jury.everything.bit_count()

    def _judge(self, solution: Solution, passed: int) -> int | None:
        """The tests that `solution` passes, as bits; None when it was judged before or cannot be."""
        try:
            code = compiled(solution)
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return None
        if (same := identity(code)) in self._seen:
            return None
        self._seen.add(same)
        self.tried += 1
        result = self._jury.passed(code, passed)
        self.best = max(self.best, result.bit_count())
        return result

    def _keep(self, solution: Solution, passed: int, depth: int) -> None:
        self._alike[passed] = self._alike.get(passed, 0) + 1
        if depth == 0 or (depth < _DEEPEST and self._alike[passed] <= _MOST_ALIKE):
            self._push(_Candidate(solution, passed, depth))

    def _push(self, candidate: _Candidate) -> None:
        """The likely changes of all near candidates come before the many unlikely ones of the nearest."""
        passed = candidate.passed.bit_count()
        self._pushed += 1
        heapq.heappush(self._heap, (candidate.stage - passed, candidate.depth, self._pushed, candidate))

    def _known_with(self, solution: Solution) -> set[str]:
        """The names that a change of `solution` may use besides the function's own."""
        return self._known | {name for node in solution.helpers if isinstance(name := getattr(node, "name", None), str)}

    def _written(self, solution: Solution) -> str:
        told = [text for text in (solution.docstring, *(each.docstring for each in self._solutions)) if text]
        docstring, owner = min(told, key=_lines, default=""), self._name.rpartition(".")[0]
        return written(solution.function, solution.helpers, self._imports, docstring, owner)


def _copied(solution: Solution) -> Solution:
    return replace(solution, function=copy.deepcopy(solution.function))


def _lines(text: str) -> int:
    return text.count("\n")


def main() -> None:
    """Search as the task says, in the same order every time."""
    random.seed(0)
    search = Search(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    found = search.run()
    result = {"code": found, "tried": search.tried, "best": search.best, "of": search.tests}
    result |= {"found": search.found, "agreeing": search.agreeing, "proven": search.proven}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
