"""Twins of JavaScript and TypeScript tests: `test` and `it` of node:test, Vitest and Jest, by `expect` or `assert`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from testing.controls.twins import MOST_FALSE, SHOWN, Twins, word
from testing.frameworks.declared_tests import javascript_tests

_FUNCTIONS = {"arrow_function", "function_expression", "function_declaration", "method_definition", "class_body"}
_ENDS = {"return_statement", "yield_expression", "throw_statement"}
_EQUAL = {"toBe", "toEqual", "toStrictEqual"}
_ASSERTS_EQUAL = {"equal", "strictEqual", "deepEqual", "deepStrictEqual"}
_BY_NAME = re.compile(rb"[sS]napshot|currentTestName|task\.name|context\.name|\bt\.name")
"""What lets a test lean on its own name."""
_OTHER = 'Symbol("something else")'


@dataclass(frozen=True)
class Edit:
    """A piece of the text between two bytes, and what stands there instead."""

    start: int
    end: int
    text: bytes


def javascript_twins(path: str, text: str, wanted: Collection[str], *, renamed: bool, most: int) -> Twins | None:
    """As `twins_of`."""
    source = text.encode()
    chosen = [
        (titles, node)
        for titles, node in javascript_tests(text, path)
        if f"{path}::{' > '.join(titles)}" in wanted and node.parent and node.parent.type == "expression_statement"
    ]
    if not chosen or (renamed and _BY_NAME.search(source)):
        return None
    made, edits, left = Twins(""), list[Edit](), MOST_FALSE
    for titles, node in chosen:
        *suites, _ = titles
        test_id = f"{path}::{' > '.join(titles)}"
        claims = _changes(node)
        drawn = random.SystemRandom().sample(claims, min(left, most if renamed else 1, len(claims)))
        left -= len(drawn)
        copies = [("", None), *drawn] if renamed else drawn
        pieces: list[bytes] = []
        for claim, change in random.SystemRandom().sample(copies, len(copies)):
            title = word()
            twin_id = f"{path}::{' > '.join([*suites, title])}" if renamed else test_id
            changes = [] if change is None else [change]
            if renamed:
                changes.append(_titled(node, title))
            pieces.append(edited(source[node.start_byte : node.end_byte], changes, node.start_byte))
            if change is None:
                made.true[twin_id] = test_id
            else:
                made.false[twin_id] = claim[:SHOWN]
                made.of[twin_id] = test_id
        if pieces:
            edits.append(Edit(node.start_byte, node.end_byte, b";\n".join(pieces)))
    made.text = edited(source, edits, 0).decode()
    return made


def edited(text: bytes, edits: Collection[Edit], start: int) -> bytes:
    """`text`, which begins at the byte `start`, with these changes."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start - start] + edit.text + text[edit.end - start :]
    return text


def _titled(test: Node, title: str) -> Edit:
    arguments = test.child_by_field_name("arguments")
    assert arguments is not None
    old = arguments.named_children[0]
    return Edit(old.start_byte, old.end_byte, json.dumps(title).encode())


def _changes(test: Node) -> list[tuple[str, Edit]]:
    """The assertions of a test that surely run, each with what makes it false."""
    arguments = test.child_by_field_name("arguments")
    assert arguments is not None
    function = arguments.named_children[-1]
    body, parameters = function.child_by_field_name("body"), function.child_by_field_name("parameters")
    if function.type not in _FUNCTIONS or body is None or (parameters and parameters.named_children):
        return []  # one that is given `done`, or a context, may end in another way
    found: list[tuple[str, Edit]] = []
    for statement in body.named_children if body.type == "statement_block" else [body]:
        if any(node.type in _ENDS or _text(node).endswith(".skip") for node in _own_nodes(statement)):
            break
        expression = statement.named_children[0] if statement.type == "expression_statement" else statement
        awaited = expression.type == "await_expression"
        call = expression.named_children[0] if awaited else expression
        if call.type == "call_expression" and (change := _false(call, awaited)):
            found.append((_text(statement).partition("\n")[0], change))
    return found


def _own_nodes(node: Node) -> Iterator[Node]:
    yield node
    if node.type not in _FUNCTIONS:
        for child in node.named_children:
            yield from _own_nodes(child)


def _false(call: Node, awaited: bool) -> Edit | None:
    """What makes the assertion `call` false; None if it is none that is known."""
    function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if function is None or arguments is None:
        return None
    given = arguments.named_children
    if function.type == "identifier" and _text(function) == "assert" and given:
        return _negated(given[0])
    if function.type != "member_expression":
        return None
    owner, name = function.child_by_field_name("object"), function.child_by_field_name("property")
    if owner is None or name is None:
        return None
    if _text(owner) == "assert":
        return _false_assert(_text(name), name, given)
    chain = _text(owner)
    if not chain.startswith("expect(") or (re.search(r"\.(?:resolves|rejects)\b", chain) and not awaited):
        return None
    if chain.endswith(".not"):
        return Edit(owner.end_byte - len(b".not"), owner.end_byte, b"")
    if _text(name) in _EQUAL and len(given) == 1:
        return _other(given[0])
    return Edit(owner.end_byte, owner.end_byte, b".not")


def _false_assert(name: str, place: Node, given: list[Node]) -> Edit | None:
    if name in _ASSERTS_EQUAL and len(given) > 1:
        return _other(given[1])
    if name == "ok" and given:
        return _negated(given[0])
    opposites = {"throws": "doesNotThrow", "doesNotThrow": "throws", "match": "doesNotMatch", "doesNotMatch": "match"}
    if name in opposites:
        return Edit(place.start_byte, place.end_byte, opposites[name].encode())
    return None


def _negated(node: Node) -> Edit:
    return Edit(node.start_byte, node.end_byte, f"!({_text(node)})".encode())


def _other(node: Node) -> Edit:
    """Another value in the place of an expression; a plain one where that is plain."""
    written, chance = _text(node), random.SystemRandom()
    match node.type:
        case "number" if re.fullmatch(r"\d+(?:\.\d+)?", written):
            other = f"({written} + 1)" if "." in written else str(int(written) + chance.choice((1, 2, 3, 10)))
        case "string":
            other = written[0] + chance.choice("aeionrst") + written[1:]
        case "true" | "false":
            other = "false" if written == "true" else "true"
        case "array":
            other = f'[...{written}, "something else"]'
        case "object":
            other = f'{{...{written}, other: "something else"}}'
        case _:
            other = _OTHER
    return Edit(node.start_byte, node.end_byte, other.encode())


def _text(node: Node) -> str:
    return (node.text or b"").decode()
