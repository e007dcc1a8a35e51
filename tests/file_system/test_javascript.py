"""JavaScript and TypeScript: what parses, what is handed out, how an answer's definitions come into a module."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from file_system import (
    CodeMap,
    ElidedCode,
    MergeRefused,
    NoCode,
    SyntaxProblem,
    check_syntax,
    is_test_file,
    javascript_for,
    merge_javascript,
    parse_javascript,
)
from file_system.code.javascript import javascript_expression, javascript_outline_of

ESM = """import fs from "node:fs";

/** Twice. */
export function double(x) {
  return 2 * x;
}

const LIMIT = 3;

console.log("end");
"""
COMMONJS = """"use strict";

const half = (x) => x / 2;

module.exports = { half };
"""


@pytest.mark.parametrize("path", ["a.js", "a.mjs", "a.ts", "a.tsx"])
def test_what_does_not_parse_is_told_with_its_line(path: str) -> None:
    check_syntax(path, "export const f = (a) => ({ ...a, b: a?.b ?? `${1}` });\n")
    with pytest.raises(SyntaxProblem, match=":2: invalid syntax") as told:
        check_syntax(path, "const a = 1;\nfunction f( { return 1; }\n")
    assert "function f(" in str(told.value)


def test_types_parse_in_typescript_only() -> None:
    check_syntax("a.ts", "export function f<T>(a: T): T { return a as T; }\n")
    with pytest.raises(SyntaxProblem):
        check_syntax("a.js", "export function f(a: number) { return a; }\n")


@pytest.mark.parametrize(
    ("text", "names", "signatures"),
    [
        (
            "/** Adds. */\nexport function add(a, b = 1) {}\nexport const sub = async (a) => a;\nfunction own() {}\n",
            ["add", "sub"],
            ["function add(a, b = 1)", "async function sub(a)"],
        ),
        ("const f = x => x;\nmodule.exports = { f, g() {} };\nexports.h = function (a) {};\n", ["f", "g", "h"], [
            "function f(x)", "function g()", "function h(a)",
        ]),
        ("export default function main(a) {}\n", ["main"], ["function main(a)"]),
        ("module.exports = main;\nfunction main(a) {}\n", ["main"], ["function main(a)"]),
        ("const a = () => 1;\nexport { a as b };\n", ["b"], ["function b()"]),
    ],
)  # fmt: skip
def test_exports_are_outlined(text: str, names: list[str], signatures: list[str]) -> None:
    outline = javascript_outline_of("a.js", text)
    assert outline.names() == names
    assert [function.signature for function in outline.functions] == signatures


def test_classes_and_constants_are_outlined() -> None:
    outline = javascript_outline_of("a.ts", "export class Cart { add(x: number): void {} }\nexport const MAX = 3;\n")
    assert outline.names() == ["Cart", "Cart.add", "MAX"]
    assert outline.classes[0].methods[0].signature == "add(x: number): void"


def test_the_map_holds_modules_of_both_languages(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(): pass\n")
    (tmp_path / "b.js").write_text("// Gives one.\nexport function g() { return 1; }\n")
    (tmp_path / "c.js").write_text("function (\n")
    shown = CodeMap.of(tmp_path).render(1000)
    assert "function g() — Gives one." in shown and "def f()" in shown and "c.js  (not parsed: line 1" in shown


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("src/a.test.js", True), ("src/a.spec.tsx", True), ("__tests__/a.js", True), ("test/help.mjs", True),
        ("vitest.config.ts", True), ("src/a.js", False), ("src/contest.js", False), ("src/latest.ts", False),
    ],
)  # fmt: skip
def test_test_files_are_known_by_name_and_folder(path: str, tests: bool) -> None:
    assert is_test_file(path) is tests


def test_definitions_are_replaced_and_added_in_place() -> None:
    code = """import path from "node:path";
/** Two times. */
function double(x) { return x + x; }
// Adds.
function add(a, b) {
  return a + b;
}
console.log(add(1, 2));
"""
    merged = merge_javascript(ESM, code, "a.js", ["add"])
    assert (
        merged.text
        == """import fs from "node:fs";
import path from "node:path";

/** Two times. */
export function double(x) { return x + x; }

const LIMIT = 3;

// Adds.
export function add(a, b) {
  return a + b;
}

console.log("end");
"""
    )
    assert (merged.replaced, merged.added) == (("double",), ("add",))
    assert merge_javascript(merged.text, code, "a.js", ["add"]).text == merged.text


def test_a_commonjs_module_hands_out_what_is_new() -> None:
    code = 'const { z } = require("z");\nfunction add(a, b) { return z(a, b); }\nmodule.exports = { add };\n'
    merged = merge_javascript(COMMONJS, code, "a.js", ["add"])
    assert (
        merged.text
        == """"use strict";
const { z } = require("z");

const half = (x) => x / 2;

function add(a, b) { return z(a, b); }

module.exports = { half, add };
"""
    )
    assert merge_javascript(merged.text, code, "a.js", ["add"]).text == merged.text
    assigned = merge_javascript("exports.f = (x) => x;\n", "exports.g = (a) => a;\nexports.f = (y) => y;\n", "a.js")
    assert assigned.text == "exports.f = (y) => y;\n\nexports.g = (a) => a;\n"


def test_a_new_file_is_written_in_the_manner_of_the_project() -> None:
    code = "function add(a, b) { return a + b; }\n"
    assert merge_javascript("", code, "a.js", ["add"]).text == f"export {code}"
    assert merge_javascript("", code, "a.js", ["add"], esm=False).text == f"{code}\nmodule.exports.add = add;\n"
    assert merge_javascript("", f"export {code}", "a.ts").text == f"export {code}"


def test_code_that_is_not_whole_is_refused() -> None:
    with pytest.raises(MergeRefused):
        merge_javascript(ESM, "double(2);\n", "a.js")
    with pytest.raises(ElidedCode):
        merge_javascript(ESM, "export function double(x) {\n  // ... existing code ...\n}\n", "a.js")
    with pytest.raises(SyntaxProblem):
        merge_javascript(ESM, "function double( {", "a.js")


def test_the_code_of_an_answer_is_found() -> None:
    assert javascript_for("Here:\n```js\nconst a = 1;\n```\n```bash\nnpm test\n```\n", "src/a.js") == "const a = 1;\n"
    assert (
        javascript_for("```js\n// src/b.js\nlet b;\n```\n```js\n// src/a.js\nlet a;\n```\n", "src/a.js") == "let a;\n"
    )
    with pytest.raises(NoCode):
        javascript_for("Nothing.", "src/a.js")
    with pytest.raises(SyntaxProblem):
        javascript_for("```js\nfunction (\n```\n", "src/a.js")


@pytest.mark.parametrize("source", ["1, 2", "7 // 2", "a; b", "f(", "1)(2", "", "const a = 1"])
def test_what_is_not_one_expression_is_none(source: str) -> None:
    assert javascript_expression(source) is None


def test_an_expression_tells_what_it_calls_and_needs() -> None:
    found = javascript_expression("new Cart([1, x]).total((a, { b }) => a + b + c)")
    assert found is not None
    assert found.called == ("new Cart([1, x]).total", "Cart")
    assert found.free == {"Cart", "x", "c"}


@pytest.mark.parametrize(
    ("there", "offered", "added"),
    [
        ('import { a } from "./x.js";', 'import { a, b } from "./x.js";', 'import { b } from "./x.js";'),
        ('import x from "./x.js";', 'import x, { a as c, b } from "./x.js";', 'import { a as c, b } from "./x.js";'),
        ('import { a } from "./x.js";', 'import x, { a } from "./x.js";', 'import x from "./x.js";'),
        ('import { a as c } from "./x.js";', 'import { a } from "./x.js";', 'import { a } from "./x.js";'),
        ('const { a } = require("./x");', 'const { a, b: c } = require("./x");', 'const { b: c } = require("./x");'),
        ('import { a, b } from "./x.js";', 'import { b, a } from "./x.js";', None),
        ('const fs = require("fs");', 'const fs = require("fs");', None),
    ],
)
def test_of_an_import_the_names_that_are_missing_are_added(there: str, offered: str, added: str | None) -> None:
    answer = f"{offered}\n{offered}\nfunction f() {{\n  return 1;\n}}\n"
    text = merge_javascript(f"{there}\n\nconst LIMIT = 3;\n", answer, "a.js").text
    assert text.startswith(f"{there}\n{added}\n\nconst" if added else f"{there}\n\nconst")
    assert text.count("./x") <= 2


def test_an_import_goes_below_the_first_line_of_a_script() -> None:
    script = '#!/usr/bin/env node\n\nconsole.log("a");\n'
    answer = 'import fs from "node:fs";\nexport function f() {\n  return fs;\n}\n'
    assert merge_javascript(script, answer, "a.js").text.startswith('#!/usr/bin/env node\nimport fs from "node:fs";\n')


@pytest.mark.parametrize(
    ("listed", "then"),
    [
        ("{\n  half, // of a number\n}", "{\n  half,\n  add, // of a number\n}"),
        ("{ half /* of a number */ }", "{ half, add /* of a number */ }"),
        ("{\n  // nothing yet\n}", "{ add\n  // nothing yet\n}"),
        ("{}", "{ add }"),
    ],
)
def test_comments_in_what_is_handed_out_are_no_names(listed: str, then: str) -> None:
    module = f"const half = (x) => x / 2;\n\nmodule.exports = {listed};\n"
    answer = "function add(a, b) {\n  return a + b;\n}\n"
    text = merge_javascript(module, answer, "a.js", ["add"], esm=False).text
    assert text.endswith(f"module.exports = {then};\n")


def test_what_is_new_is_handed_out_beside_a_function_that_is_the_module() -> None:
    answer = "function add(a, b) {\n  return a + b;\n}\n"
    text = merge_javascript("function f() {}\n\nmodule.exports = f;\n", answer, "a.js", ["add"]).text
    assert text.index("module.exports = f;") < text.index("module.exports.add = add;")


def test_of_a_name_that_an_answer_gives_twice_the_last_one_counts() -> None:
    answer = "function add() {\n  return 1;\n}\nfunction add() {\n  return 2;\n}\n"
    for module in ("const a = 1;\n", "function add() {\n  return 0;\n}\n"):
        text = merge_javascript(module, answer, "a.js").text
        assert text.count("function add") == 1
        assert "return 2" in text


@pytest.mark.parametrize("piece", ['"', "f'{", "-----BEGIN KEY-----\n"])
def test_a_text_that_is_no_javascript_stops_its_parser(piece: str) -> None:
    started = time.thread_time()
    with pytest.raises(SyntaxProblem):
        parse_javascript("x.js", piece * (1_000_000 // len(piece)))
    assert time.thread_time() - started < 5
