"""Failing tests as facts: one for each function that they are about, so that one task fixes one thing."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents import Fact, FactKind, module_names
from file_system import NOT_PYTHON, CodeMap, FileManager, FileSystemError
from memory import MOST_TESTS
from orchestrator.baseline import Baseline, FailedTest
from orchestrator.workbench.sources import Sources, read_sources
from testing import declared_tests, only_tests

_SHOWN = 3
_NAMES_SHOWN = 4


@dataclass
class _Test:
    """A failing test function or, without a name, a file that cannot be collected."""

    file: str
    name: str
    failures: list[FailedTest] = field(default_factory=list)
    line: int = 0
    source: str = ""
    node: ast.AST = field(default_factory=lambda: ast.Module([], []))
    subject: tuple[str, str] = ("", "")
    """Path of the source file and name in it that the test is about, as far as can be determined."""


def failing_tests(root: Path, baseline: Baseline) -> list[Fact]:
    """The failing tests of the tree at `root`, by what they are about; `baseline` is the result of its suite."""
    sources = read_sources(root)
    by_file: dict[str, list[FailedTest]] = {}
    for failure in baseline.failures:
        by_file.setdefault(failure.test_id.partition("::")[0], []).append(failure)
    files = FileManager(root)
    facts: list[Fact] = []
    for path, failures in by_file.items():
        try:
            text = files.read_file(path)
            tree = ast.parse(text)
        except (FileSystemError, *NOT_PYTHON):
            continue
        tests = _failing(path, text, tree, failures, baseline)
        imports = _imports(tree, sources)
        used_by_passing = _used_by_passing(tree, tests, imports)
        for test in tests:
            test.subject = _subject(test, imports, used_by_passing, sources.symbols)
        groups: dict[tuple[str, str], list[_Test]] = {}
        for test in tests:
            groups.setdefault(test.subject, []).append(test)
        facts += [_fact(root, text, group, [*tests], subject) for subject, group in groups.items()]
    return facts


def _fact(root: Path, text: str, group: Sequence[_Test], tests: Sequence[_Test], subject: tuple[str, str]) -> Fact:
    path, symbol = subject
    file = group[0].file
    others = {test.name for test in tests} - {test.name for test in group}
    kept = [test_id for test_id in declared_tests(text, file) if test_id.partition("::")[2] not in others]
    narrowed = text if group[0].name == "" else only_tests(text, file, kept)
    failures = [failure for test in group for failure in test.failures]
    beyond = "it lacks what no code of the project provides, such as a package or a service"
    if len(narrowed) > MOST_TESTS:
        beyond = f"its test file has more than {MOST_TESTS:,} characters"
    elif not all(failure.outside for failure in failures):
        beyond = ""
    names = ", ".join(failure.test_id for failure in failures[:_NAMES_SHOWN])
    names += f" and {len(failures) - _NAMES_SHOWN} more" if len(failures) > _NAMES_SHOWN else ""
    told = "\n".join(failure.evidence for failure in failures[:_SHOWN])
    tested = _definition(root, path, symbol) if path and symbol else ""
    return Fact.of(
        FactKind.FAILING_TESTS,
        path or file,
        0 if path else group[0].line,
        symbol,
        f"{names}\n{told}",
        "\n".join([tested, *(test.source for test in group)]),
        tests_file=file,
        tests=narrowed if len(narrowed) <= MOST_TESTS else "",
        beyond=beyond,
    )


def _failing(file: str, text: str, tree: ast.Module, failures: Sequence[FailedTest], baseline: Baseline) -> list[_Test]:
    """The failing test functions of a file, or the file itself if none of its tests could be run."""
    found: dict[str, _Test] = {}
    known = dict(_functions(tree.body, ""))
    for failure in failures:
        name = failure.test_id.partition("::")[2].partition("[")[0]
        if name and name not in known:
            continue  # inherited or generated: it has no text of its own in this file
        test = found.setdefault(name, _Test(file, name))
        test.failures.append(failure)
        if node := known.get(name):
            test.line, test.source, test.node = node.lineno, ast.get_source_segment(text, node) or "", node
        else:
            test.source, test.node = text, tree
    return [found[""]] if "" in found else list(found.values())


def _functions(body: Sequence[ast.stmt], within: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{within}{node.name}::")


def _imports(tree: ast.Module, sources: Sources) -> dict[str, tuple[str, str]]:
    """What the test file imports from the project: local name -> (source file, name in it; empty for a module)."""
    modules = {name: path for path, name in module_names(sources.files, sources.files).items()}
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = modules.get(f"{node.module}.{alias.name}")
                if inner:
                    found[alias.asname or alias.name] = (inner, "")
                elif node.module in modules:
                    path = sources.symbols.get(alias.name, modules[node.module])
                    found[alias.asname or alias.name] = (path, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in modules:
                    found[alias.asname or alias.name] = (modules[alias.name], "")
    return found


def _used(code: ast.AST, imports: Mapping[str, tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How often a piece of test code uses each thing of the project."""
    used: Counter[tuple[str, str]] = Counter()
    for node in ast.walk(code):
        if isinstance(node, ast.Name) and imports.get(node.id, ("", ""))[1]:
            used[imports[node.id]] += 1
        elif isinstance(node, ast.Attribute) and (dotted := _dotted(node.value)) in imports:
            path, name = imports[dotted]
            if not name:
                used[(path, node.attr)] += 1
    return used


def _dotted(node: ast.expr) -> str:
    """`a.b` as written, empty for anything else; `ast.unparse` fails on long sums."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _used_by_passing(
    tree: ast.Module, tests: Sequence[_Test], imports: Mapping[str, tuple[str, str]]
) -> Counter[tuple[str, str]]:
    failing = {test.name for test in tests}
    used: Counter[tuple[str, str]] = Counter()
    for name, node in _functions(tree.body, ""):
        if name not in failing:
            used.update(set(_used(node, imports)))
    return used


def _subject(
    test: _Test,
    imports: Mapping[str, tuple[str, str]],
    used_by_passing: Mapping[tuple[str, str], int],
    defined: Mapping[str, str],
) -> tuple[str, str]:
    """What the test is most likely about: something it uses that is missing, else what passing tests use least."""
    used = _used(test.node, imports)
    if not used:
        return ("", "")

    def rank(thing: tuple[str, str]) -> tuple[bool, int, int]:
        there = thing[1] in defined or thing[1].startswith("_")
        return there, used_by_passing.get(thing, 0), -used[thing]

    return min(used, key=rank)


def _definition(root: Path, path: str, symbol: str) -> str:
    """The source of what is tested; empty if it does not exist yet."""
    try:
        return CodeMap(root, []).definition_source(path, symbol)
    except FileSystemError:
        return ""
