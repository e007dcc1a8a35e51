"""What a test computes its expectations from, without the code under test.

In `assert in_order(xs) == sorted(xs)` the expected value is computed where the project's code runs, too. Code that
empties `xs`, or changes what `sorted` or `math.pi` give, decides what it is compared with. So whatever a test computes
without the project is computed once more by a program that never loads it.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from testing.controls.outside import Replay

_VARIES = re.compile(
    r"\b(?:time|datetime|now|today|random|uuid\w*|secrets|tempfile|threading|asyncio|subprocess|socket|multiprocessing"
    r"|getpid|id|hash|next|iter|open|input|sys|gc|weakref|mock|Mock|MagicMock|signal|stat|io)\b"
)
"""In lines that may well give something else each time, or elsewhere."""
_PLACE = re.compile(
    r"\b(?:environ|getenv|getcwd|cwd|expanduser|expandvars|home|abspath|resolve|locale|listdir|exists)\b"
)
"""What functions may change on purpose; of a call that is compared with it, nobody expects that."""


@dataclass
class Apart:
    """The part of a test that a program does without the project."""

    setup: str
    steps: list[tuple[str, bool]] = field(default_factory=list)
    places: list[tuple[int, int, bool]] = field(default_factory=list)
    """Of each step that is told: the number of the claim, the place of the value in it, and whether it is made of
    something that the project's code was handed, and may have been asked to change."""


def apart_of(replay: Replay) -> Apart | None:
    """What of a test is computed without the project; None if no claim compares it with what the project gives."""
    known, kept = {*vars(builtins)}, list[ast.stmt]()
    for node in ast.parse(replay.setup).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            if node.__dict__.get("level") or not _tops(node) <= sys.stdlib_module_names:
                continue
        elif not _is_apart(node, known):
            continue
        kept.append(node)
        known |= _stored(node)
    made = Apart(ast.unparse(ast.Module(kept, [])))
    if replay.told:
        _of_whole(replay, made, known, {name for node in kept if not _is_fixed(node) for name in _stored(node)})
    else:
        _of_steps(replay, made, known, {name for node in kept if _is_fixed(node) for name in _stored(node)})
    return made if made.places else None


def _of_steps(replay: Replay, made: Apart, known: set[str], fixed: set[str]) -> None:
    places = [(number, place) for number, claim in enumerate(replay.claims) for place in range(len(claim.told))]
    handed, is_begun, left = set[str](), False, iter(places)
    for line, is_told in replay.steps:
        tree = ast.parse(line)
        is_apart = _is_apart(tree, known)
        if not is_told:
            if is_apart:
                made.steps.append((line, False))
                handed = handed | _stored(tree) if _used(tree) & handed else handed - _stored(tree)
                known |= _stored(tree)
            else:
                handed |= _used(tree)
                known -= _stored(tree)
                is_begun = True
            continue
        number, place = next(left)
        others = [ast.parse(text) for text in replay.claims[number].told]
        tested = [other for other in others if not _is_apart(other, known)]
        if is_apart and tested and not (is_begun and _PLACE.search(line)):
            given = handed | {name for other in tested for name in _used(other)}
            made.steps.append((line, True))
            made.places.append((number, place, bool(_used(tree) & (given - fixed - {*vars(builtins)}))))
        elif not is_apart:
            handed |= _used(tree)


def _of_whole(replay: Replay, made: Apart, known: set[str], handed: set[str]) -> None:
    for number, claim in enumerate(replay.claims):
        trees = [ast.parse(text) for text in claim.told]
        for place, (text, tree) in enumerate(zip(claim.told, trees, strict=True)):
            is_tested = any(not _is_apart(other, known) for other in trees)
            if is_tested and _is_apart(tree, known) and not _PLACE.search(text):
                made.steps.append((text, True))
                made.places.append((number, place, bool(_used(tree) & handed)))


def _is_fixed(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def _is_apart(node: ast.AST, known: set[str]) -> bool:
    own = _stored(node) | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    return _used(node) <= known | own and not _VARIES.search(ast.unparse(node))


def has_lost(before: Any, after: Any) -> bool:
    """Whether something that was in a value is not in it any more."""
    if isinstance(before, int | float) and isinstance(after, int | float):
        return abs(after) < abs(before)
    if isinstance(before, dict) and isinstance(after, dict):
        return any(key not in after for key in before)
    if isinstance(before, list | tuple | set | frozenset) and isinstance(after, list | tuple | set | frozenset):
        return any(part not in after for part in before)
    if isinstance(before, str | bytes | bytearray) and isinstance(after, str | bytes | bytearray):
        return len(after) < len(before)
    return False


def _tops(node: ast.Import | ast.ImportFrom) -> set[str]:
    names: Sequence[str] = [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}


def _used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def _stored(node: ast.AST) -> set[str]:
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    for part in ast.walk(node):
        if isinstance(part, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in part.names}
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
    return found
