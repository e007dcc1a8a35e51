"""How code passes its tests without doing the work: marks of it in a change, and tests that a run has rewritten.

Marks are read without running the code. The list follows the published ones: ImpossibleBench (arXiv 2510.20270:
comparisons that are always true, special cases for the tests, hidden state), and cheats found in terminal-bench runs
(skipping from the code under test, a patched `CallInfo.from_call`, exits, planted `dist-info` plugins). It is a net,
not a wall: what runs beside its tests can always find another way. What was in the file before the change is the
owner's and passes.
"""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from testing.environments.toolchains import Language
from testing.frameworks.declared_tests import JAVASCRIPT_SUFFIXES
from testing.frameworks.framework import NOT_PYTHON
from testing.frameworks.registry import FRAMEWORKS
from testing.sandbox.user import everything

TamperingKind = Literal[
    "framework", "test branch", "exit", "stack", "equality", "builtins", "report", "shadow", "coding"
]

_OTHERS = {"nose"}
"""A framework that runs no tests here any more."""
_EXITS = {"os._exit", "os.abort", "posix._exit"}
_STACK = {"inspect.stack", "inspect.currentframe", "inspect.getouterframes", "inspect.trace", "sys._getframe",
          "sys._current_frames", "sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile",
          "traceback.extract_stack", "traceback.walk_stack", "gc.get_objects", "gc.get_referrers"}  # fmt: skip
_FRAMES = ("tb_frame", "f_back", "gi_frame", "cr_frame", "ag_frame", "PyEval_GetFrame")
"""Attributes that lead to who calls."""
_PLACES = re.compile(r"^/(?:out|opt/ai-agents|proc/self/fd)(?:/|$)")
_LOADED = {"sys.modules", "sys.argv", "sys.orig_argv"}
_OBLIGING = {"__eq__": True, "__ne__": False, "__instancecheck__": True, "__subclasscheck__": True}
"""Methods by which everything is equal, or of a kind, if they always answer so."""
_JAVASCRIPT_OBLIGING = re.compile(
    r"\[Symbol\.hasInstance\]\s*(?:\([^)]*\)\s*\{\s*return|=\s*(?:\([^)]*\)|\w+)\s*=>)\s*true\b"
)
_JAVASCRIPT_TESTED = re.compile(
    r"\b(?:JEST_WORKER_ID|NODE_TEST_CONTEXT|VITEST(?:_\w+)?)\b|\bNODE_ENV\b.{0,12}['\"]test['\"]"
)
_REASONS: dict[TamperingKind, str] = {
    "framework": "code under test has no business with the test framework",
    "test branch": "code must not ask whether it is being tested",
    "exit": "it would end the test run",
    "stack": "code must not look at who calls it",
    "equality": "an object that equals everything passes every test",
    "builtins": "Python's builtins are not to be changed",
    "report": "the sandbox's own files are none of the code's business",
    "coding": "what is read has to be what runs",
    "shadow": "a module of this name would be imported in the place of another",
}
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_USUAL_CODINGS = ("utf-8", "utf8", "ascii", "us-ascii", "utf-8-sig")
_LARGEST_WATCHED = 4 << 20


@dataclass(frozen=True)
class Tampering:
    """One mark: what stands where. `line` counts from 1; 0 means the file itself."""

    kind: TamperingKind
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.what}: {_REASONS[self.kind]}"


def tampering(path: str, before: str | None, after: str) -> list[Tampering]:
    """Marks in the text `after` of the file at `path` that its text `before` (None for a new file) did not have."""
    known = {(mark.kind, mark.what) for mark in _marks(path, before)} if before else set()
    found = [mark for mark in _marks(path, after) if (mark.kind, mark.what) not in known]
    return [*(_shadow(path) if before is None else []), *found]


def _modules(language: Language) -> set[str]:
    """Modules of the test frameworks of a language, which code under test has no business with."""
    own = {
        name
        for framework in FRAMEWORKS.values()
        if framework.language == language
        for name in framework.guarded_modules
    }
    return own | (_OTHERS if language == "python" else set())


def explain_tampering(found: list[Tampering]) -> str:
    """The message to the author of the change."""
    marks = "\n".join(f"- {mark}" for mark in found[:5])
    return f"the change was refused before any test was run; write the code without this:\n{marks}"


def _marks(path: str, text: str) -> list[Tampering]:
    suffix = PurePosixPath(path).suffix
    if suffix in JAVASCRIPT_SUFFIXES:
        return list(_javascript_marks(path, text))
    if suffix not in {".py", ".pyi"}:
        return []
    coding = [
        Tampering("coding", path, number, f"the source is in {found[1]}")
        for number, line in enumerate(text.split("\n", 2)[:2], 1)
        if (found := _CODING.match(line)) and found[1].lower().replace("_", "-") not in _USUAL_CODINGS
    ]
    try:
        tree = ast.parse(text)
    except NOT_PYTHON:
        return coding  # it cannot be imported either
    names = _names(tree)
    return coding + [
        Tampering(kind, path, getattr(node, "lineno", 0), what)
        for node in _code(tree)
        for kind, what in _of_node(node, names)
    ]


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but docstrings and other texts that stand for themselves."""
    idle = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return (node for node in ast.walk(tree) if node not in idle)


def _names(tree: ast.Module) -> Mapping[str, str]:
    """What imported names stand for: `from os import _exit as e` gives e: os._exit."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _of_node(node: ast.AST, names: Mapping[str, str]) -> Iterator[tuple[TamperingKind, str]]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from _of_import(node)
        case ast.Attribute() | ast.Name():
            yield from _of_name(_dotted(node, names), stored=isinstance(node.ctx, ast.Store | ast.Del))
            if isinstance(node, ast.Attribute) and node.attr in _FRAMES:
                yield "stack", node.attr
        case ast.Constant(value=str(text)):
            yield from _of_text(text)
        case ast.BinOp(op=ast.Add()) if text := _joined(node):
            yield from _of_text(text)
        case ast.Compare() | ast.Subscript() | ast.Call():
            yield from _of_question(node, names)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name in _OBLIGING:
            if _always(node, _OBLIGING[name]):
                yield "equality", f"{name} that answers the same to everything"
        case ast.Assign(targets=targets, value=ast.Lambda(body=ast.Constant(value=bool(answer)))):
            for target in targets:
                if isinstance(target, ast.Name | ast.Attribute) and _OBLIGING.get(_last(target)) is answer:
                    yield "equality", f"{_last(target)} that answers the same to everything"


def _of_import(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[TamperingKind, str]]:
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""] if not node.level else []
        for alias in node.names:
            yield from _of_name(f"{node.module}.{alias.name}", stored=False)
    else:
        modules = [alias.name for alias in node.names]
    guarded = _modules("python")
    for module in modules:
        if module.partition(".")[0] in guarded:
            yield "framework", f"import of {module.partition('.')[0]}"


def _of_name(dotted: str, *, stored: bool) -> Iterator[tuple[TamperingKind, str]]:
    if dotted in _EXITS:
        yield "exit", dotted
    elif dotted in _STACK:
        yield "stack", dotted
    elif stored and dotted.startswith(("builtins.", "__builtins__.")):
        yield "builtins", dotted


def _of_text(text: str) -> Iterator[tuple[TamperingKind, str]]:
    if "PYTEST" in text:
        yield "test branch", repr(text[:60])
    elif text.startswith("_pytest"):
        yield "framework", repr(text[:60])
    elif _PLACES.match(text):
        yield "report", repr(text[:60])


def _of_question(
    node: ast.Compare | ast.Subscript | ast.Call, names: Mapping[str, str]
) -> Iterator[tuple[TamperingKind, str]]:
    """`"pytest" in sys.modules`, `sys.modules["pytest"]`, `import_module("pytest")`, `setattr(builtins, …)`."""
    inner = list(ast.walk(node))
    dotted = {_dotted(part, names) for part in inner if isinstance(part, ast.Attribute | ast.Name)}
    texts = {part.value for part in inner if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    guarded = _modules("python")
    about = sorted(text for text in texts if text.partition(".")[0] in guarded)
    if about and dotted & _LOADED:
        yield "test branch", f"{about[0]!r} looked for in {sorted(dotted & _LOADED)[0]}"
    if isinstance(node, ast.Call):
        called = _dotted(node.func, names) if isinstance(node.func, ast.Attribute | ast.Name) else ""
        if about and called in {"importlib.import_module", "__import__", "importlib.util.find_spec"}:
            yield "framework", f"import of {about[0]}"
        target = node.args[0] if node.args else None
        if called in {"setattr", "delattr"} and isinstance(target, ast.Name) and names.get(target.id, target.id) in {
            "builtins", "__builtins__"
        }:  # fmt: skip
            yield "builtins", f"{called} of builtins"
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and dotted & {"__builtins__", "builtins"}:
        yield "builtins", "an entry of the builtins"


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *parts])


def _joined(node: ast.AST) -> str:
    """The text that constants joined by + make; empty for anything else."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _joined(node.left), _joined(node.right)
        return left + right if left and right else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _always(node: ast.FunctionDef | ast.AsyncFunctionDef, answer: bool) -> bool:
    """Whether every return of the function gives this very constant, and there is one."""
    returned = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
    return bool(returned) and all(isinstance(value, ast.Constant) and value.value is answer for value in returned)


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _shadow(path: str) -> Iterator[Tampering]:
    """A new top-level module with the name of one of Python's or of the framework's."""
    parts = PurePosixPath(path).parts
    inside = parts[1:] if parts[0] in {"src", "lib"} else parts
    if inside and (len(inside) == 1 or inside[1:] == ("__init__.py",)):
        name = inside[0].removesuffix(".py")
        if name in _modules("python") or name in sys.stdlib_module_names:
            yield Tampering("shadow", path, 0, f"a new module {name!r}")


def _javascript_marks(path: str, text: str) -> Iterator[Tampering]:
    names = "|".join(map(re.escape, sorted(_modules("node"))))
    imported = re.compile(rf"(?:\bfrom|\brequire\s*\(|\bimport\s*\()\s*['\"](?:{names})(?:[/-][\w/-]*)?['\"]")
    patterns: dict[TamperingKind, re.Pattern[str]] = {
        "test branch": _JAVASCRIPT_TESTED, "framework": imported, "equality": _JAVASCRIPT_OBLIGING,
    }  # fmt: skip
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in patterns.items():
            if (found := pattern.search(line[:2000])) and not line.lstrip().startswith(("//", "*")):
                yield Tampering(kind, path, number, found[0][:60])


class TestFiles:
    """The tests of a run folder and the files with their settings, as they are now."""

    __test__ = False

    def __init__(self, source: Path) -> None:
        self._source = source
        globs = [
            glob for framework in FRAMEWORKS.values() for glob in (*framework.test_files, *framework.settings_files)
        ]
        watched = re.compile("|".join(map(fnmatch.translate, globs)))
        files = [path for path in everything(source) if watched.match(path.name) and not path.is_symlink()]
        self._digests = {path: digest for path in files if (digest := _digest(path))}

    def changed(self) -> list[str]:
        """The files that have changed since, relative to the run folder."""
        found = [path for path, digest in self._digests.items() if _digest(path) != digest]
        return sorted(path.relative_to(self._source).as_posix() for path in found)


def _digest(path: Path) -> str | None:
    """The digest of a regular file that is not too large; code may have put anything else in its place."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_WATCHED:
        os.close(fd)
        return None
    with os.fdopen(fd, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
