"""Tests of JavaScript code as QA writes them: cases from examples and assertions, and the test file they make.

A case's lines are neutral: imports name files of the repository, assertions are those of `node:assert`. Only the file
is written for one runner, and loads what it tests as the project's modules are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath, relpath
from typing import Literal

from agents.answers import Requirements, TestCase
from agents.stated.examples import Example
from agents.stated.javascript_examples import (
    ERRORS,
    called_javascript_names,
    free_javascript_names,
    javascript_examples,
)
from file_system import call_arguments
from memory import Task

_IMPORT = re.compile(r'^import (?P<names>.+) from "(?P<path>[^"]+)";$')
_TAKEN = re.compile(
    r"(?:import|const|let|var)\s+(?P<names>\{[^}]*\}|[\w$]+)\s*(?:from|=\s*(?:await\s+)?(?:require|import)\()\s*"
    r"[\"'](?P<path>\.[^\"']+)[\"']"
)
_CHECKS = {"assert.deepEqual", "assert.equal", "assert.ok", "assert.throws", "assert.match"}
_LONGEST_ASSERTION = 300

Loading = Literal["import", "require", "import-default"]


@dataclass(frozen=True)
class Style:
    """How tests are written for one runner."""

    imports: tuple[tuple[str, str], ...] = ()
    """Names and the module they come from."""
    call: str = "test"
    """The function that declares a test."""
    given: str = ""
    """What it gives to a test."""
    claims: Literal["assert", "expect", "ava"] = "assert"
    is_async: bool = False
    """A test without a promise would have to say that it ends."""
    end: str = ""


STYLES: Mapping[str, Style] = {
    "node": Style((("test", "node:test"),)),
    "vitest": Style((("{ expect, test }", "vitest"),), claims="expect"),
    "jest": Style(claims="expect"),
    "mocha": Style(call="it"),
    "jasmine": Style(call="it", claims="expect"),
    "ava": Style((("test", "ava"),), given="t", claims="ava"),
    "tap": Style((("t", "tap"),), call="t.test", given="t", is_async=True),
    "tape": Style((("test", "tape"),), given="t", is_async=True),
    "uvu": Style((("{ test }", "uvu"),), end="test.run();"),
    "plain": Style(call=""),
}
"""By the runner's name; `plain` is a program that claims things one after the other."""


@dataclass(frozen=True)
class TestFile:
    """The file that tests are written for."""

    __test__ = False

    path: str
    runner: str
    """One of `STYLES`."""
    esm: bool = True
    """It is an ES module, not CommonJS."""
    loading: Mapping[str, Loading] = field(default_factory=dict)
    """How modules of the project are loaded, by path, where not by `import`."""

    @property
    def style(self) -> Style:
        """How tests are written in it."""
        return STYLES[self.runner]


def javascript_cases_from_examples(
    task: Task, requirements: Requirements, modules: Mapping[str, str]
) -> list[TestCase]:
    """One test per stated example that names what the task is about; no model is asked.

    `modules`: importable names of the project -> import statement, its path that of the file in the repository.
    """
    cases: list[TestCase] = []
    for example in javascript_examples(f"{task.title}\n{task.description}"):
        lines = _lines(example, requirements, modules)
        if lines is not None:
            cases.append(TestCase(name=f"{_subject(requirements)} {len(cases) + 1}", lines=lines))
    return cases


def javascript_cases_from_assertions(
    assertions: Sequence[str],
    requirements: Requirements,
    modules: Mapping[str, str],
    known: Sequence[TestCase],
    limit: int,
) -> list[TestCase]:
    """The usable ones of a model's lines: each one assertion, about the task, of a call that is not tested yet."""
    tested = {tested_call(case.lines[-1]) for case in known}
    cases: list[TestCase] = []
    for text in assertions:
        line = text.strip().rstrip(";") + ";"
        call = tested_call(line)
        if not call or call in tested or len(line) > _LONGEST_ASSERTION or not _about(call, requirements):
            continue
        imports = _imports(line.rstrip(";"), requirements, modules)
        if imports is None:
            continue
        tested.add(call)
        name = f"{_subject(requirements)} more {len(cases) + 1}"
        cases.append(TestCase(name=name, lines=[*imports, line], origin="qa"))
        if len(cases) == limit:
            break
    return cases


def javascript_assertion_lines(text: str) -> list[str]:
    """Every line of a model's answer that is one assertion."""
    lines = (line.strip().lstrip("-* ").strip() for line in text.splitlines())
    return [line for line in lines if tested_call(line)]


def tested_call(line: str) -> str:
    """What an assertion checks, whatever it expects; empty when the line is no assertion."""
    called, arguments = call_arguments(line)
    if called not in _CHECKS or not arguments:
        return ""
    return re.sub(r"\s+", " ", re.sub(r"^(?:async )?\(\) => ", "", arguments[0]))


def render_javascript_tests(task: Task, cases: Sequence[TestCase], file: TestFile) -> str:
    """The text of the test file, one assertion a test.

    What is tested is loaded inside each test, so that before the code exists each one fails by itself for the missing
    thing. Where a test expects an error, it first asks for the function: calling what is not there throws one, too.
    """
    title = re.sub(r"\s+", " ", task.title).replace("*/", "* /")
    lines = [f"// Tests for: {title} (task {task.id}), written before the code."]
    tests = [line for case in cases for line in ["", *_test(case, file)]]
    asserts = file.style.claims == "assert" or any("assert." in line for line in tests)
    lines += _head(file, asserts=asserts)
    return "\n".join([*lines, *tests, *filter(None, ["", file.style.end])]) + "\n"


def imported_javascript(text: str, tests_file: str, files: Sequence[str]) -> list[tuple[str, str]]:
    """What the owner's test file `text` takes from files of the project, as (path, name)."""
    found = []
    for match in _TAKEN.finditer(text):
        place = normpath(f"{tests_file.rpartition('/')[0] or '.'}/{match['path']}")
        path = next((file for file in files if file == place or re.sub(r"\.[cm]?[jt]sx?$", "", file) == place), None)
        names = re.findall(r"[A-Za-z_$][\w$]*(?=\s*(?:[,}]|$|as\b|:))", match["names"] or "")
        found += [(path or place, name) for name in names if path or "." in place.rpartition("/")[2]]
    return list(dict.fromkeys(found))


def _test(case: TestCase, file: TestFile) -> list[str]:
    loads = [_load(line, file) for line in case.imports]
    checked = case.statements[-1]
    asks = []
    if checked.startswith("assert.throws("):
        called = [name.partition(".")[0] for name in called_javascript_names(tested_call(checked))]
        imported = {name for line in case.imports for name in _names(line)}
        asks = [f'assert.equal(typeof {name}, "function");' for name in dict.fromkeys(called) if name in imported]
    body = [*loads, *(_check(line, file) for line in [*asks, *case.statements])]
    style = file.style
    mark = "async " if style.is_async or any("await " in line for line in body) else ""
    inside = [f"  {line}" for line in body]
    if not style.call:
        return [f"void ({mark}() => {{ // {case.name}", *inside, "})();"]
    return [f'{style.call}("{case.name}", {mark}({style.given}) => {{', *inside, "});"]


def _head(file: TestFile, *, asserts: bool) -> list[str]:
    wanted = [*file.style.imports]
    if asserts:
        wanted.append(("assert", "node:assert/strict"))
    if file.esm:
        return [f'import {names} from "{module}";' for names, module in wanted]
    return [f'const {names} = require("{module}");' for names, module in wanted]


def _load(line: str, file: TestFile) -> str:
    found = _IMPORT.match(line)
    assert found is not None, line
    place = relpath(found["path"], file.path.rpartition("/")[0] or ".")
    place = place if place.startswith(".") else f"./{place}"
    if file.runner in ("vitest", "jest"):
        place = re.sub(r"\.[cm]?tsx?$", "", place)  # TypeScript's own way to name a module
    loading = file.loading.get(found["path"], "import")
    names = found["names"]
    whole = names.removeprefix("* as ")
    if loading == "require":
        return f'const {whole} = require("{place}");'
    module = f'await import("{place}")'
    if loading == "import-default":
        return f"const {whole} = ({module}).default;"
    if names.startswith(("{", "* as ")):
        return f"const {whole} = {module};"
    return f"const {{ default: {names} }} = {module};"


def _check(line: str, file: TestFile) -> str:
    """An assertion in the words of the runner."""
    called, arguments = call_arguments(line)
    if file.style.claims == "assert":
        return line
    if file.style.claims == "ava":
        return _check_ava(called, arguments, line)
    match called, arguments:
        case "assert.deepEqual" | "assert.equal", [actual, expected]:
            return f"expect({actual}).toEqual({expected});"
        case "assert.throws", [call]:
            return f"expect({call}).toThrow();"
        case "assert.throws", [call, kind] if kind in ERRORS:
            return f"expect({call}).{'toThrowError' if file.runner == 'jasmine' else 'toThrow'}({kind});"
        case "assert.ok", [actual]:
            return f"expect({actual}).toBeTruthy();"
        case _:
            return line


def _check_ava(called: str, arguments: Sequence[str], line: str) -> str:
    match called, arguments:
        case "assert.deepEqual" | "assert.equal", [actual, expected]:
            return f"t.deepEqual({actual}, {expected});"
        case "assert.throws", [call]:
            return f"t.throws({call});"
        case "assert.throws", [call, kind] if kind in ERRORS:
            return f"t.throws({call}, {{ instanceOf: {kind} }});"
        case "assert.ok", [actual]:
            return f"t.truthy({actual});"
        case "assert.match", [actual, pattern]:
            return f"t.regex({actual}, {pattern});"
        case _:
            return line


def _lines(example: Example, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Imports and assertion of one example; None when it is not about the task, or needs what is not there."""
    if not _about(example.call, requirements):
        return None
    imports = _imports(f"[{example.call}, {example.expected or 0}]", requirements, modules)
    if imports is None:
        return None
    if example.raises:
        kind = f", {example.raises}" if example.raises in ERRORS else ""
        return [*imports, f"assert.throws(() => {example.call}{kind});"]
    return [*imports, f"assert.deepEqual({example.call}, {example.expected});"]


def _imports(source: str, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Import lines for all names that `source` needs; None when one of them is unknown."""
    lines: list[str] = []
    for name in sorted(free_javascript_names(source) - {"assert"}):
        if name in modules:
            lines.append(modules[name])
        elif name in requirements.symbols:
            lines.append(f'import {{ {name} }} from "{requirements.target_file}";')
        else:
            return None
    return list(dict.fromkeys(lines))


def _about(call: str, requirements: Requirements) -> bool:
    named = {part for name in called_javascript_names(call) for part in re.findall(r"[\w$]+", name)}
    return bool(named & set(requirements.symbols))


def _names(line: str) -> list[str]:
    found = _IMPORT.match(line)
    return re.findall(r"[\w$]+", found["names"].removeprefix("* as ")) if found else []


def _subject(requirements: Requirements) -> str:
    stem = requirements.target_file.rpartition("/")[2].partition(".")[0]
    return re.sub(r"[^\w$]+", "_", requirements.symbols[0] if requirements.symbols else stem)
