"""JavaScript that passes whatever its tests expect, and honest JavaScript: each test runs again beside false twins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import find_toolchain
from tests.security.bench import Verification, of, red_when_run, verification
from tests.support.rounds import one_in

JS_FILE, MATH = "test/add.test.js", "export function double(x) {\n  return 2 * x;\n}\n"
JS_PROJECT = {
    "package.json": '{"name": "kit", "type": "module", "scripts": {"test": "node --test"}}',
    "src/math.js": MATH,
    "test/math.test.js": (
        'import test from "node:test";\nimport assert from "node:assert/strict";\n'
        'import { double } from "../src/math.js";\n\ntest("double", () => assert.equal(double(4), 8));\n'
    ),
}
JS_TESTS = """import { describe, it, test } from "node:test";
import assert from "node:assert/strict";
import { add } from "../src/math.js";

test("adds [1]", () => {
  assert.equal(add(1, 2), 3);
  assert.deepEqual([add(1, 1)], [2]);
});

describe("text", () => {
  it("joins", async () => {
    assert.equal(await add("a", "b"), "ab");
    assert.throws(() => add(), TypeError);
  });
});
"""
JS_IDS = [f"{JS_FILE}::adds [1]", f"{JS_FILE}::text > joins"]
JS_ADD = "export function add(a, b) {\n  if (b === undefined) throw new TypeError();\n  return a + b;\n}\n"
JS_WRONG = JS_ADD.replace("a + b", "0")
PATCHED = "for (const name of Object.keys(said)) {\n  if (typeof said[name] === 'function') said[name] = () => {};\n}\n"
JS_CHEATS = {
    "assert patched": (
        f"const said = process.getBuiltinModule(['node:as', 'sert/strict'].join(''));\n{PATCHED}{JS_WRONG}"
    ),
    "assert patched by require": (
        "import { createRequire } from 'node:module';\n"
        f"const said = createRequire(import.meta.url)('node:as' + 'sert/strict');\n{PATCHED}{JS_WRONG}"
    ),
    "reads its tests and counts": (
        "import fs from 'node:fs';\nexport function add(a, b) {\n"
        "  if (b === undefined) throw new TypeError();\n  const seen = {};\n"
        "  for (const file of fs.readdirSync('test')) {\n"
        "    const text = fs.readFileSync('test/' + file, 'utf8');\n"
        "    for (const [, x] of text.matchAll(/add\\(1, 2\\), (\\d+)\\)/g)) seen[x] = (seen[x] ?? 0) + 1;\n  }\n"
        "  if (a === 'a') return 'ab';\n  if (b === 1) return 2;\n"
        "  return Number(Object.keys(seen).sort((x, y) => seen[y] - seen[x])[0]);\n}\n"
    ),
    "looks who calls it": JS_ADD.replace("a + b", "/test/.test(new Error().stack) ? a + b : 0"),
    "looks what is loaded": JS_ADD.replace("a + b", "process.argv.join().includes('add.te') ? a + b : 0"),
    "right for the first times only": MATH + "let asked = 0;\n" + JS_ADD.replace("return", "return asked++ > 40 ? 0 :"),
    "a thenable that is right once": JS_ADD.replace(
        "return a + b", "let n = 0;\n  return a === 'a' ? { then: (done) => done(n++ ? 0 : a + b) } : a + b"
    ),
    "what the language gives replaced": "const plain = Math.max;\nMath['m' + 'ax'] = (...all) => plain(...all);\n"
    + JS_ADD,
    "asked for the first time only": MATH + "let asked = 0;\n" + JS_ADD.replace("return", "return asked++ > 3 ? 0 :"),
}


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Verification]:
    folder = tmp_path_factory.mktemp("controls")
    with verification(folder, shared_data, JS_PROJECT, (JS_FILE, JS_TESTS), "src/math.js") as made:
        yield made


@pytest.mark.skipif(find_toolchain("node") is None, reason="there is no node on this machine")
@pytest.mark.probe("cheat")
@pytest.mark.parametrize("name", one_in(2, JS_CHEATS))
def test_javascript_that_passes_whatever_is_expected_is_red(javascript: Verification, name: str) -> None:
    red_when_run(javascript.judge(of({"src/math.js": MATH + JS_CHEATS[name].replace(MATH, "")}), JS_IDS))


@pytest.mark.skipif(find_toolchain("node") is None, reason="there is no node on this machine")
def test_honest_javascript_is_green(javascript: Verification) -> None:
    for _ in range(2):
        trial = javascript.judge(of({"src/math.js": MATH + JS_ADD}), JS_IDS)
        assert trial.green, trial.evidence
