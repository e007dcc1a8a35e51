"""What tests call and what they claim of it, to be decided where no code of the project can interfere.

Of a test with `assert add(1, 2) == 3` a plain program (`measuring/calls.py`) does what the test does, up to where it
cannot, and tells what the call gives, of which the claim is decided in this process (`claims.py`). The program never
has the expected value, and the code under test no test to look at, no framework to change and no object that decides
what it equals.
"""

from __future__ import annotations

import ast
import builtins
import copy
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from testing.controls.claims import Claim, claim_of, is_plain
from testing.controls.python import FUNCTIONS, called, functions, id_of, may_end, own_nodes
from testing.controls.values import imported
from testing.frameworks.framework import NOT_PYTHON
from testing.frameworks.registry import guarded_modules

FOR_TESTS = {"hypothesis", "mock", "conftest", "tests", "test", "freezegun", "responses"}
"""Modules that only tests use, beside those of the frameworks."""
_SETUP = re.compile(
    r"\bautouse\b|\busefixtures\b|\bdef (?:setUp\w*|setup\w*|pytest_(?:configure|sessionstart|runtest_\w+|load_\w+))\b"
    r"|\benviron\b|\bchdir\b|\.setup\("
)
UNFIT = re.compile(
    r"\b(?:traceback|exc_info|linecache|pickle|copyreg|inspect|warnings|weakref)\b"
    r"|__(?:name|file|module|qualname|code|traceback|doc|main|globals)__"
)
"""What looks at where code stands or comes from, which is another place in a plain program, or at what is kept."""
_LONGEST = 1500
"""Characters of an expected value: what is much longer is not written down by the program."""
_MOST_ROWS = 8
"""Times that a test with parameters is made again."""
_RAISES = ("raises", "assertRaises")
_FOLDER = "tmp_path"
_MAKE_FOLDER = f"import pathlib as _p, tempfile as _t; {_FOLDER} = _p.Path(_t.mkdtemp())"


@dataclass
class Replay:
    """What a test does, without a word of what it expects."""

    test_id: str
    setup: str
    """Statements of its file."""
    steps: list[tuple[str, bool]] = field(default_factory=list)
    """Its own statements and expressions in their order, and whether it is told what they give."""
    claims: list[Claim] = field(default_factory=list)
    """Their steps are those that are told, in this order; of a whole test, all of its file."""
    told: str = ""
    """The name by which a whole test tells values; its one step is its name (see `whole.py`)."""
    is_whole: bool = False
    """Whether all that the test does is in the steps."""
    own: frozenset[int] = frozenset()
    """Of a whole test, the claims of which it has to come to one: those in its own lines, but after no condition."""

    @property
    def weight(self) -> int:
        """How much it claims; of a whole test, all of whose file is in `claims`, what is its own."""
        return max(len(self.own), 1) if self.told else len(self.claims)

    @property
    def imports(self) -> set[str]:
        """The topmost modules that it imports."""
        nodes = [node for text in (self.setup, *(line for line, _ in self.steps)) for node in ast.walk(ast.parse(text))]
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        plain |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        return {name.partition(".")[0] for name in plain}

    @property
    def is_plain_calls(self) -> bool:
        """Whether it does nothing but call functions of modules with values that are written down, each call once: so
        that nothing it has made can be the reason of another answer."""
        names = {name for name, what in imported(ast.parse(self.setup)).items() if what} | {*vars(builtins)}
        lines = [line for line, _ in self.steps]
        nodes = [node for line in lines for node in ast.walk(ast.parse(line))]
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        is_once = len({*lines}) == len(lines) and not self.told
        return is_once and used <= names and not any(map(_is_stored, nodes)) and all(map(_is_of_module, calls))


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)


def _is_of_module(call: ast.Call) -> bool:
    """Whether it is a call of a function by its name, or that of its module, and with arguments."""
    path = call.func
    while isinstance(path, ast.Attribute):
        path = path.value
    is_class = any(part[:1].isupper() for part in ast.unparse(call.func).split("."))
    is_builtin = isinstance(path, ast.Name) and path.id in vars(builtins)
    return isinstance(path, ast.Name) and (is_builtin or not is_class) and bool(call.args or call.keywords)


def replays_of(path: str, text: str, wanted: Collection[str]) -> list[Replay]:
    """Those of the tests `wanted` (ids without parameters) of a Python file that begin without a fixture or anything of
    a test framework, and expect a plain value."""
    try:
        module = ast.parse(text)
    except NOT_PYTHON:
        return []
    shared = _shared(module)
    if shared is None:
        return []
    kept, foreign = shared
    written = _written(kept)
    setup = ast.unparse(ast.Module([node for node in kept if not _is_only_expected(node, kept, written)], []))
    found: list[Replay] = []
    standing = imported(module)
    for owner, node in functions(module):
        test_id = id_of(path, owner, node.name)
        names = [argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
        is_bound = any(isinstance(part, ast.Nonlocal) for part in ast.walk(node))
        if test_id not in wanted or isinstance(node, ast.AsyncFunctionDef) or (owner and names[:1] != ["self"]):
            continue
        if is_bound or UNFIT.search(ast.unparse(node)) or UNFIT.search(setup):
            continue
        names = names[owner is not None :]
        own = _stored([node])
        for given in _parameters(node):
            replay = Replay(test_id, setup)
            if {*names} - given.keys() == {_FOLDER}:
                replay.steps.append((_MAKE_FOLDER, False))
            elif {*names} != given.keys():
                break
            changed = [name for name in given if own[name] > 1]
            replay.steps += [(f"{name} = {ast.unparse(given[name])}", False) for name in changed]
            values = {name: value for name, value in written.items() if name not in own}
            values |= {name: value for name, value in given.items() if name not in changed}
            _take(replay, [_put(values, statement) for statement in node.body], foreign | {"self"}, standing)
            if replay.claims:
                found.append(replay)
    return found


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[dict[str, ast.expr]]:
    """What a test is given by `parametrize`, for each time that it is run; empty if it has other decorators."""
    found: list[dict[str, ast.expr]] = [{}]
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr="parametrize"),
                args=[wanted, ast.List(elts=rows) | ast.Tuple(elts=rows)],
                keywords=keywords,
            ) if is_plain(wanted) and all(map(is_plain, rows)) and all(keyword.arg == "ids" for keyword in keywords):
                given = ast.literal_eval(wanted)
                words = [word.strip() for word in given.split(",")] if isinstance(given, str) else [*given]
                is_one = isinstance(given, str) and len(words) == 1
            case _:
                return []
        values = [[row] if is_one else getattr(row, "elts", []) for row in rows]
        if any(len(row) != len(words) for row in values):
            return []
        found = [{**one, **dict(zip(words, row, strict=True))} for one in found for row in values][:_MOST_ROWS]
    return found


class _Put(ast.NodeTransformer):
    """Puts values, as they are written, in the place of names."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return copy.deepcopy(self._values[node.id])
        return node


def _put(values: Mapping[str, ast.expr], statement: ast.stmt) -> ast.stmt:
    changed = _Put(values).visit(copy.deepcopy(statement))
    assert isinstance(changed, ast.stmt)
    return changed


def _stored(body: Sequence[ast.AST]) -> Counter[str]:
    """How often names are given values, parameters included."""
    parts = [part for statement in body for part in ast.walk(statement)]
    names = [part.id for part in parts if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)]
    return Counter([*names, *(part.arg for part in parts if isinstance(part, ast.arg))])


def _written(body: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    """Names that are given a value once, as it is written, which nothing can change."""
    stored, found = _stored(body), {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if stored[name] == 1 and is_plain(value):
                if isinstance(ast.literal_eval(value), str | bytes | int | float | complex | None):
                    found[name] = value
    return found


def _is_only_expected(node: ast.stmt, kept: Sequence[ast.stmt], written: Mapping[str, ast.expr]) -> bool:
    """Whether a statement gives a name a value that only tests use."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) if name in written:
            return not any(name in _used(other) for other in kept if other is not node)
    return False


def has_setup(text: str) -> bool:
    """Whether a file of tests, or a conftest.py, has something done before tests that did not ask for it by a fixture's
    name."""
    return _SETUP.search(text) is not None


def _shared(module: ast.Module) -> tuple[list[ast.stmt], set[str]] | None:
    """The statements of a test module that a plain program needs, and names that it does not have: what comes from test
    frameworks and other tests. None if something is done at its beginning that the program cannot do."""
    kept: list[ast.stmt] = []
    foreign = {"__file__", "__name__"}
    for node in module.body:
        origins = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        origins += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        of_tests = any(origin.partition(".")[0] in FOR_TESTS | guarded_modules("python") for origin in origins)
        of_tests |= isinstance(node, ast.ImportFrom) and node.level > 0
        is_test = isinstance(node, FUNCTIONS) and node.name.startswith("test")
        is_test |= isinstance(node, ast.ClassDef) and node.name.startswith("Test")
        if not (of_tests or is_test or _used(node) & foreign):
            kept.append(node)
        elif of_tests or is_test or isinstance(node, ast.Assign | ast.AnnAssign | ast.ClassDef | FUNCTIONS):
            foreign |= _defined(node)
        elif not (isinstance(node, ast.If) and "__name__" in _used(node.test)):
            return None
        if of_tests and "*" in _defined(node):
            return None
    return kept, foreign


def _take(
    replay: Replay, body: Sequence[ast.stmt], foreign: Collection[str], standing: Mapping[str, str]
) -> None:  # fmt: skip
    """Take the steps of a test up to the first that a plain program cannot do, or that would tell what is expected.
    `standing`: what imported names stand for."""
    written, is_whole = _written(body), True
    for statement in [_put(written, statement) for statement in body]:
        if any(map(may_end, own_nodes(statement))):
            return
        if isinstance(statement, ast.Assign) and written.keys() & {
            getattr(each, "id", "") for each in statement.targets
        }:
            continue  # its value stands wherever its name stood
        claim, done = claim_of(statement, standing), _raising(statement) or statement
        parts = [ast.parse(text, mode="eval").body for text in claim.told] if claim else _parts_of_claim(done)
        if _used(*([done] if parts is None else parts)) & {*foreign}:
            return
        if claim and len(claim.text) + sum(map(len, claim.told)) <= _LONGEST:
            replay.steps += [(text, True) for text in claim.told]
            replay.claims.append(claim)
        elif parts is not None:
            replay.steps += [(ast.unparse(part), False) for part in parts]
            is_whole = False
        elif any(isinstance(node, ast.Assert) for node in ast.walk(done)):
            return
        elif not _is_text(done):
            replay.steps.append((ast.unparse(done), False))
    replay.is_whole = is_whole


def _raising(statement: ast.stmt) -> ast.stmt | None:
    """The body of `with raises(…)`, which has to end with that error; None of another statement."""
    match statement:
        case ast.With(
            items=[ast.withitem(context_expr=ast.Call(args=[kind, *_]) as context, optional_vars=None)], body=body
        ) if called(context) in _RAISES:
            nothing = ast.parse("raise LookupError('nothing is raised, where a test expects an error')").body
            return ast.fix_missing_locations(ast.Try(body, [ast.ExceptHandler(kind, None, [ast.Pass()])], nothing, []))
    return None


def _parts_of_claim(statement: ast.stmt) -> list[ast.expr] | None:
    """Of an assertion, what is called in it and may have an effect; None of another statement."""
    match statement:
        case ast.Assert(test=test):
            return [test] if _has_call(test) else []
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=arguments)):
            if name.startswith("assert"):
                return [argument for argument in arguments if _has_call(argument)]
    return None


def _has_call(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _used(*nodes: ast.AST) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ClassDef | FUNCTIONS):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
