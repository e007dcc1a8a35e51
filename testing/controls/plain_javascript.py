"""What JavaScript tests call and what they claim of it, as a plain program of node's tells it.

The program is the test file without its frameworks: each assertion that compares with a plain value becomes a call that
tells the other side, and the value it expects stays here. So the code under test has no test file to read, no framework
to look for or to change, and no `require.cache` that shows one.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tree_sitter import Node

from testing import measuring
from testing.controls.javascript import Edit, edited
from testing.controls.twins import SHOWN, word
from testing.frameworks.declared_tests import javascript_tests

_FRAMEWORKS = re.compile(r"(?:node:)?test|vitest|@jest/globals|(?:node:)?assert(?:/strict)?|chai|mocha")
_UNFIT = re.compile(
    r"\b(?:vi|jest|mock|sinon)\.|\bmock\b|import\.meta|__(?:dirname|filename)\b|\bdocument\b|\bwindow\b|[sS]napshot|\bdone\b"
)
_EQUAL = {"toBe", "toEqual", "toStrictEqual"}
_ASSERTS_EQUAL = {"equal", "strictEqual", "deepEqual", "deepStrictEqual"}
_TESTS = re.compile(r"tests?|__tests__|specs?|unittests?")
_LOOSE = re.compile(r"assert\.(?:equal|deepEqual)\b")
_NAMES = ("test", "it", "describe", "suite", "before", "beforeAll", "beforeEach", "after", "afterAll", "afterEach")
_OF_NODE = re.compile(r"ERR_(?:MODULE|UNKNOWN|UNSUPPORTED|REQUIRE)|MODULE_NOT_FOUND|ReferenceError|SyntaxError")
"""Errors that come of the program, or of the machine."""
_OF_BROWSER = re.compile(r"\b(?:document|window|navigator|location|\w+Storage|HTML\w+|Element|Node) is not defined")
_FEW = 5
"""Runs after which something that keeps a state has changed."""
_NO_START = re.compile(r"ERR_[A-Z]|ReferenceError|SyntaxError|Cannot find")


@dataclass
class PlainJavaScript:
    """A program that does what a test file does."""

    name: str
    """Its path: not in a folder of tests."""
    text: str
    mark: str
    """Begins each line that it tells something in."""
    claims: list[tuple[str, Any, bool]] = field(default_factory=list)
    """An assertion as it stands there, the value that it expects, and whether it converts what it compares."""
    own: list[tuple[str, set[int]]] = field(default_factory=list)
    """The title of each test, and its claims that no condition is before: it has to come to one of them."""


def plain_javascript(path: str, text: str, wanted: Collection[str]) -> PlainJavaScript | None:
    """The test file as a plain program; None if it cannot be one. One that claims nothing of a plain value tells what
    the code has replaced, and no more."""
    source, suffix = text.encode(), PurePosixPath(path).suffix
    if suffix not in (".js", ".mjs", ".cjs") or _UNFIT.search(text):
        return None
    tests = [node for titles, node in javascript_tests(text, path) if f"{path}::{' > '.join(titles)}" in wanted]
    if not tests:
        return None
    root = tests[0]
    while root.parent is not None:
        root = root.parent
    is_module = any(node.type == "import_statement" for node in root.children)
    ending = ".mjs" if is_module else ".cjs"
    place = _place(path)
    made = PlainJavaScript(str(place / f"{word()}{ending}"), "", word())
    way = os.path.relpath(PurePosixPath(path).parent, place)
    edits = [edit for node in root.children if node.type == "import_statement" for edit in _imported(node, way)]
    edits += _required(root, way)
    is_strict = re.search(r"assert/strict|\.strict\b", text) is not None
    for test in tests:
        sure: set[int] = set()
        is_early = re.search(r"\bif\b[^;]*\breturn\b", _text(test)) is not None
        made.own.append((_text(test).partition("\n")[0][:SHOWN], sure))
        for call, side, expected in _claims(test):
            number = len(made.claims)
            if not (is_early or _is_conditional(call, test)):
                sure.add(number)
            head, begin, end, tail = _twice(side, number)
            edits.append(Edit(call.start_byte, begin, f"__given.told({number}, {head}".encode()))
            edits.append(Edit(end, call.end_byte, f"{tail})".encode()))
            is_loose = not is_strict and _LOOSE.match(_text(call)) is not None  # `3` and `"3"` are equal to it
            made.claims.append((_text(call).partition("\n")[0][:SHOWN], expected, is_loose))
    head = (Path(str(measuring.__file__)).parent / "plainly.mjs").read_text("utf-8")
    system = '(await import("node:fs"))' if is_module else 'require("node:fs")'
    hooks = system.replace("node:fs", "node:async_hooks")
    head = head.replace("(FS, HOOKS, FILE, WORD)", f"({system}, {hooks}, process.argv[1], {json.dumps(made.mark)})")
    declared = _declared(root)
    names = ", ".join(name for name in (*_NAMES, "expect", "assert") if name not in declared)
    made.text = f"{head}const {{ {names} }} = __given;\n{edited(source, edits, 0).decode()}\n__given.go();\n"
    return made


def wrong_of(program: PlainJavaScript, output: str) -> tuple[list[str], str]:
    """What is wrong in what a program printed; and, if nothing is, what was right at first only."""
    try:
        return _wrong_of(program, output)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        return ["what the program tells cannot be read"], ""


def _wrong_of(program: PlainJavaScript, output: str) -> tuple[list[str], str]:
    begin = f"{program.mark} "
    found: list[dict[str, Any]] = [
        json.loads(line.removeprefix(begin)) for line in output.splitlines() if line.startswith(begin)
    ]
    errors = [each for each in found if "error" in each]
    if any(_is_of_program(each) for each in errors):
        return [], ""
    of_tests = program.text.partition("= __given;\n")[2]  # which may replace what they like
    changed = [str(each["changed"]) for each in found if "changed" in each]
    replaced = [
        f"{name} of the language's is replaced"
        for name in changed
        if not re.search(rf"{re.escape(name)}\s*=(?!=)", of_tests)
    ]
    if not program.claims:
        return replaced[:1], ""
    wrong = [
        *_false(program, found),
        *replaced[:1],
        *(f"the program ends with {each.get('said')}"[:SHOWN] for each in errors),
    ]
    if not errors and any("ended" in each for each in found):
        reached = {each.get("claim") for each in found}
        wrong += [
            f"{title}: it comes to none of its assertions" for title, own in program.own if own and not own & reached
        ]
    if not any("ended" in each for each in found):
        return ([], "") if _NO_START.search(output) else ([*wrong, "the program does not come to its end"], "")
    for each in found:
        if "twice" in each:
            text, *_ = program.claims[each["twice"]]
            return wrong, f"{text}: when it is asked again it gives {json.dumps(each['value'])[:SHOWN]}"
        if "later" in each:
            return wrong, "what it gave at first was changed later by a timer"
    later = next((each for each in found if each.get("again", 0) > 0), {})
    again = _false(program, later["found"]) if later.get("again", 0) >= _FEW else []
    return wrong, f"{again[0]} (after {later['again']} runs that were right)" if again else ""


def _is_of_program(error: Mapping[str, Any]) -> bool:
    """Whether an error comes of what a plain program does not have, and not of the project's code."""
    return bool(_OF_BROWSER.search(str(error["said"])) or (_OF_NODE.match(str(error["error"])) and not error["others"]))


def _false(program: PlainJavaScript, found: Sequence[Mapping[str, Any]]) -> list[str]:
    wrong = []
    for each in found:
        if (number := each.get("claim", -1)) >= 0:
            text, expected, is_loose = program.claims[number]
            told = _converted(each["value"], expected) if is_loose else each["value"]
            if is_loose and told == ["object", "of the language"]:
                continue
            if (holds := _same(told, expected)) is False:
                wrong.append(f"{text}: it gives {json.dumps(each['value'])[:SHOWN]}")
            elif holds is None and not isinstance(expected, list | dict):
                wrong.append(f"{text}: it gives an object, no plain value")
    return wrong


def _same(told: Any, expected: Any) -> bool | None:
    """Whether a told value is the expected one; None if that is up to an object."""
    kind, content = told
    match expected:
        case _ if kind == "object":
            return None
        case None:
            return bool(kind == "null")
        case bool():
            return bool(kind == "boolean" and content == str(expected).lower())
        case int() | float():
            return bool(kind == "number" and float(content) == expected)
        case str():
            return bool(kind == "string" and content == expected)
        case list():
            if kind != "array" or len(content) != len(expected):
                return False
            return _all(_same(one, other) for one, other in zip(content, expected, strict=True))
        case dict():
            if kind != "dict":
                return False
            parts = {key: value for key, value in content if value[0] != "undefined"}
            return parts.keys() == expected.keys() and _all(_same(parts[key], expected[key]) for key in expected)
    return None


def _converted(told: Any, expected: Any) -> Any:
    """A told primitive as `==` converts it for comparison with another one; parts of others are left as they are."""
    kind, content = told
    match expected:
        case bool() | int() | float() if kind == "string" and re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", content):
            return ["number", content]
        case int() | float() if kind == "boolean":
            return ["number", str(int(content == "true"))]
        case None if kind == "undefined":
            return ["null", ""]
        case str() if kind == "number" and re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", expected):
            return ["string", expected] if float(content) == float(expected) else told
        case list() | dict():
            return ["object", "parts that may be converted"]
    return told


def _all(holds: Iterator[bool | None]) -> bool | None:
    found = [*holds]
    return False if False in found else None if None in found else True


# ---- the text


def _place(path: str) -> PurePosixPath:
    """The folder of a test file, or that above the folder of tests which it lies in."""
    parts = PurePosixPath(path).parent.parts
    first = next((n for n, part in enumerate(parts) if _TESTS.fullmatch(part)), len(parts))
    return PurePosixPath(*parts[:first])


def _from(way: str, module: str) -> str:
    """A relative module as it is found from another folder."""
    return f"./{os.path.normpath(f'{way}/{module}')}" if module.startswith(".") else module


def _imported(node: Node, way: str) -> Iterator[Edit]:
    """An import as a call, so that nothing is loaded before the program's own beginning."""
    source = node.child_by_field_name("source")
    module = _text(source)[1:-1] if source else ""
    clause = next((child for child in node.named_children if child.type == "import_clause"), None)
    given = "__given" if _FRAMEWORKS.fullmatch(module) else f"(await import({json.dumps(_from(way, module))}))"
    if given == "__given":
        given = "__given.assert" if "assert" in module else "__given"
    lines = [] if clause else [f"{given};"]
    for part in clause.named_children if clause else []:
        match part.type:
            case "identifier":
                what = ("" if "assert" in given else ".test") if given.startswith("__given") else ".default"
                lines.append(f"const {_text(part)} = {given}{what};")
            case "namespace_import":
                lines.append(f"const {_text(part.named_children[0])} = {given};")
            case _:
                names = re.sub(r"\bas\b", ":", _text(part).strip("{} \n"))
                lines.append(f"const {{ {names} }} = {given};")
    yield Edit(node.start_byte, node.end_byte, " ".join(lines).encode())


def _required(node: Node, way: str) -> Iterator[Edit]:
    if node.type == "call_expression" and _text(node.child_by_field_name("function")) in ("require", "import"):
        found = re.fullmatch(r"(require|import)\(\s*['\"]([^'\"]+)['\"]\s*\)", _text(node))
        if found and _FRAMEWORKS.fullmatch(found[2]):
            given = "__given.assert" if "assert" in found[2] else "__given.test"
            yield Edit(node.start_byte, node.end_byte, given.encode())
        elif found:
            yield Edit(node.start_byte, node.end_byte, f"{found[1]}({json.dumps(_from(way, found[2]))})".encode())
        return
    for child in node.named_children:
        yield from _required(child, way)


def _declared(root: Node) -> set[str]:
    """Names of the file's own, on its first level."""
    lines = [_text(node) for node in root.children if node.type in ("import_statement", "lexical_declaration",
             "variable_declaration", "function_declaration", "class_declaration")]  # fmt: skip
    heads = [re.split(r"=\s*(?!>)|\bfrom\b|\(", line, maxsplit=1)[0] for line in lines]
    return {name for head in heads for name in re.findall(r"[A-Za-z_$][\w$]*", head)}


def _claims(node: Node) -> Iterator[tuple[Node, Node, Any]]:
    """Calls that compare with a plain value: the call, the other side, and the value."""
    if node.type == "call_expression" and (found := _claim(node)):
        yield (node, *found)
        return
    for child in node.named_children:
        yield from _claims(child)


def _is_conditional(node: Node, test: Node) -> bool:
    """Whether it is up to a condition, or to an error that is expected, whether it is reached."""
    above = node.parent
    while above is not None and above != test:
        if above.type in ("if_statement", "switch_statement", "ternary_expression", "binary_expression"):
            return True
        if above.type == "call_expression" and re.search(
            r"[tT]hrow|reject", _text(above.child_by_field_name("function"))
        ):
            return True
        above = above.parent
    return False


def _claim(call: Node) -> tuple[Node, Any] | None:
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or arguments is None:
        return None
    given, name = arguments.named_children, _text(function)
    if name.startswith("assert.") and name.removeprefix("assert.") in _ASSERTS_EQUAL and len(given) > 1:
        return _sides(given[0], given[1])
    owner, last = function.child_by_field_name("object"), function.child_by_field_name("property")
    if owner is not None and owner.type == "call_expression" and _text(last) in _EQUAL and len(given) == 1:
        asked = owner.child_by_field_name("arguments")
        if _text(owner.child_by_field_name("function")) == "expect" and asked and len(asked.named_children) == 1:
            return _sides(asked.named_children[0], given[0])
    return None


def _twice(side: Node, number: int) -> tuple[str, int, int, str]:
    """How a side is asked for twice: what stands before and behind it, and where it begins and ends."""
    owner, name = side.child_by_field_name("object"), side.child_by_field_name("property")
    is_property = (
        owner is not None and owner.type != "super" and name is not None and name.type == "property_identifier"
    )
    if owner is not None and is_property and "?." not in _text(side):
        return f"__given.read({number}, ", owner.start_byte, owner.end_byte, f", {json.dumps(_text(name))})"
    if side.type == "await_expression" and (awaited := side.named_children):
        return f"await __given.awaitTwice({number}, ", awaited[0].start_byte, awaited[0].end_byte, ")"
    return "", side.start_byte, side.end_byte, ""


def _sides(side: Node, expected: Node) -> tuple[Node, Any] | None:
    try:
        return side, _plain(expected)
    except (ValueError, SyntaxError):
        return None


def _plain(node: Node) -> Any:
    """The value that is written there. Raises ValueError for any other."""
    written = _text(node)
    match node.type:
        case "true" | "false":
            return written == "true"
        case "null":
            return None
        case "number" if re.fullmatch(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", written):
            return float(written)
        case "unary_expression" if written.startswith("-"):
            return -_plain(node.named_children[0])
        case "string" if "\\" not in written:
            return ast.literal_eval(written)
        case "array":
            return [_plain(child) for child in node.named_children]
        case "object":
            return dict(map(_pair, node.named_children))
    raise ValueError(node.type)


def _pair(node: Node) -> tuple[str, Any]:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if node.type != "pair" or key is None or value is None or key.type not in ("property_identifier", "string"):
        raise ValueError(node.type)
    return _text(key).strip("\"'"), _plain(value)


def _text(node: Node | None) -> str:
    return (node.text or b"").decode() if node else ""


def programs_of(texts: Mapping[str, str], wanted: Collection[str]) -> list[PlainJavaScript]:
    """Those of test files, by path, that can be plain programs."""
    return [made for path, text in texts.items() if (made := plain_javascript(path, text, wanted))]
