"""Calls that would tell a surviving mutant from the accepted code, made from the tests' own calls.

What the accepted code gives for them is no more than its opinion, so other solutions of the task are asked, too.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType

from .jury import RAISED, Jury
from .probes import probes

_MOST_CASES = 3
_MOST_ALIVE = 12
_LONGEST_CALL = 600
"""Of what is told; longer ones would be refused, and all the rest with them. Values are bounded by the jury."""
_MOST_VOTERS = 8
"""Each of them is asked for a further call, which may take it its whole time."""


@dataclass(frozen=True)
class Further:
    """A call in the place of that of a test, what the accepted code gives for it, and how many solutions the same."""

    test: int
    call: str
    expected: str
    agreeing: int
    asked: int


def distinguishing(
    jury: Jury,
    name: str,
    tests: Sequence[Sequence[str]],
    accepted: CodeType,
    alive: Sequence[CodeType],
    samples: Sequence[CodeType],
    tree: ast.Module,
) -> list[Further]:
    """Few calls of `name` that together tell as many of the mutants `alive` from the `accepted` code as can be.

    Those of `samples` that pass every test are asked what they give.
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
        told = [sum(theirs[place] != mine[place] for theirs in left) * valued[place] for place in range(len(asked))]
        place = max(range(len(asked)), key=told.__getitem__)
        if not told[place]:
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
