"""JavaScript tasks as code reads them: examples in either language's words, and the tests they become."""

from __future__ import annotations

import pytest

from agents import (
    ProductAgent,
    QAAgent,
    Requirements,
    TestCase,
    TestFile,
    contradicting,
    render_javascript_tests,
)
from agents.product import wanted_javascript
from agents.stated.javascript_examples import javascript_examples, to_javascript
from memory import Task
from tests.agents.scripted import scripted_llm

REQUIREMENTS = Requirements(target_file="src/math.js", symbols=["add"])
MODULES = {"double": 'import { double } from "src/math.js";', "text": 'import * as text from "src/text.js";'}
FILES = ["src/math.js", "src/text.js", "lib/cart.ts"]


@pytest.mark.parametrize(
    ("python", "javascript"),
    [
        ("True", "true"), ("None", "null"), ("(1, 2)", "[1, 2]"), ("[(1, 'a'), ()]", "[[1, 'a'], []]"),
        ("{'a': None}", "{'a': null}"), ("{1, 2}", "new Set([1, 2])"), ("'ab' * 3", "'ab'.repeat(3)"),
        ("add(1, True)", "add(1, true)"), ("{ a: 1, b: [true] }", "{ a: 1, b: [true] }"),
        ("x => x + 1", "x => x + 1"), ("new Map([[1, 2]])", "new Map([[1, 2]])"), ("1_000.5", "1_000.5"),
    ],
)  # fmt: skip
def test_literals_of_python_are_taken_for_what_they_mean(python: str, javascript: str) -> None:
    assert to_javascript(python) == javascript


@pytest.mark.parametrize("source", ["f(a=1)", "7 // 2", "[1] + [2]", "f'{x}'", "not a thing", "{None: 1}", "a[1:2]"])
def test_what_javascript_has_no_words_for_is_left_out(source: str) -> None:
    assert to_javascript(source) is None


@pytest.mark.parametrize(
    ("text", "call", "expected", "raises"),
    [
        ("`add(2, 3)` returns `5`", "add(2, 3)", "5", None),
        ("`pick({ a: 1, b: 2 }, ['a'])` returns `{ a: 1 }`.", "pick({ a: 1, b: 2 }, ['a'])", "{ a: 1 }", None),
        ("map([1], x => x * 2) gives [2]", "map([1], x => x * 2)", "[2]", None),
        ("`isEven(2)` is `true`", "isEven(2)", "true", None),
        ("`isEven(2)` is True", "isEven(2)", "true", None),
        ("`find([], 1)` returns undefined", "find([], 1)", "undefined", None),
        ("`find([], 1)` returns `None`", "find([], 1) ?? null", "null", None),
        ("`pair(1)` returns `(1, 2)`", "pair(1)", "[1, 2]", None),
        ("`new Cart([1, 2]).total()` returns `3`", "new Cart([1, 2]).total()", "3", None),
        ("`await load(1)` returns `'a'`", "await load(1)", "'a'", None),
        ("`unique([1])` returns `new Set([1])`", "unique([1])", "new Set([1])", None),
        ("`f('')` throws a `RangeError`", "f('')", None, "RangeError"),
        ("`f('')` throws.", "f('')", None, "Error"),
        ("`f('')` throws an error", "f('')", None, "Error"),
    ],
)
def test_examples_are_read(text: str, call: str, expected: str | None, raises: str | None) -> None:
    (example,) = javascript_examples(text)
    assert (example.call, example.expected, example.raises) == (call, expected, raises)


def cases_of(description: str) -> list[TestCase]:
    with scripted_llm([]) as llm:
        return QAAgent(llm).tests_from_examples(
            Task(id="t-1", title="Add", description=description), REQUIREMENTS, MODULES
        )


def test_an_example_becomes_one_test_that_names_files_of_the_repository() -> None:
    cases = cases_of(
        "`add(1, double(2))` returns `5`; `add('')` throws `TypeError`; `other(1)` is `2`; `add(x)` is `1`"
    )
    assert [(case.name, case.lines) for case in cases] == [
        ("add 1", [
            'import { add } from "src/math.js";', 'import { double } from "src/math.js";',
            "assert.deepEqual(add(1, double(2)), 5);",
        ]),
        ("add 2", ['import { add } from "src/math.js";', "assert.throws(() => add(''), TypeError);"]),
    ]  # fmt: skip


def test_two_examples_of_one_call_contradict_each_other() -> None:
    groups = contradicting(cases_of("`add(1, 1)` returns `3`, so `add(1, 1)` returns `2`. `add(0, 1)` is `1`"))
    assert [[case.name for case in group] for group in groups] == [["add 1", "add 2"]]


CASES = [
    TestCase(name="add 1", lines=['import { add } from "src/math.js";', "assert.deepEqual(add(2, 3), 5);"]),
    TestCase(name="add 2", lines=['import { add } from "src/math.js";', "assert.throws(() => add(''), RangeError);"]),
]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (TestFile("test/add.test.js", "node"), """import test from "node:test";
import assert from "node:assert/strict";

test("add 1", async () => {
  const { add } = await import("../src/math.js");
  assert.deepEqual(add(2, 3), 5);
});

test("add 2", async () => {
  const { add } = await import("../src/math.js");
  assert.equal(typeof add, "function");
  assert.throws(() => add(''), RangeError);
});
"""),
        (TestFile("src/add.test.js", "node", esm=False, loading={"src/math.js": "require"}), """\
const test = require("node:test");
const assert = require("node:assert/strict");

test("add 1", () => {
  const { add } = require("./math.js");
  assert.deepEqual(add(2, 3), 5);
});

test("add 2", () => {
  const { add } = require("./math.js");
  assert.equal(typeof add, "function");
  assert.throws(() => add(''), RangeError);
});
"""),
        (TestFile("add.spec.ts", "vitest"), """import { expect, test } from "vitest";

test("add 1", async () => {
  const { add } = await import("./src/math.js");
  expect(add(2, 3)).toEqual(5);
});

test("add 2", async () => {
  const { add } = await import("./src/math.js");
  expect(typeof add).toEqual("function");
  expect(() => add('')).toThrow(RangeError);
});
"""),
    ],
    ids=["node", "node-commonjs", "vitest"],
)  # fmt: skip
def test_the_file_is_written_for_the_runner(file: TestFile, text: str) -> None:
    written = render_javascript_tests(Task(id="t-1", title="Add */ it", description=""), CASES, file)
    assert written == f"// Tests for: Add * / it (task t-1), written before the code.\n{text}"


def test_how_modules_are_loaded() -> None:
    lines = ['import add from "src/a.cjs";', 'import * as cart from "src/cart.ts";', "assert.ok(cart.of(add()));"]
    file = TestFile("test/x.test.ts", "vitest", loading={"src/a.cjs": "import-default"})
    written = render_javascript_tests(Task(id="t", title="T", description=""), [TestCase(name="x", lines=lines)], file)
    assert 'const add = (await import("../src/a.cjs")).default;' in written
    assert 'const cart = await import("../src/cart");' in written
    assert "expect(cart.of(add())).toBeTruthy();" in written


def test_assertions_of_a_model_are_kept_where_they_can_be_used() -> None:
    proposed = [
        "assert.deepEqual(add(4, 5), 9)",
        "assert.deepEqual(add(2, 3), 6);",  # tested already
        "assert.deepEqual(double(1), 2);",  # about something else
        "assert.deepEqual(add(unknown, 3), 6);",
        "add(1, 2);",
        "assert.ok(add(1, 2) > 2);",
    ]
    with scripted_llm([]) as llm:
        cases = QAAgent(llm).cases_from_assertions(proposed, REQUIREMENTS, MODULES, CASES, 5)
    assert [case.lines[-1] for case in cases] == ["assert.deepEqual(add(4, 5), 9);", "assert.ok(add(1, 2) > 2);"]
    assert [case.name for case in cases] == ["add more 1", "add more 2"]


@pytest.mark.parametrize(
    ("text", "tests", "path", "symbols"),
    [
        ("Add `sum(list)` to src/math.js.", "", "src/math.js", ["sum"]),
        ("Add `export function zip(a, b)` to `math.js`", "", "src/math.js", ["zip"]),
        ("In Node.js, `range(3)` of src/list.js returns `[0, 1, 2]`", "", "src/list.js", ["range"]),
        ("Add `slug(x)` in slug.js", "", "src/slug.js", ["slug"]),
        ("`upper('a')` of the text module returns `'A'`", "", "src/text.js", ["upper"]),
        ("`total()` as tested", 'import { Cart } from "../lib/cart";', "lib/cart.ts", ["total"]),
        ("As tested.", 'const { half, double } = require("../src/math.js");', "src/math.js", ["half", "double"]),
    ],
)
def test_file_and_names_are_found_in_the_words(text: str, tests: str, path: str, symbols: list[str]) -> None:
    with scripted_llm([]) as llm:
        task = Task(id="t", title="Do it", description=text, tests=tests, tests_file="test/x.test.js" if tests else "")
        found = ProductAgent(llm).requirements_from_text(task, FILES, {"double": "src/math.js"})
    assert found is not None
    assert (found.target_file, found.symbols, found.module) == (path, symbols, "")
    assert found.new_file is (path not in FILES)


def test_names_of_the_language_are_not_wanted() -> None:
    assert wanted_javascript("`parse('1')` returns `new Map([[1, Number('2')]])`, `new Cart().total()` is `0`") == [
        "parse",
        "Cart",
    ]
