"""Properties that a task states: what holds for every value, not for single examples. Found by code.

Only what can be read with certainty is a property, since a wrong one blocks good work. An equation in code with names
for values (`decode(encode(text))` returns `text`) is one; in words it is "the inverse of `encode`", "applying it twice
is the same as once", "the order of `items` does not matter", "the parts add up to `total`". A sentence with a condition
or a doubt in it states none. Vague words ("never loses anything") are left to examples.

Each is checked by one test, on many values.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from agents.answers import Requirements, TestCase
from agents.stated.examples import stated_examples
from agents.stated.property_values import Known, is_known, strategy, values
from agents.stated.scanning import calmed

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]\s")
_LINE_BREAK = re.compile(r"\s*\n\s*")
_DOUBT = re.compile(
    r"\b(?:if|when|unless|except|only|provided|otherwise|while|until|as long as|not|no longer|never|cannot|may|might|"
    r"sometimes|usually|often|some|about|approximately|roughly|nearly|round\w*|positive|negative|non\w*|valid|even|odd|"
    r"sorted|greater|less|more|above|below|between|least|most|empty|where|with|for(?!\s+(?:all|any|every|each)\b)|"
    r"(?<!add )(?<!sum )up\s+to)\b|n't\b",
    re.IGNORECASE,
)
_EXCEPTION = re.compile(r"(?:but|except|unless|however|only|otherwise|for|if|when)\b", re.IGNORECASE)
"""How a sentence begins that restricts the one before it."""
_EQUATION = re.compile(
    r"`([^`\n]+)`\s*(?:,\s*)?(?:always\s+)?(?:returns|gives|gives back|is|equals|==|yields)\s+`([^`\n]+)`"
)
_COMPARED = re.compile(r"`([^`\n=<>!]+)==([^`\n=]+)`")
_CODE = re.compile(r"`([^`\n]+)`")
_FUNCTION = re.compile(r"(?:def )?([A-Za-z_]\w*$|[A-Za-z_][\w.]*(?=\())")
_VALUES = ("True", "False", "None")
_SIGNATURE = re.compile(r"`(?:def )?([A-Za-z_]\w*\([^`\n]*\)(?:\s*->[^`\n:]*)?):?`")
_INVERSE = re.compile(r"\binverse of `?(\w+)`?", re.IGNORECASE)
_TWICE = re.compile(
    r"\bidempotent\b|\b(?:applying|calling|running|doing)\b.*\btwice\b.*\b(?:same|once)\b", re.IGNORECASE | re.DOTALL
)
_ORDER = re.compile(r"\border of (?:the )?`?(\w+)`? (?:does not|doesn't) matter", re.IGNORECASE)
_ADDS_UP = re.compile(
    r"\b(?:parts|shares|pieces|amounts|results)\b(?: always)? (?:add up|sum up|sum) to (?:exactly )?(?:the )?`?(\w+)`?",
    re.IGNORECASE,
)
_MOST_PROPERTIES = 2
_NEAR = 20
"""Sentences before one, in which it is looked for what that is about."""
_TRIED = 20
"""Rows of values in a test without hypothesis."""


@dataclass(frozen=True)
class Property:
    """`left` equals `right` for all values of `variables`, by name what is known of them."""

    left: str
    right: str
    variables: Mapping[str, Known]


class _PlainCall(ast.Call):
    """A call of a function by its plain name."""

    func: ast.Name


@dataclass(frozen=True)
class _Signature:
    """A function's parameters with their types, and what it gives."""

    name: str
    parameters: Mapping[str, ast.expr | None]
    required: int
    returns: ast.expr | None


def stated_properties(text: str, symbols: Sequence[str], signatures: Sequence[str] = ()) -> list[Property]:
    """The properties that `text` states about `symbols`, each once. What cannot be read with certainty is left out."""
    text = calmed(text)
    stated = [match[1] for match in _SIGNATURE.finditer(text)]
    known = {read.name: read for line in [*signatures, *stated] if (read := _read(line))}
    seen = _arguments(text, known)
    found: dict[tuple[str, str], Property] = {}
    sentences = [_LINE_BREAK.sub(" ", sentence) for sentence in _SENTENCE.split(text)]
    for number, (sentence, following) in enumerate(zip(sentences, [*sentences[1:], ""], strict=True)):
        before = "\n".join(sentences[max(0, number - _NEAR) : number])
        for left, right in () if _EXCEPTION.match(following.strip()) else _equations(before, sentence, symbols, known):
            variables = _variables(left, right, known, seen)
            if variables and _is_property(left, right, symbols):
                sides = ast.unparse(left), ast.unparse(right)
                found.setdefault(sides, Property(*sides, variables))
    return list(found.values())


def _equations(
    before: str, sentence: str, symbols: Sequence[str], known: Mapping[str, _Signature]
) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Both sides of what the sentence, which follows the text `before`, says is always equal."""
    words = re.sub(r"`[^`]*`", " ", sentence)
    if _DOUBT.search(words.replace("does not matter", "").replace("doesn't matter", "")):
        return
    for match in [*_EQUATION.finditer(sentence), *_COMPARED.finditer(sentence)]:
        left, right = _expression(match[1]), _expression(match[2])
        if left is not None and right is not None:
            yield left, right
    about = known.get(symbols[0]) if symbols else None
    if about is None:
        return

    def says(words: re.Pattern[str]) -> re.Match[str] | None:
        found = words.search(sentence)
        return found if found and _is_about(about, f"{before}\n{sentence[: found.start()]}", found) else None

    first, *others = about.parameters or [""]
    call = f"{about.name}({', '.join(about.parameters)})"
    if (inverse := says(_INVERSE)) and (other := known.get(inverse[1])):
        start, *rest = other.parameters or [""]
        if rest == others and other.name != about.name:
            inner = f"{other.name}({', '.join(other.parameters)})"
            yield _sides(f"{about.name}({', '.join([inner, *rest])})", start)
    if says(_TWICE) and about.required == 1:
        yield _sides(f"{about.name}({about.name}({first}))", f"{about.name}({first})")
    if (
        (order := says(_ORDER))
        and order[1] in about.parameters
        and _is(about.returns, "int", "float", "bool", "str", "set", "dict")
    ):
        yield _sides(re.sub(rf"\b{order[1]}\b(?=[,)])", f"{order[1]}[::-1]", call), call)
    if (sums := says(_ADDS_UP)) and sums[1] in about.parameters and _is_ints(about.returns):
        yield _sides(f"sum({call})", sums[1])


def _is_about(own: _Signature, before: str, words: re.Match[str]) -> bool:
    """Whether the last function that is named `before` the `words` of a property is the task's own.

    What the words name themselves, such as that of which it is the inverse, is not what they are about.
    """
    named = [found[1] for code in _CODE.findall(before) if (found := _FUNCTION.match(code.strip()))]
    others = {*own.parameters, *_VALUES, *words.groups()}
    functions = [name for name in named if name not in others]
    return bool(functions) and functions[-1] == own.name


def _is_property(left: ast.expr, right: ast.expr, symbols: Sequence[str]) -> bool:
    """Whether it says more than what one call gives, which is how a task begins to list the cases of a function."""
    of_left, of_right = ([node.func.id for node in ast.walk(side) if _is_plain_call(node)] for side in (left, right))
    return bool({*of_left} & {*symbols}) and (len(of_left) > 1 or bool({*of_right} & {*symbols}))


def _variables(
    left: ast.expr, right: ast.expr, known: Mapping[str, _Signature], seen: Mapping[tuple[str, str], list[object]]
) -> dict[str, Known]:
    """The names that stand for values, in order, with what is known of each; empty when that is not enough."""
    nodes = [node for side in (left, right) for node in ast.walk(side)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    found: dict[str, Known] = {}
    for node in nodes:
        if _is_plain_call(node) and node.func.id in known:
            signature = known[node.func.id]
            given = [*zip(signature.parameters, node.args, strict=False)]
            given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
            for parameter, argument in given:
                plain = argument.value if isinstance(argument, ast.Subscript) else argument  # items[::-1]
                kind = signature.parameters.get(parameter)
                if isinstance(plain, ast.Name) and is_known(kind):
                    known_of = found.setdefault(plain.id, Known(kind, []))
                    shown = [*known_of.seen, *seen.get((node.func.id, parameter), [])]
                    found[plain.id] = Known(known_of.kind, shown)
    return {name: found[name] for name in names if name in found} if set(names) <= set(found) else {}


def _arguments(text: str, known: Mapping[str, _Signature]) -> dict[tuple[str, str], list[object]]:
    """What stated examples that give a value call each function with, by (function, parameter)."""
    found: dict[tuple[str, str], list[object]] = {}
    for example in stated_examples(text):
        for node in ast.walk(ast.parse(example.call, mode="eval")) if not example.raises else ():
            if _is_plain_call(node) and node.func.id in known:
                for parameter, argument in zip(known[node.func.id].parameters, node.args, strict=False):
                    try:
                        found.setdefault((node.func.id, parameter), []).append(ast.literal_eval(argument))
                    except ValueError:
                        continue
    return found


def _read(line: str) -> _Signature | None:
    """A signature that says the types of its parameters."""
    try:
        node = ast.parse(f"def {line}: pass").body[0]
    except (SyntaxError, ValueError):
        return None
    if not isinstance(node, ast.FunctionDef) or node.args.vararg or node.args.kwonlyargs or node.args.kwarg:
        return None
    if not (node.args.args and all(argument.annotation for argument in node.args.args)):
        return None
    parameters = {argument.arg: argument.annotation for argument in node.args.args}
    return _Signature(node.name, parameters, len(parameters) - len(node.args.defaults), node.returns)


def _is_plain_call(node: ast.AST) -> TypeGuard[_PlainCall]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _expression(source: str) -> ast.expr | None:
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _sides(left: str, right: str) -> tuple[ast.expr, ast.expr]:
    return ast.parse(left, mode="eval").body, ast.parse(right, mode="eval").body


def _is(kind: ast.expr | None, *names: str) -> bool:
    return kind is not None and ast.unparse(kind).partition("[")[0] in names


def _is_ints(kind: ast.expr | None) -> bool:
    return kind is not None and ast.unparse(kind) in ("list[int]", "tuple[int, ...]")


def property_tests(
    text: str,
    requirements: Requirements,
    modules: Mapping[str, str],
    signatures: Sequence[str] = (),
    *,
    hypothesis: bool = False,
) -> list[TestCase]:
    """A test for each property that the task `text` states about what `requirements` name; few.

    `modules`: name -> statement that imports it. `signatures`: of functions that are there already, as code:
    `encode(text: str) -> str`. `hypothesis`: whether the project has it; else the values are written into the test.
    """
    cases: list[TestCase] = []
    for stated in stated_properties(text, requirements.symbols, signatures)[:_MOST_PROPERTIES]:
        imports = _imports(stated, requirements, modules)
        if imports is not None:
            name = re.sub(r"\W+", "_", requirements.symbols[0]).strip("_").lower()
            lines = _by_hypothesis(stated, imports) if hypothesis else _by_values(stated, imports)
            cases.append(TestCase(name=f"test_{name}_property_{len(cases) + 1}", lines=lines, origin="property"))
    return cases


def _by_values(stated: Property, imports: Sequence[str]) -> list[str]:
    """A loop over values that are the same every time. A value that is refused is no counterexample."""
    names = ", ".join(stated.variables)
    rows = values(list(stated.variables.values()), _TRIED)
    listed = f"[{', '.join(repr(row if len(row) > 1 else row[0]) for row in rows)}]"
    loop = f"for {names} in {listed}:\n    with suppress(ValueError):\n        assert {stated.left} == {stated.right}"
    return ["from contextlib import suppress", *imports, loop]


def _by_hypothesis(stated: Property, imports: Sequence[str]) -> list[str]:
    given = ", ".join(strategy(known) for known in stated.variables.values())
    body = (
        "@settings(database=None, deadline=None, derandomize=True)\n"
        f"@given({given})\n"
        f"def holds({', '.join(stated.variables)}):\n"
        f"    with suppress(ValueError):\n        assert {stated.left} == {stated.right}\n\n"
        "holds()"
    )
    more = ["from contextlib import suppress", "from hypothesis import given, settings"]
    return [*more, "from hypothesis import strategies as st", *imports, body]


def _imports(stated: Property, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Import lines for what both sides call; None when one of the names is unknown."""
    lines: list[str] = []
    for side in (stated.left, stated.right):
        for node in ast.walk(ast.parse(side, mode="eval")):
            if not isinstance(node, ast.Name) or node.id in stated.variables or hasattr(builtins, node.id):
                continue
            if node.id in modules:
                lines.append(modules[node.id])
            elif node.id in requirements.symbols:
                lines.append(f"from {requirements.module} import {node.id}")
            else:
                return None
    return list(dict.fromkeys(lines))
