"""Twins of Python tests, for pytest and unittest.

Only of assertions that surely run is a false twin made: those in the test's own body or in a plain `with`, before
anything that may end the test. The rule, and what twins catch, were measured beforehand on six libraries and 28 cheats:
on honest code no false alarm in 527 such tests.
"""

from __future__ import annotations

import ast
import copy
import inspect
import random
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from testing.controls.twins import MOST_FALSE, SHOWN, Twins, word
from testing.frameworks.framework import NOT_PYTHON

_CLAIMS = re.compile(
    r"(?i)assert|raises|warns|check|expect|verif|ensure|fail|should|match|compare|approv|snapshot|golden"
)
"""In names of what makes a claim."""
NO_VALUE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_ENDS = {"skip", "xfail", "importorskip", "skipTest", "exit", "_exit", "fail"}
"""Calls that may end a test before an assertion."""
_LENIENT = {"suppress", "subTest", "test", "warns", "deprecated_call", "assertWarns", "assertLogs", "assertNoLogs"}
"""Contexts that take an error for themselves."""
_RAISES = {"raises", "assertRaises", "assertRaisesRegex"}
_OPPOSITES = {
    "assertTrue": "assertFalse",
    "assertIs": "assertIsNot",
    "assertIn": "assertNotIn",
    "assertIsNone": "assertIsNotNone",
    "assertIsInstance": "assertNotIsInstance",
    "assertRegex": "assertNotRegex",
    "assertAlmostEqual": "assertNotAlmostEqual",
    "assertLess": "assertGreaterEqual",
    "assertGreater": "assertLessEqual",
}
_OPPOSITE = _OPPOSITES | {other: name for name, other in _OPPOSITES.items()} | {"assertNotEqual": "assertEqual"}
_EQUAL = re.compile(r"assert(?:Equals?|\w+Equal)$")
_BY_NAME = re.compile(
    r"snapshot|request\.node|__name__|__qualname__|data_regression|file_regression|\bdependency\b|approvals"
)
"""What lets a test lean on its own name, or on that of another."""


def python_twins(path: str, text: str, wanted: Collection[str], *, renamed: bool, most: int) -> Twins | None:
    """As `twins_of`."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return None
    found = {id_of(path, owner, node.name): (owner, node) for owner, node in functions(module)}  # the last of a name
    chosen = [found[test_id] for test_id in found if test_id in wanted]
    if not chosen or (renamed and _names_matter(module, text, {node.name for _, node in chosen})):
        return None
    near = f"_{word()}"
    made, left = Twins(""), MOST_FALSE
    mixed: dict[ast.ClassDef | None, list[tuple[ast.stmt, bool]]] = {}
    for owner, node in chosen:
        body = module.body if owner is None else owner.body
        test_id = id_of(path, owner, node.name)
        falses = list(
            _false_twins(node, near, min(left, 1 if not renamed else min(most, 1) if _is_slow(node) else most))
        )
        left -= len(falses)
        twins = mixed.setdefault(owner, [])
        if renamed:
            true = copy.deepcopy(node)
            true.name = _new_name(node.name)
            made.true[id_of(path, owner, true.name)] = test_id
            twins.append((true, True))
        for claim, false in falses:
            false.name = _new_name(node.name) if renamed else node.name
            made.false[id_of(path, owner, false.name)] = claim
            made.of[id_of(path, owner, false.name)] = test_id
            twins.append((false, False))
        if renamed or falses:
            # Nothing they need is defined later than behind the last of them; `_mix` takes the others away.
            body[body.index(node)] = ast.Pass()
    for owner, twins in mixed.items():
        _mix(module.body if owner is None else owner.body, twins)
    source = re.sub(rf"\b{near_value.__name__}\b", near, inspect.getsource(near_value))
    maker = ast.parse(source).body[0]
    assert isinstance(maker, ast.FunctionDef)
    maker.args.args[0].annotation = maker.returns = None
    module.body.insert(_after_imports(module), maker)
    made.text = ast.unparse(ast.fix_missing_locations(module)) + "\n"
    return made


def _mix(body: list[ast.stmt], twins: list[tuple[ast.stmt, bool]]) -> None:
    """Put twins, each with whether it is true, in the place of the last test, in any order; a false one is the first,
    so that no true one is the first that calls."""
    if not twins:
        return
    random.SystemRandom().shuffle(twins)
    first = next((number for number, (_, is_true) in enumerate(twins) if not is_true), 0)
    twins.insert(0, twins.pop(first))
    last = max(place for place, statement in enumerate(body) if isinstance(statement, ast.Pass))
    body[last + 1 : last + 1] = [twin for twin, _ in twins]


def near_value(value: Any) -> Any:
    """Something else of the same kind; an object that equals nothing if that is not known. It is copied into tests."""
    import random  # a copy has no other imports; and the state of the shared generator is the tests'

    chance, kind = random.SystemRandom(), type(value)
    if kind is bool:
        return not value
    if kind in (int, float, complex):
        other = value + chance.choice((1, 2, 3, 10))
        return other if other != value else kind(0)
    if kind is str:
        place = chance.randrange(len(value) + 1)
        old = value[place : place + 1]
        letter = chance.choice([letter for letter in "aeionrst" if letter != old.casefold()])  # no other case alone
        return value[:place] + letter + value[place + 1 :]
    if kind is bytes:
        return value + b"a"
    if kind in (list, tuple) and value:
        place = chance.randrange(len(value))
        return value[:place] + kind([near_value(value[place])]) + value[place + 1 :]
    if kind is dict and value:
        key = chance.choice(list(value))
        return {**value, key: near_value(value[key])}
    if kind in (set, frozenset):
        return value | {"something else"}
    empty: dict[Any, Any] = {list: [0], tuple: (0,), dict: {0: 0}}
    return empty.get(kind) or object()


def functions(module: ast.Module) -> Iterator[tuple[ast.ClassDef | None, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in module.body:
        if isinstance(node, FUNCTIONS):
            yield None, node
        elif isinstance(node, ast.ClassDef):
            yield from ((node, child) for child in node.body if isinstance(child, FUNCTIONS))


def id_of(path: str, owner: ast.ClassDef | None, name: str) -> str:
    return f"{path}::{owner.name}::{name}" if owner else f"{path}::{name}"


def _new_name(name: str) -> str:
    return f"{name.partition('_')[0]}_{word()}" if "_" in name else f"test_{word()}"


def _names_matter(module: ast.Module, text: str, names: Collection[str]) -> bool:
    """Whether a test is used by its name, or the file holds what looks at names."""
    if _BY_NAME.search(text):
        return True
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name) if name in names:
                return True
    return False


def _after_imports(module: ast.Module) -> int:
    """Behind a docstring and `from __future__` lines."""
    for place, node in enumerate(module.body):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (is_text or (isinstance(node, ast.ImportFrom) and node.module == "__future__")):
            return place
    return len(module.body)


def _is_slow(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it runs many times, or searches for a smaller case when it fails."""
    return any(re.search(r"\b(?:given|parametrize)\b", ast.unparse(each)) for each in function.decorator_list)


def _false_twins(
    function: ast.FunctionDef | ast.AsyncFunctionDef, near: str, most: int
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Copies with one assertion made false each, and that assertion as it was."""
    if any(re.search(r"\b(?:skip\w*|xfail|expectedFailure)\b", ast.unparse(each)) for each in function.decorator_list):
        return
    count = len(_changes(function.body, near)[0])
    for place in sorted(random.SystemRandom().sample(range(count), min(most, count))):
        twin = copy.deepcopy(function)
        claim, change = _changes(twin.body, near)[0][place]
        change()
        yield claim[:SHOWN], twin


_Change = tuple[str, Callable[[], None]]


def _changes(body: Sequence[ast.stmt], near: str) -> tuple[list[_Change], bool]:
    """The assertions of `body` that surely run, each with what makes it false; and whether the whole `body` does."""
    found: list[_Change] = []
    for statement in body:
        if any(map(may_end, own_nodes(statement))):
            return found, False
        claim = ast.unparse(statement).partition("\n")[0]
        match statement:
            case ast.Assert():
                found.append((claim, partial(setattr, statement, "test", _false(statement.test, near))))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"))) as call):
                found += [(claim, change) for change in [_of_method(call, near)] if change]
            case (
                ast.With(items=[ast.withitem(context_expr=context)])
                | ast.AsyncWith(items=[ast.withitem(context_expr=context)])
            ) if called(context) in _RAISES:
                if isinstance(context, ast.Call) and context.args:
                    found.append((claim, partial(context.args.__setitem__, 0, _unrelated())))
            case ast.With(items=items) | ast.AsyncWith(items=items):
                if any(called(item.context_expr) in _RAISES | _LENIENT for item in items):
                    continue
                inner, whole = _changes(statement.body, near)
                found += inner
                if not whole:
                    return found, False
    return found, True


def own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those in functions and classes that are defined within."""
    yield statement
    if not isinstance(statement, FUNCTIONS | ast.Lambda | ast.ClassDef):
        for child in ast.iter_child_nodes(statement):
            yield from own_nodes(child)


def may_end(node: ast.AST) -> bool:
    return isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) or called(node) in _ENDS


def called(node: ast.AST) -> str:
    """The last part of the name of what is called; empty if nothing is."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _unrelated() -> ast.expr:
    """An exception that nobody raises."""
    return ast.parse("type('SomethingElse', (Exception,), {})", mode="eval").body


def _other(side: ast.expr, near: str) -> ast.expr:
    """Another value: a plain one as it would be written, so that code which reads the test reads the false value; any
    other when the test runs."""
    try:
        return ast.parse(repr(near_value(ast.literal_eval(side))), mode="eval").body
    except NO_VALUE:  # no plain value, or none that can be written
        return ast.Call(ast.Name(near, ast.Load()), [side], [])


def _false(claim: ast.expr, near: str) -> ast.expr:
    """A claim that is false where `claim` is true."""
    match claim:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            if _is_expected(left) and not _is_expected(right):
                return ast.Compare(_other(left, near), [ast.Eq()], [right])
            return ast.Compare(left, [ast.Eq()], [_other(right, near)])
        case ast.BoolOp(op=ast.And(), values=[ast.Compare(ops=[ast.Eq()]) as first, *rest]):
            return ast.BoolOp(ast.And(), [_false(first, near), *rest])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
    return ast.UnaryOp(ast.Not(), claim)


def _is_expected(side: ast.expr) -> bool:
    """Whether a side of a comparison is a plain value."""
    try:
        ast.literal_eval(side)
    except NO_VALUE:
        return not any(isinstance(node, ast.Call) for node in ast.walk(side))
    return True


def _of_method(call: ast.Call, near: str) -> Callable[[], None] | None:
    """What makes an assertion of `unittest.TestCase` false."""
    assert isinstance(call.func, ast.Attribute)
    name = call.func.attr
    if name in _OPPOSITE:
        return partial(setattr, call.func, "attr", _OPPOSITE[name])
    if name in _RAISES and call.args:
        return partial(call.args.__setitem__, 0, _unrelated())
    if _EQUAL.match(name) and len(call.args) > 1:
        place = 0 if _is_expected(call.args[0]) and not _is_expected(call.args[1]) else 1
        return partial(call.args.__setitem__, place, _other(call.args[place], near))
    return None


def without_claims(path: str, text: str, wanted: Collection[str]) -> list[str]:
    """Those of the tests `wanted`, ids without parameters, that claim nothing of what the code does: they call it, or
    look whether a name is there, and would pass whatever it gives back. Tests that call helpers of the file are not
    among them."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return []
    helpers = {node.name for node in ast.walk(module) if isinstance(node, FUNCTIONS | ast.ClassDef)}
    claimless = []
    for owner, node in functions(module):
        made = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        made |= {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
        if not any(_is_claim(part, helpers - {node.name}, made) for part in ast.walk(node)):
            claimless.append(id_of(path, owner, node.name))
    return [test_id for test_id in claimless if test_id in wanted]


def _is_claim(node: ast.AST, helpers: Collection[str], made: Collection[str]) -> bool:
    if isinstance(node, ast.Assert):
        return not _looks_for_a_name(node.test, made)
    if isinstance(node, ast.Raise):
        return True
    name = called(node)
    return bool(name) and (name in helpers or _CLAIMS.search(name) is not None)


def _looks_for_a_name(claim: ast.expr, made: Collection[str]) -> bool:
    """Whether it holds of anything that is there: `callable(f)`, `hasattr(m, "f")`, `f is not None`, `f`, `True`.
    `made`: names of what the test made itself."""
    match claim:
        case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return _looks_for_a_name(left, made)
        case ast.Call(func=ast.Name(id="callable" | "hasattr")) | ast.Constant():
            return True
        case ast.Name(id=name):
            return name not in made
        case ast.Attribute(value=owner):
            return _looks_for_a_name(owner, made)
        case ast.BoolOp(values=values):
            return all(_looks_for_a_name(value, made) for value in values)
    return False
