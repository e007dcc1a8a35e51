"""Calls that would tell a surviving mutant from the accepted code, made from the tests' own calls.

What the accepted code gives for them is no more than its opinion, so other solutions of the task are asked, too.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType

from ..recombination.choice import RESULT, _calls, _varied
from ..recombination.jury import Jury

_MOST_CALLS = 60
_TRIES = 400
_MOST_CASES = 3
_RAISES = "raises "


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
    calls = _further_calls(name, tests, tree)
    probes = [code for _, _, code in calls]
    mine = jury.outcomes(accepted, probes) if probes else ()
    if not probes or mine != jury.outcomes(accepted, probes):
        return []
    holding = jury.passed(accepted, 0)
    votes = [jury.outcomes(sample, probes) for sample in samples if jury.passed(sample, 0) & holding == holding]
    left = [jury.outcomes(mutant, probes) for mutant in alive]
    found: list[Further] = []
    while left and len(found) < _MOST_CASES:
        told = [sum(theirs[place] != mine[place] for theirs in left) for place in range(len(probes))]
        place = max(range(len(probes)), key=told.__getitem__)
        if not told[place]:
            break
        test, call, _ = calls[place]
        expected = jury.shown(accepted, place)
        left = [theirs for theirs in left if theirs[place] == mine[place]]
        if _is_value(expected):
            agreeing = sum(theirs[place] == mine[place] for theirs in votes)
            found.append(Further(test, call, expected, agreeing, len(votes)))
    return found


def _further_calls(name: str, tests: Sequence[Sequence[str]], tree: ast.Module) -> list[tuple[int, str, CodeType]]:
    """Variations of the tests' calls: the test's place, the call, and a program that leaves its result in `RESULT`."""
    calls = [(place, *call) for place, lines in enumerate(tests) for call in _calls(name, lines)]
    pool = [
        node.value
        for part in [*(call for _, _, call in calls), tree]
        for node in ast.walk(part)
        if isinstance(node, ast.Constant)
    ]
    known = {ast.unparse(call) for _, _, call in calls}
    chooser = random.Random(0)  # noqa: S311  # nothing secret
    found: dict[str, tuple[int, str, CodeType]] = {}
    for _ in range(_TRIES if calls else 0):
        place, before, call = chooser.choice(calls)
        varied = _varied(call, pool, chooser)
        text = ast.unparse(varied)
        if text in found or text in known:
            continue
        body: list[ast.stmt] = [*before, ast.Assign([ast.Name(RESULT, ast.Store())], varied)]
        code = compile(ast.fix_missing_locations(ast.Module(body, [])), "<probe>", "exec")
        found[text] = (place, text, code)
        if len(found) >= _MOST_CALLS:
            break
    return list(found.values())


def _is_value(text: str) -> bool:
    """Whether an outcome can be written into an assertion."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return bool(text)
