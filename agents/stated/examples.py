"""Examples that a task states in its own words, found by code: `f(2)` returns `4`, `f(-1)` raises `ValueError`.

They are the strongest tests there are, since the owner wrote them, and they cost no tokens.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from agents.stated.complaints import ReadValue, Wanted, complaint, label_before, reported, wanted_after
from agents.stated.scanning import OPENING, balanced_end, call_end, calmed, string_end

_BEFORE_CALL = re.compile(r"(?:\b(?:new|await)\s+)+$")
_NEW_VALUE = re.compile(r"new\s+[A-Za-z_$][\w.$]*(?=\()")
_CALL_HEAD = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*\(")
_CONNECTOR = re.compile(
    r"""[`*]*\s*(?:(?:in|from|of)\s+(?:the\s+)?(?:file\s+|module\s+)?(?:`[\w./-]+`|[\w./-]+\.(?:py|[cm]?[jt]sx?))\s+)?
    (?:\#\s*)?(?:,\s*|:\s*)?
    (?:(?P<wish>should|must|shall|to|ought\s+to|ha(?:s|ve)\s+to|needs?\s+to|(?:is|are)\s+(?:supposed|expected|meant)\s+to)\s+
      |(?P<perhaps>will|would)\s+)?
    (?:(?P<returns>(?:returns?|be|gives?(?:\s+back)?|yields?|is|are|becomes?|produces?|equals?|evaluates\s+to|results?\s+in)\b
        |[→⇒➞➔➜⟶⟹]|-{1,2}>|={1,2}>|==)
      |(?P<raises>(?:raises?|throws?)\b))
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
_NEAR, _NEAR_LINES = 1000, 60
"""Characters, and lines, in which the words about a call stand."""
_MOST_CALLS, _MOST_PROMPTS = 600, 200
"""Calls that are looked at."""
_ASKED = re.compile(r"\b(?:does|do|did|doesn't|don't|didn't)(?:\s+not)?\s+[`*]*$", re.IGNORECASE)
_COMMENT = re.compile(r"#\s*([^'\"\n]*)$", re.MULTILINE)
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
    text = calmed(text)
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
    lines = prose.splitlines(keepends=True)
    for item in parsed[:_MOST_PROMPTS]:
        source = item.source.strip()
        plain = _COMMENT.sub("", source).strip()
        source = plain if _is_expression(plain) else source
        if not _is_expression(source):
            if _parses(source):
                setup.append(source)
            continue
        if (wanted := _complaint_of_session(lines, item)) is not None:
            if wanted.raises or _is_expression(wanted.value or ""):
                yield Example(source, wanted.value, wanted.raises, setup=tuple(setup))
        elif item.exc_msg is not None:
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


def _complaint_of_session(lines: Sequence[str], item: doctest.Example) -> Wanted | None:
    """What is wanted where a session shows what is printed today; None where it shows what is wanted.

    `# should be 3` behind the call or the value, `(should be 3)` on the next line, or words below or above say so.
    """
    printed = item.lineno + item.source.count("\n")
    above, below = lines[max(0, item.lineno - _NEAR_LINES) : item.lineno], lines[printed : printed + _NEAR_LINES]
    block, after = "".join(above)[-_NEAR:], "".join(below)[:_NEAR]
    comment = _COMMENT.search(item.source)
    given = item.exc_msg or item.want
    value = (
        _value_end(after, len(after) - len(after.lstrip()), _PYTHON) if item.exc_msg is None and given.strip() else None
    )
    end = value if value is not None else len("".join(lines[printed : printed + item.want.count("\n")]))
    read: ReadValue = partial(_value_of, _PYTHON)
    if comment:
        told = f"0 {comment[1]}"
        if (found := complaint(told, 0, (0, 1), read, wish=False, raises=False, stop=len(told))) is not None:
            return found
    before = block.rstrip().rpartition("\n")[2]
    if before.lstrip().startswith((">>>", "...")):
        before = ""
    told = f"{before if before.rstrip().endswith(':') else ''}\n"
    whole = told + after
    if label_before(block, len(block)) == "today":
        return wanted_after(after, end, len(after), read) or Wanted()
    return complaint(
        whole, len(told), (len(told), len(told) + end), read, wish=False, raises=item.exc_msg is not None,
        stop=len(told) + _next_example(after, end, _PYTHON),
    )  # fmt: skip


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
        read: ReadValue = partial(_value_of, _PYTHON)
        if wanted := wanted_after(text, match.end(), len(text), read):
            value = wanted.value or ""
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
    read: ReadValue = partial(_value_of, dialect)
    position = 0
    others: list[str] = []
    together = False
    for _ in range(_MOST_CALLS):
        if (head := _CALL_HEAD.search(text, position)) is None:
            return
        end = call_end(text, head.end() - 1)
        call = text[head.start() : end] if end else ""
        connector = _CONNECTOR.match(text, end) if end else None
        if connector and dialect.constructs and (before := _BEFORE_CALL.search(text, 0, head.start())):
            call = f"{before[0]}{call}"
        if not connector or not dialect.is_expression(call):
            listed = _AND.match(text, end) if end else None
            goes_on = listed and _CALL_HEAD.match(text, listed.end()) and dialect.is_expression(call)
            others = [*others, call] if goes_on else []
            if end and not goes_on and dialect.is_expression(call):
                wanted = reported(text, end, _next_example(text, end, dialect), read)
                if wanted and (wanted.raises or dialect.is_expression(wanted.value or "")):
                    yield Example(call, wanted.value, wanted.raises)
            together = bool(goes_on and listed and listed["word"])
            position = listed.end() if listed and goes_on else head.end()
            continue
        calls = [*others, call] if together and _PLURAL.search(connector[0]) else [call]
        bare = (
            len(calls) == 1 and bool(_PLURAL.search(connector[0])) and not connector[0].strip(" `*").startswith("are")
        )
        wish = True if connector["wish"] or bare else None if connector["perhaps"] else False
        position, others, together = connector.end(), [], False
        if bare and _ASKED.search(text, max(0, head.start() - 20), head.start()):
            continue
        raises, value, stop = None, None, None
        if connector["raises"]:
            name = _EXCEPTION.match(text, position)
            if name and name[0].rstrip(".")[:1].isupper():
                raises, stop = name[0].rstrip("."), name.end() - len(name[0]) + len(name[0].rstrip("."))
            elif dialect.constructs:
                raises, stop = "Error", position
        elif (stop := _value_end(text, position, dialect)) and dialect.is_expression(text[position:stop]):
            value = text[position:stop]
        if stop is None or (raises is None and value is None):
            continue
        wanted = complaint(
            text, head.start(), (position, stop), read, wish=wish, raises=raises is not None,
            stop=_next_example(text, stop, dialect),
        )  # fmt: skip
        if wanted is not None:
            raises, value = wanted.raises, wanted.value
        if raises or (value and dialect.is_expression(value)):
            yield from (Example(each, None if raises else value, raises) for each in calls)
        position = position if connector["raises"] else stop


def _value_of(dialect: Dialect, text: str, start: int) -> int | None:
    return _value_end(text, start, dialect)


def _next_example(text: str, start: int, dialect: Dialect) -> int:
    """Where the next call of which something is said begins."""
    near = text[start : start + _NEAR]
    for head in _CALL_HEAD.finditer(near):
        end = call_end(near, head.end() - 1)
        if end and dialect.is_expression(near[head.start() : end]) and _CONNECTOR.match(near, end):
            return start + head.start()
    return start + len(near)


def _value_end(text: str, start: int, dialect: Dialect) -> int | None:
    """Index after the value that begins at `start`; None when no value begins there."""
    if start >= len(text):
        return None
    if dialect.constructs and (made := _NEW_VALUE.match(text, start)):
        return call_end(text, made.end())
    if (string := _STRING.match(text, start)) and (end := string_end(text, string.start(1))):
        return end
    if text[start] in OPENING:
        return balanced_end(text, start)
    atom = _ATOM.match(text, start)
    if not atom:
        return None
    end = atom.end()
    while text[end - 1] == ".":  # the full stop of the sentence
        end -= 1
    if end < len(text) and text[end] == "(":
        return call_end(text, end)
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
