"""Solutions as syntax trees: what of an answer takes part, which of several is right, and how it is written down.

Several found solutions all pass the tests, so that something else has to tell them apart. The samples do: most of what
they do is right, and a change that mends one test by breaking what nobody tested moves away from them. So solutions and
samples are asked the same further questions, and the solution that answers most of them as the samples do is taken.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType


@dataclass(frozen=True)
class Solution:
    """One answer: the wanted function, without its docstring, and what it stands on."""

    function: ast.FunctionDef
    helpers: tuple[ast.stmt, ...]
    imports: tuple[ast.stmt, ...]
    docstring: str = ""


def read_solution(code: str, name: str) -> Solution | None:
    """The solution that `code` holds; None when it does not parse or does not define `name`, a function or
    `Class.method`. A method may stand in its class or by itself.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return None
    owner, _, last = name.rpartition(".")
    inside = [part for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner for part in node.body]
    functions = [node for node in [*tree.body, *inside] if isinstance(node, ast.FunctionDef) and node.name == last]
    if not functions:
        return None
    function = functions[-1]
    docstring = ast.get_docstring(function)
    if docstring is not None and len(function.body) > 1:
        del function.body[0]
    return Solution(
        function,
        tuple(
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign)
            and getattr(node, "name", "") not in (last, owner)
        ),
        tuple(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)),
        docstring or "",
    )


def compiled(solution: Solution) -> CodeType:
    """What defines the function when it is run. Raises SyntaxError and its like for what is no program."""
    body: list[ast.stmt] = [*solution.helpers, solution.function]
    return compile(ast.fix_missing_locations(ast.Module(body, [])), "<candidate>", "exec")


def best(found: Sequence[Sequence[int]], samples: Sequence[tuple[float, Sequence[int]]]) -> int:
    """Place of the solution whose outcomes agree best with those of the samples, each of which has a weight.

    Among equals the one that most other solutions agree with, then the first.
    """

    def agreement(outcomes: Sequence[int]) -> tuple[float, int]:
        with_samples = sum(
            weight * sum(mine == theirs for mine, theirs in zip(outcomes, sample, strict=True))
            for weight, sample in samples
        )
        with_others = sum(mine == theirs for other in found for mine, theirs in zip(outcomes, other, strict=True))
        return with_samples, with_others

    return max(range(len(found)), key=lambda place: agreement(found[place]))


def in_lines(solution: Solution) -> tuple[CodeType, list[tuple[int, str]]]:
    """The solution compiled from text, and of each statement of its function that does something line and text."""
    parts = [ast.unparse(ast.fix_missing_locations(part)) for part in [*solution.helpers, solution.function]]
    source = "\n".join(parts)
    function = ast.parse(source).body[-1]
    statements = [
        (node.lineno, ast.unparse(node).partition("\n")[0])
        for node in ast.walk(function)
        if isinstance(node, ast.stmt) and node is not function and not _does_nothing(node)
    ]
    return compile(source, "<candidate in lines>", "exec"), statements


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.While):  # without a condition its own line is not run
        return isinstance(node.test, ast.Constant)
    return isinstance(node, ast.Global | ast.Nonlocal) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def computes_unused(function: ast.FunctionDef) -> bool:
    """Whether a value is given a name that is never read: then something is missing that was meant to use it."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    read = {node.id for node in names if not isinstance(node.ctx, ast.Store)}
    assigned = [node.targets[0] for node in ast.walk(function) if isinstance(node, ast.Assign)]
    return any(isinstance(target, ast.Name) and target.id not in read and target.id != "_" for target in assigned)


def written(
    function: ast.FunctionDef,
    helpers: Sequence[ast.stmt],
    imports: Sequence[ast.stmt],
    docstring: str = "",
    owner: str = "",
) -> str:
    """The found solution as source: the function (in class `owner`), the helpers, and of `imports` what these use."""
    if docstring:
        told: ast.stmt = ast.Expr(ast.Constant(docstring))
        function = ast.FunctionDef(**{**dict(ast.iter_fields(function)), "body": [told, *function.body]})
    wanted: ast.stmt = ast.ClassDef(owner, [], [], [function], []) if owner else function
    body = [*helpers, wanted]
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    needed = {
        ast.unparse(node): node
        for node in imports
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any((alias.asname or alias.name.partition(".")[0]) in used for alias in node.names)
    }
    parts = [ast.unparse(ast.fix_missing_locations(part)) for part in body]
    return "\n\n\n".join(["\n".join(needed)] * bool(needed) + parts) + "\n"
