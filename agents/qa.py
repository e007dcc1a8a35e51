"""QA: the tests that exist before the code does. Stated examples become tests by code; a model adds more."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.answers import AssertionList, Requirements, TestCase
from agents.base import BaseAgent
from agents.developer import FileText
from agents.prompts import render
from agents.stated.examples import Example, called_methods, called_names, free_names, stated_examples
from agents.stated.javascript_rendering import (
    javascript_assertion_lines,
    javascript_cases_from_assertions,
    javascript_cases_from_examples,
    tested_call,
)
from agents.stated.rendering import assertion_of, subject
from file_system import is_javascript
from llm import CallContext, TruncatedOutput, Turn
from memory import Task
from testing import Survivor

_STDLIB_IMPORTS = {
    **{
        name: f"import {name}"
        for name in (
            "re",
            "math",
            "json",
            "datetime",
            "itertools",
            "collections",
            "string",
            "decimal",
            "fractions",
            "pathlib",
            "os",
            "io",
            "time",
            "calendar",
            "dataclasses",
            "enum",
            "random",
            "statistics",
            "textwrap",
            "functools",
        )
    },
    **{name: f"from datetime import {name}" for name in ("date", "timedelta", "timezone")},
    **{name: f"from collections import {name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")},
    "Decimal": "from decimal import Decimal",
    "Fraction": "from fractions import Fraction",
    "Path": "from pathlib import Path",
}
_LONGEST_ASSERTION = 300


@dataclass(frozen=True)
class TestAssignment:
    """What QA with tools begins with."""

    __test__ = False

    project: str
    """Facts about the project: its folders, its tests, its conventions."""
    kind: str = ""
    lessons: str = ""
    places: Sequence[FileText] = ()
    """The code that the task names, and a test of it."""
    examples_file: str = ""
    examples: str = ""
    """The tests that code has made of stated examples."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Examples of which it could not: call -> reason."""


class QAAgent(BaseAgent):
    name = "qa"
    role = "QA engineer"
    duty = "You write tests before the code exists. Each test checks one thing that follows from the task."
    working = (
        "Write the few telling tests that this project's maintainer would want, where and how the project writes its "
        "tests, each following from the task's words. Only tests and their fixtures are yours to change. New tests "
        "must fail on the code as it is, for the reason that the task is about. Change an existing test only where the "
        "task changes what it states, and name it in changed_tests. If the code does already what the task asks for, "
        "show it with a test that passes and call already_done. If what you are shown suffices, write the tests "
        "and call finish_tests at once; else look first, once, also at what the developer has to change (a changelog, "
        "documentation), and name those places in finish_tests, so that nobody looks again. Refactoring, "
        "documentation, configuration, performance and tests alone have kinds of their own there, and need tests only "
        "where they help: code that a refactoring touches and no test runs needs some that pin down what it does; "
        "tests alone have to run, or to notice, what no test does yet. A command line or a service is started by its "
        "test and used over its own interface, on loopback. Ask the owner only what neither the task nor the code can "
        "answer."
    )
    opening = "write_tests"
    setting_up = (
        "Find the command that sets this project up so that its own tests run: look at how the project itself does it "
        "(CI files, tox or nox, Makefile, contributing guide, Dockerfile, extras and requirements for tests), try it "
        "with try_setup, read what is missing, and try again. Tests run without network later. Services that cannot be "
        "started here are the owner's: then say with cannot_set_up what to do. End with finish_setup as soon as the "
        "suite runs; single tests that fail are no reason to go on."
    )
    """How it works while it finds out how a project is set up."""

    def begin_setup(self, command: str, told: str, files: str) -> Turn:
        """The first turn of a conversation about how the project is set up."""
        return Turn("user", render("set_up", command=command, told=told, files=files))

    def dispute(self, test: str, reason: str, change: str, result: str) -> str:
        """The words in which the developer's dispute of a test comes into QA's conversation, with the developer's
        `change` so far and how the tests end with it."""
        return render("disputed_test", test=test, reason=reason, change=change, result=result)

    def tests_from_examples(self, task: Task, requirements: Requirements, modules: Mapping[str, str]) -> list[TestCase]:
        """One test per stated example that names what the task is about; no model is asked.

        `modules`: importable names of the project (function, class, module or package) -> import statement.
        """
        if is_javascript(requirements.target_file):
            return javascript_cases_from_examples(task, requirements, modules)
        examples = stated_examples(f"{task.title}\n{task.description}")
        cases: list[TestCase] = []
        for example in examples:
            if not _about(example, requirements.symbols):
                continue
            imports = _imports(example, requirements, modules)
            if imports is not None:
                name = f"test_{subject(requirements)}_{len(cases) + 1}"
                cases.append(TestCase(name=name, lines=[*imports, *example.setup, *assertion_of(example)]))
        return cases

    def unusable_examples(self, task: Task, requirements: Requirements, modules: Mapping[str, str]) -> dict[str, str]:
        """The stated examples of which `tests_from_examples` makes no test: the call, and why not."""
        if is_javascript(requirements.target_file):
            return {}
        unusable: dict[str, str] = {}
        for example in stated_examples(f"{task.title}\n{task.description}"):
            if not _about(example, requirements.symbols):
                unusable[example.call] = f"it does not call {' or '.join(requirements.symbols) or 'a name of the task'}"
            elif unknown := [name for name in free_names(example) if _import_of(name, requirements, modules) is None]:
                unusable[example.call] = f"nothing in the project is called {', '.join(sorted(unknown))}"
        return unusable

    def write_assertions(
        self,
        task: Task,
        requirements: Requirements,
        examples: Sequence[TestCase],
        count: int,
        context: CallContext,
        lessons: str = "",
    ) -> list[str]:
        """`count` further assertions, asked of the model and taken apart by code: one `assert` line each.

        A model that does not judge is shown no `lessons` of earlier tasks, and answers in plain text.
        """
        prompt = self._prompt(
            "write_assertions",
            task,
            symbols=", ".join(requirements.symbols),
            first_symbol=requirements.symbols[0] if requirements.symbols else "function",
            module=requirements.module or requirements.target_file,
            examples=[case.lines[-1] for case in examples],
            count=count,
            javascript=is_javascript(requirements.target_file),
            plain=not self.profile.judges,
            lessons=lessons if self.profile.judges else "",
        )
        if not self.profile.judges:
            limit = 40 * count + 100
            try:
                text = self.llm.generate(
                    prompt, system=self.system_prompt, temperature=0.0, max_tokens=limit, context=context
                )
            except TruncatedOutput as cut:
                text = cut.partial  # a small model may go on for ever; what is complete counts
            return (
                javascript_assertion_lines(text) if is_javascript(requirements.target_file) else assertion_lines(text)
            )
        return self.structured(prompt, AssertionList, context).assertions

    def write_missing_assertions(
        self,
        task: Task,
        requirements: Requirements,
        cases: Sequence[TestCase],
        survivors: Sequence[Survivor],
        context: CallContext,
    ) -> list[str]:
        """Assertions that notice `survivors`, faults that `cases` do not, one `assert` line for each at most."""
        prompt = self._prompt(
            "missing_case",
            task,
            first_symbol=requirements.symbols[0] if requirements.symbols else "function",
            module=requirements.module,
            tests=[case.statements[-1] for case in cases],
            survivors=survivors,
        )
        return self.structured(prompt, AssertionList, context).assertions[: len(survivors)]

    def missing_cases(
        self,
        assertions: Sequence[str],
        requirements: Requirements,
        modules: Mapping[str, str],
        known: Sequence[TestCase],
    ) -> list[TestCase]:
        """The usable ones of `assertions` as tests, as `cases_from_assertions` gives them."""
        cases = self.cases_from_assertions(assertions, requirements, modules, known, len(assertions))
        return [missing_case(requirements, number, case.lines) for number, case in enumerate(cases, start=1)]

    def cases_from_assertions(
        self,
        assertions: Sequence[str],
        requirements: Requirements,
        modules: Mapping[str, str],
        known: Sequence[TestCase],
        limit: int,
    ) -> list[TestCase]:
        """The usable ones of `assertions` as tests: they parse, call what the task is about, and are new."""
        if is_javascript(requirements.target_file):
            return javascript_cases_from_assertions(assertions, requirements, modules, known, limit)
        seen = {_normal(case.lines[-1]) for case in known}
        calls_seen = {_call_key(case.lines[-1]) for case in known}
        cases: list[TestCase] = []
        for text in assertions:
            line = text.strip()
            example = _as_example(line)
            if example is None or not _about(example, requirements.symbols) or _normal(line) in seen:
                continue
            # The same call with another value contradicts what the owner stated.
            if _call_key(line) in calls_seen:
                continue
            imports = _imports(example, requirements, modules)
            if imports is None:
                continue
            seen.add(_normal(line))
            calls_seen.add(_call_key(line))
            name = f"test_{subject(requirements)}_more_{len(cases) + 1}"
            cases.append(TestCase(name=name, lines=[*imports, line], origin="qa"))
            if len(cases) == limit:
                break
        return cases


def missing_case(requirements: Requirements, number: int, lines: Sequence[str]) -> TestCase:
    """Case `number` (from 1) of those that were found missing."""
    return TestCase(name=f"test_{subject(requirements)}_missing_{number}", lines=list(lines), origin="mutant")


def contradicting(cases: Sequence[TestCase]) -> list[list[TestCase]]:
    """Groups of `cases` that say different things of the same call."""
    by_call: dict[tuple[str, ...], dict[str, TestCase]] = {}
    for case in cases:
        *before, said = case.statements
        same_call = by_call.setdefault((*before, _stated_call(said)), {})
        same_call.setdefault(_normal(said), case)
    return [list(group.values()) for group in by_call.values() if len(group) > 1]


def assertion_lines(text: str) -> list[str]:
    """Every line of a model's answer that begins with `assert`, without its comment; the last may be cut off."""
    fences = re.findall(r"```(?:python)?\n(.*?)(?:```|\Z)", text, re.DOTALL)
    source = "\n".join(fences) if fences else text
    found = []
    for line in source.splitlines():
        stripped = line.strip().lstrip("-* ").strip()
        if stripped.startswith("assert ") and len(stripped) <= _LONGEST_ASSERTION:
            found.append(
                re.sub(r"\s+#.*$", "", stripped) if "'#" not in stripped and '"#' not in stripped else stripped
            )
    return found


def _as_example(line: str) -> Example | None:
    try:
        tree = ast.parse(line)
    except (SyntaxError, ValueError):
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Assert) or len(line) > _LONGEST_ASSERTION:
        return None
    return Example(ast.unparse(tree.body[0].test))


def _about(example: Example, symbols: Sequence[str]) -> bool:
    names = {part for name in called_names(example) for part in name.split(".")} | set(called_methods(example))
    return bool(names & {symbol.rpartition(".")[2] for symbol in symbols})


def _imports(example: Example, requirements: Requirements, modules: Mapping[str, str]) -> list[str] | None:
    """Import lines for all names `example` needs; None when one of them is unknown."""
    lines = [_import_of(name, requirements, modules) for name in sorted(free_names(example))]
    known = [line for line in lines if line is not None]
    return list(dict.fromkeys(known)) if len(known) == len(lines) else None


def _import_of(name: str, requirements: Requirements, modules: Mapping[str, str]) -> str | None:
    """The line that imports `name`; None when it is unknown."""
    if name not in modules and name in {symbol.partition(".")[0] for symbol in requirements.symbols}:
        return f"from {requirements.module} import {name}"
    return modules.get(name) or _STDLIB_IMPORTS.get(name) or ("import pytest" if name == "pytest" else None)


def _normal(line: str) -> str:
    try:
        return ast.unparse(ast.parse(line))
    except (SyntaxError, ValueError):
        return line


def _stated_call(line: str) -> str:
    """What a stated example's test calls, in normal form, whatever it says of it."""
    if call := tested_call(line):
        return call
    if line.startswith("with pytest.raises("):
        return _normal(line.partition(":\n")[2].strip())
    return _call_key(line)


def _call_key(line: str) -> str:
    """The left side of a comparison, in normal form: what is called with what."""
    try:
        body = ast.parse(line).body
    except (SyntaxError, ValueError):
        return line
    test = body[0].test if body and isinstance(body[0], ast.Assert) else None
    return ast.unparse(test.left) if isinstance(test, ast.Compare) else line
