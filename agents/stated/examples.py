"""Examples that a task states in its own words, found by code: `f(2)` returns `4`, `f(-1)` raises `ValueError`.

They are the strongest tests there are, since the owner wrote them, and they cost no tokens.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_BEFORE_CALL = re.compile(r"(?:\b(?:new|await)\s+)+$")
_NEW_VALUE = re.compile(r"new\s+[A-Za-z_$][\w.$]*(?=\()")
_CALL_HEAD = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*\(")
_CONNECTOR = re.compile(
    r"""[`*]*\s*(?:\#\s*)?(?:,\s*|:\s*)?(?:(?:should|must|will|shall|would|to)\s+)?
    (?:(?P<returns>returns?|gives?(?:\s+back)?|yields?|is|are|becomes?|produces?|equals?|evaluates\s+to|results?\s+in|
        [→⇒➞➔➜⟶⟹]|-{1,2}>|={1,2}>|==)
      |(?P<raises>raises?|throws?))
    \s*:?\s*(?:an?\s+)?(?:(?:list|tuple|dict|string|value|set)\s+(?=[`\[({'"]))?[`*]*\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_PLURAL = re.compile(r"\b(?:are|return|give|yield|produce|equal|become|evaluate|result|raise|throw)\b", re.IGNORECASE)
_AND = re.compile(r"[`*]*\s*(?:,\s*)?(?P<word>\b(?:and|or)\s)?\s*[`*]*", re.IGNORECASE)
_NAMED = re.compile(r"`(?:def )?([A-Za-z_]\w*)\(")
_INPUT = re.compile(
    r"^[ \t>*-]*input:?[ \t]*(?P<input>\S[^\n]*)\n"
    r"\s*[>*-]*[ \t]*(?:output|returns?|result):?[ \t]*(?P<output>\S[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_STRING = re.compile(r"""(?:[rbuRBU]{0,2})('''|\"\"\"|'|")""")
_ATOM = re.compile(r"-?(?:0[xob][\da-fA-F_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Example:
    """One stated example: `call` gives `expected` (a Python expression), or raises `raises`."""

    call: str
    expected: str | None = None
    raises: str | None = None
    setup: tuple[str, ...] = ()
    """Statements that come before the call (imports, assignments), in order."""
    as_text: bool = False
    """True when `expected` is what a prompt prints (`repr` of the value), not an expression."""


@dataclass(frozen=True)
class Dialect:
    """In which language calls and values of examples are written."""

    is_expression: Callable[[str], bool]
    values: frozenset[str]
    """Words that are values."""
    constructs: bool = False
    """`new` and `await` may stand before a call, and `throws` without the name of an error."""


def stated_examples(text: str) -> list[Example]:
    """All examples `text` states in Python, in order, each once. What cannot be read with certainty is left out."""
    found = [*_doctests(text), *sentences(_without_doctests(text), _PYTHON), *_inputs(text)]
    words = {"true": "True", "false": "False"}  # as other languages write them
    return list(dict.fromkeys(replace(each, expected=words.get(each.expected or "", each.expected)) for each in found))


def called_names(example: Example) -> list[str]:
    """Dotted names that the example calls, outermost first, builtins left out."""
    tree = ast.parse(example.call, mode="eval")
    names = [_dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [name for name in names if name and not hasattr(builtins, name)]


def called_methods(example: Example) -> list[str]:
    """Names of the methods that the example calls on values of other calls: `to_text` in `Table(rows).to_text()`."""
    calls = [node.func for node in ast.walk(ast.parse(example.call, mode="eval")) if isinstance(node, ast.Call)]
    return [func.attr for func in calls if isinstance(func, ast.Attribute) and not _dotted(func)]


def free_names(example: Example) -> set[str]:
    """Names an example needs from outside: not builtins, not set in its own lines."""
    source = "\n".join(
        [*example.setup, example.call, example.expected if example.expected and not example.as_text else ""]
    )
    used: set[str] = set()
    own: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            own.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
    if example.raises:
        used.add(example.raises.split(".")[0])
    return {name for name in used - own if not hasattr(builtins, name)}


def _doctests(text: str) -> Iterator[Example]:
    # A Markdown fence line would be read as part of the expected output.
    prose = re.sub(r"(?m)^[ \t]*```.*$", "", text)
    try:
        parsed = doctest.DocTestParser().get_examples(prose)
    except ValueError:
        return
    setup: list[str] = []
    for item in parsed:
        source = item.source.strip()
        if not _is_expression(source):
            if _parses(source):
                setup.append(source)
            continue
        if item.exc_msg is not None:
            yield Example(source, raises=item.exc_msg.split(":")[0].strip(), setup=tuple(setup))
        elif not item.want.strip():
            # Nothing is printed after it: `>>> f(2) == 4` can only mean that it holds.
            yield from _held(source, tuple(setup))
        elif want := item.want.strip():
            # Prose may follow without an empty line: take the first line if only that is a value.
            for candidate in (want, want.splitlines()[0]):
                if _is_literal(candidate):
                    yield Example(source, candidate, setup=tuple(setup))
                    break
            else:
                yield Example(source, want, setup=tuple(setup), as_text=True)


def _held(source: str, setup: tuple[str, ...]) -> Iterator[Example]:
    node = ast.parse(source, mode="eval").body
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.Is):
        yield Example(ast.unparse(node.left), ast.unparse(node.comparators[0]), setup=setup)


def _inputs(text: str) -> Iterator[Example]:
    """`Input: numbers = [1, 2], k = 1` and `Output: [2]` in the lines after it, of the first function that is named."""
    name = _NAMED.search(text)
    for match in _INPUT.finditer(text) if name else ():
        assert name is not None
        call, value = f"{name[1]}({match['input'].strip(' `')})", match["output"].strip(" `")
        if _is_expression(call) and _is_literal(value):
            yield Example(call, value)


def _without_doctests(text: str) -> str:
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(">>>"):
            inside = True
        elif not stripped or stripped.startswith("```"):
            inside = False
        lines.append("" if inside else line)
    return "\n".join(lines)


def sentences(text: str, dialect: Dialect) -> Iterator[Example]:
    """Examples in prose: a call, or several of which the same is said, words such as "returns", and a value."""
    position = 0
    others: list[str] = []
    together = False
    while head := _CALL_HEAD.search(text, position):
        end = _call_end(text, head.end() - 1)
        call = text[head.start() : end] if end else ""
        connector = _CONNECTOR.match(text, end) if end else None
        if connector and dialect.constructs and (before := _BEFORE_CALL.search(text, 0, head.start())):
            call = f"{before[0]}{call}"
        if not connector or not dialect.is_expression(call):
            listed = _AND.match(text, end) if end else None
            goes_on = listed and _CALL_HEAD.match(text, listed.end()) and dialect.is_expression(call)
            others = [*others, call] if goes_on else []
            together = bool(goes_on and listed and listed["word"])
            position = listed.end() if listed and goes_on else head.end()
            continue
        calls = [*others, call] if together and _PLURAL.search(connector[0]) else [call]
        position, others, together = connector.end(), [], False
        if connector["raises"]:
            name = _EXCEPTION.match(text, position)
            if name and name[0].rstrip(".")[:1].isupper():
                yield from (Example(each, raises=name[0].rstrip(".")) for each in calls)
            elif dialect.constructs:
                yield from (Example(each, raises="Error") for each in calls)
        elif (stop := _value_end(text, position, dialect)) and dialect.is_expression(value := text[position:stop]):
            yield from (Example(each, value) for each in calls)
            position = stop


def _call_end(text: str, opening: int) -> int | None:
    """Index after the call whose first parenthesis is at `opening`, with any `.name`, `[…]` or `(…)` that follows."""
    end = _balanced_end(text, opening)
    while end and end < len(text):
        if text[end] in "([":
            further = _balanced_end(text, end)
        elif attribute := re.match(r"\.[A-Za-z_]\w*", text[end:]):
            further = end + attribute.end()
        else:
            return end
        if not further:
            return end
        end = further
    return end


def _balanced_end(text: str, opening: int) -> int | None:
    closers = [_OPENING[text[opening]]]
    index = opening + 1
    while index < len(text) and closers:
        character = text[index]
        if character in "'\"":
            end = _string_end(text, index)
            if end is None:
                return None
            index = end
            continue
        if character in _OPENING:
            closers.append(_OPENING[character])
        elif character in ")]}" and character != closers.pop():
            return None
        index += 1
    return index if not closers else None


def _string_end(text: str, start: int) -> int | None:
    quote = text[start : start + 3] if text[start : start + 3] in ("'''", '"""') else text[start]
    index = start + len(quote)
    while index < len(text):
        if text[index] == "\\":
            index += 2
        elif text.startswith(quote, index):
            return index + len(quote)
        elif text[index] == "\n" and len(quote) == 1:
            return None
        else:
            index += 1
    return None


def _value_end(text: str, start: int, dialect: Dialect) -> int | None:
    """Index after the value that begins at `start`; None when no value begins there."""
    if start >= len(text):
        return None
    if dialect.constructs and (made := _NEW_VALUE.match(text, start)):
        return _call_end(text, made.end())
    if (string := _STRING.match(text, start)) and (end := _string_end(text, string.start(1))):
        return end
    if text[start] in _OPENING:
        return _balanced_end(text, start)
    atom = _ATOM.match(text, start)
    if not atom:
        return None
    end = atom.end()
    while text[end - 1] == ".":  # the full stop of the sentence
        end -= 1
    if end < len(text) and text[end] == "(":
        return _call_end(text, end)
    word = text[start:end]
    is_value = not word[0].isalpha() or word in dialect.values or "." in word
    return end if is_value else None


def _is_expression(source: str) -> bool:
    try:
        ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return bool(source.strip())


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _is_literal(source: str) -> bool:
    try:
        ast.literal_eval(source)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


_PYTHON = Dialect(_is_expression, frozenset({"True", "False", "None", "true", "false"}))
