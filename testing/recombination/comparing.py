"""Asks several solutions the same further questions, to see which of them mean the same. Runs in the sandbox.

    python -m ai_agents_sandboxed.recombination.comparing TASK.json RESULT.json

The task: `module`, `function`, `samples` and `tests` as for the search. The result: for each sample `passed` (how many
tests it passes; -1 when it is no solution) and `outcomes` (a number for each of `calls`, equal for equal outcomes, with
the highest bit set for exceptions); and for each sample after the first, in `differences`, a call on which it differs
from the first, in words.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import CodeType
from typing import Any

from .choice import Probe, probes
from .jury import Jury, module_of
from .solutions import Solution, compiled, read_solution


def compare(task: dict[str, Any]) -> dict[str, Any]:
    """What the samples do with the tests and with further calls."""
    name, tests = task["function"], task["tests"]
    solutions = [read_solution(code, name) for code in task["samples"]]
    known = [solution for solution in solutions if solution is not None]
    jury = Jury(module_of(task["module"], [node for solution in known for node in solution.imports]), name, tests)
    # Every run asks the same questions.
    questions = probes(name, tests, [solution.function for solution in known], random.Random(0))  # noqa: S311
    codes = [_code(solution) for solution in solutions]
    outcomes = [jury.outcomes(code, questions) if code else () for code in codes]
    return {
        "passed": [jury.passed(code, 0).bit_count() if code else -1 for code in codes],
        "of": jury.everything.bit_count(),
        "calls": [probe.call for probe in questions],
        "outcomes": outcomes,
        "differences": [
            _difference(jury, questions, (codes[0], code), (outcomes[0], those))
            for code, those in zip(codes[1:], outcomes[1:], strict=True)
        ],
    }


def _difference(
    jury: Jury,
    questions: list[Probe],
    codes: tuple[CodeType | None, CodeType | None],
    outcomes: tuple[tuple[int, ...], tuple[int, ...]],
) -> str:
    """The shortest call on which two solutions differ, and what comes of it with each; empty when there is none."""
    first, second = codes
    differing = [place for place, (mine, theirs) in enumerate(zip(*outcomes, strict=False)) if mine != theirs]
    if first is None or second is None or not differing:
        return ""
    place = min(differing, key=lambda place: len(questions[place].call))
    said = [jury.shown(code, place) or "something long" for code in (first, second)]
    return f"{questions[place].call} gives {said[0]} with one, and {said[1]} with another"


def _code(solution: Solution | None) -> CodeType | None:
    try:
        return compiled(solution) if solution else None
    except (SyntaxError, ValueError, TypeError, RecursionError):
        return None


def main() -> None:
    """Compare as the task says."""
    random.seed(0)
    result = compare(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
