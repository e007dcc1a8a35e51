"""Asks several solutions the same further questions, to see which of them mean the same. Runs in the sandbox.

    python -m ai_agents_sandboxed.search.comparing TASK.json RESULT.json

The task: `module`, `function`, `samples` and `tests` as for the search. The result, for each sample: `holds` (whether
it passes every test), `values` (further calls for which it and the first sample give different values), `raising`
(calls for which one of the two raises what the other does not), and in `differences` one of these calls in words; and
how many further calls were `asked`.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from testing.mutation.jury import RAISED, Jury, module_of
from testing.mutation.probes import Probe, probes

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
    outcomes = [jury.outcomes(code, questions) if code and questions else () for code in codes]
    pairs = [[*zip(outcomes[0], theirs, strict=False)] for theirs in outcomes]
    return {
        "holds": [code is not None and jury.passed(code, 0) == jury.everything for code in codes],
        "asked": len(questions),
        "values": [sum(a != b and not (a | b) & RAISED for a, b in each) for each in pairs],
        "raising": [sum(a != b and bool((a | b) & RAISED) for a, b in each) for each in pairs],
        "differences": [
            _difference(jury, questions, (codes[0], code), each) for code, each in zip(codes, pairs, strict=True)
        ],
    }


def _difference(
    jury: Jury,
    questions: list[Probe],
    codes: tuple[CodeType | None, CodeType | None],
    outcomes: Sequence[tuple[int, int]],
) -> str:
    """The shortest call on which two solutions differ, and what comes of it with each; empty when there is none."""
    first, second = codes
    differing = [place for place, (mine, theirs) in enumerate(outcomes) if mine != theirs]
    if first is None or second is None or not differing:
        return ""
    # Two values say more than an exception, and a short call more than a long one.
    place = min(
        differing,
        key=lambda place: (bool((outcomes[place][0] | outcomes[place][1]) & RAISED), len(questions[place].call)),
    )
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
