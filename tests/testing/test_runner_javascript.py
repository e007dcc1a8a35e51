"""node:test, vitest and jest in the real sandbox, their packages installed by npm."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest

from testing import (
    Environment,
    EnvironmentManager,
    EnvironmentSetupError,
    Sandbox,
    SandboxLimits,
    TestResult,
    TestRunner,
)
from testing.environments.toolchains import find_toolchain
from testing.frameworks.declared_tests import declared_tests
from testing.frameworks.javascript_report import diagnose_javascript, read_javascript_report
from testing.frameworks.registry import detect_framework
from testing.sandbox.limits import MIB
from tests.testing.conftest import Tree

pytestmark = pytest.mark.skipif(find_toolchain("node") is None, reason="there is no node on this machine")

PACKAGE = '{"name": "kit", "type": "module"}'
MATH = "export function double(x) { return 2 * x; }\n"
CASES = """
test("ok", async () => { const { double } = await import("../src/math.js"); check(double(2), 4); });
test("wrong <b> & 'q'", () => { check({ a: 1 }, { a: 2 }); });
test("missing", async () => { const { add } = await import("../src/math.js"); add(1); });
test("no file", async () => { await import("../src/other.js"); });
test("mistake", () => { gone(1); });
describe("suite", () => {
  it("inner", () => {});
  it.skip("left out", () => {});
  it.todo("later");
  describe("deep", () => { it("bad", () => check(1, 2)); });
});
"""
NODE = 'import test, { describe, it } from "node:test";\nimport assert from "node:assert/strict";\n'
VITEST = 'import { test, describe, it, expect } from "vitest";\n'
JEST = CASES.replace("await import(", "require(").replace("async () =>", "() =>")
BROKEN = {
    "test/b.test.js": 'HEAD import { add } from "../src/math.js"; test("b", () => { add(); });\n',
    "test/c.test.js": 'HEAD test("c", () => {\n',
    "test/d.test.js": 'HEAD import x from "no-such-package"; test("d", () => {});\n',
    "test/e.test.js": 'HEAD import x from "../src/nothing.js"; test("e", () => {});\n',
}
PASSED = {"test/a.test.js::ok", "test/a.test.js::suite > inner"}
SKIPPED = {"test/a.test.js::suite > left out", "test/a.test.js::suite > later"}
RED = {
    ("test/a.test.js::wrong <b> & 'q'", "assertion"),
    ("test/a.test.js::missing", "missing"),
    ("test/a.test.js::no file", "missing"),
    ("test/a.test.js::mistake", "error"),
    ("test/a.test.js::suite > deep > bad", "assertion"),
}


def broken(head: str) -> dict[str, str]:
    return {path: text.replace("HEAD", head.strip()) for path, text in BROKEN.items()}


@pytest.fixture(scope="session")
def roomy() -> Sandbox:
    return Sandbox("required", user="nobody", limits=SandboxLimits(disk_bytes=64 * MIB))


@pytest.fixture
def runner(roomy: Sandbox) -> TestRunner:
    return TestRunner(roomy)


@pytest.fixture
def node_environment(manager: EnvironmentManager, tree: Tree) -> Environment:
    return manager.ensure(tree({"package.json": PACKAGE}), framework="node")


@cache
def npm_registry() -> bool:
    """Whether npm reaches a registry; asked, not assumed, so that nothing is left out where it does."""
    return subprocess.run(["npm", "ping"], capture_output=True, timeout=60).returncode == 0


def with_packages(manager: EnvironmentManager, tree: Tree, framework: str, version: str) -> Environment:
    if not npm_registry():
        pytest.skip("npm reaches no registry")
    package = json.loads(PACKAGE) | {"devDependencies": {framework: version}}
    return manager.ensure(tree({"package.json": json.dumps(package)}), framework=framework)


def test_node_ids_kinds_and_counts(runner: TestRunner, node_environment: Environment, tree: Tree) -> None:
    head = NODE + "const check = assert.deepEqual;\n"
    files = {"package.json": PACKAGE, "src/math.js": MATH, "test/a.test.js": head + CASES, **broken(NODE)}
    result = runner.run_tests(tree(files | {"test/helper.mjs": "console.log(1);\n"}), node_environment)
    assert set(result.passed_ids) == PASSED
    assert set(result.skipped_ids) == SKIPPED
    assert {(failure.test_id, failure.kind) for failure in result.failures} == RED | {
        ("test/b.test.js", "missing"),
        ("test/c.test.js", "syntax"),
        ("test/d.test.js", "collection"),
        ("test/e.test.js", "missing"),
    }
    told = {failure.test_id: failure for failure in result.failures}
    assert told["test/a.test.js::missing"].missing == "add"
    assert told["test/a.test.js::no file"].missing == "src/other.js"
    assert told["test/a.test.js::suite > deep > bad"].location == "test/a.test.js:14"
    assert told["test/b.test.js"].missing == "../src/math.js.add"
    assert "node:internal" not in told["test/a.test.js::missing"].traceback
    assert result.exit_code == 1 and result.tier == 1 and result.problem is None


def test_vitest_ids_kinds_and_counts(runner: TestRunner, manager: EnvironmentManager, tree: Tree) -> None:
    environment = with_packages(manager, tree, "vitest", "^4")
    head = VITEST + "const check = (a, b) => expect(a).toEqual(b);\n"
    files = {"package.json": PACKAGE, "src/math.js": MATH, "test/a.test.js": head + CASES, **broken(VITEST)}
    files["vitest.config.ts"] = 'import { defineConfig } from "vitest/config";\nexport default defineConfig({});\n'
    files["test/t.test.ts"] = VITEST + 'test("typed", () => { const n: number = 1; expect(n).toBe(1); });\n'
    result = runner.run_tests(tree(files), environment)
    assert set(result.passed_ids) == PASSED | {"test/t.test.ts::typed"}
    assert set(result.skipped_ids) == SKIPPED
    assert {(failure.test_id, failure.kind) for failure in result.failures} == RED | {
        ("test/b.test.js::b", "missing"),  # vite binds names late
        ("test/c.test.js", "syntax"),
        ("test/d.test.js", "collection"),
        ("test/e.test.js", "missing"),
    }
    chosen = runner.run_specific_test(tree(files), environment, "test/t.test.ts::typed")
    assert chosen.passed and chosen.test_ids == ["test/t.test.ts::typed"]


@pytest.mark.long
def test_jest_ids_kinds_and_counts(runner: TestRunner, manager: EnvironmentManager, tree: Tree) -> None:
    environment = with_packages(manager, tree, "jest", "^30")
    common = {"package.json": '{"name": "kit"}', "src/math.js": "exports.double = (x) => 2 * x;\n"}
    files = common | {
        "test/a.test.js": "const check = (a, b) => expect(a).toEqual(b);\n" + JEST,
        "test/c.test.js": 'test("c", () => {\n',
        "test/d.test.js": 'require("no-such-package"); test("d", () => {});\n',
        "test/e.test.js": 'require("../src/nothing.js"); test("e", () => {});\n',
    }
    result = runner.run_tests(tree(files), environment)
    assert set(result.passed_ids) == PASSED
    assert set(result.skipped_ids) == SKIPPED
    assert {(failure.test_id, failure.kind) for failure in result.failures} == RED | {
        ("test/c.test.js", "syntax"),
        ("test/d.test.js", "collection"),
        ("test/e.test.js", "missing"),
    }
    modules = {"package.json": PACKAGE, "src/math.js": MATH}
    modules["test/m.test.js"] = 'test("m", async () => { (await import("../src/math.js")).double(1); });\n'
    assert runner.run_tests(tree(modules), environment).passed


def test_mocha_ids_kinds_and_the_scripts_own_options(manager: EnvironmentManager, tree: Tree) -> None:
    environment = with_packages(manager, tree, "mocha", "^11")
    head = 'import { describe, it } from "mocha"; import assert from "node:assert/strict";\nconst test = it;\n'
    package = json.loads(PACKAGE) | {
        "scripts": {"test": "npm run unit", "unit": "X=1 mocha --require ./setup.cjs -R dot 'test/*.test.js'"}
    }
    files = {
        "package.json": json.dumps(package),
        "setup.cjs": "globalThis.ready = process.env.X;\n",
        "src/math.js": MATH,
        "test/a.test.js": f"{head}const check = assert.deepEqual;\n" + CASES.replace('  it.todo("later");\n', ""),
        "test/s.test.js": f'{head}it("is set up", () => assert.equal(globalThis.ready, "1"));\n',
        "test/helper.js": 'throw new Error("no test");\n',
        **broken(head),
    }
    runner = TestRunner(Sandbox("required"))
    result = runner.run_tests(tree(files), environment)
    assert set(result.passed_ids) == PASSED | {"test/s.test.js::is set up"}
    assert set(result.skipped_ids) == {"test/a.test.js::suite > left out"}
    assert {(failure.test_id, failure.kind) for failure in result.failures} == RED | {
        ("test/b.test.js", "missing"),
        ("test/c.test.js", "syntax"),
        ("test/d.test.js", "collection"),
        ("test/e.test.js", "missing"),
    }
    alone = runner.run_specific_test(tree(files), environment, "test/s.test.js::is set up")
    assert alone.passed and alone.test_ids == ["test/s.test.js::is set up"]


def test_another_test_script_is_judged_by_its_exit_code(manager: EnvironmentManager, tree: Tree) -> None:
    runner = TestRunner(Sandbox("required"))
    script = "for f in test/*.js; do node $f || exit 3; done"

    def run(script: str, value: int) -> TestResult:
        package = json.dumps({"scripts": {"test": script, "pretest": "test -e src/math.js"}, "type": "module"})
        files = {
            "package.json": package,
            "src/math.js": MATH,
            "test/a.js": "",
            "test/b.js": f"process.exit({value});\n",
        }
        environment = manager.ensure(tree(files), framework=detect_framework(tree(files)))
        return runner.run_tests(tree(files), environment)

    green, red, gone = run(script, 0), run(script, 1), run("no-such-runner", 0)
    assert green.passed and green.passed_ids == ["test/a.js::npm test", "test/b.js::npm test"]
    assert not red.passed_ids and {failure.kind for failure in red.failures} == {"assertion"}
    assert "exit code 3" in red.failures[0].message
    assert gone.problem is not None and "a program that the test script of package.json needs" in gone.problem


def test_packages_are_seen_read_only_below_the_sources(
    roomy: Sandbox, runner: TestRunner, manager: EnvironmentManager, tree: Tree
) -> None:
    if not npm_registry():
        pytest.skip("npm reaches no registry")
    package = json.loads(PACKAGE) | {"dependencies": {"ms": "2.1.3"}, "workspaces": ["parts/*"]}
    package["scripts"] = {"postinstall": "exit 7"}  # scripts are not run
    part = json.dumps({"name": "part", "version": "1.0.0", "type": "module", "exports": "./index.js"})
    files = {
        "package.json": json.dumps(package),
        "parts/part/package.json": part,
        "parts/part/index.js": "export default 7;\n",
    }
    files["test/a.test.js"] = NODE + (
        'import fs from "node:fs"; import ms from "ms"; import part from "part";\n'
        'test("read-only", () => assert.throws(() => fs.writeFileSync("node_modules/ms/x", ""), /EROFS/));\n'
        'test("values", () => assert.deepEqual([ms("1s"), part], [1000, 7]));\n'
    )
    environment = manager.ensure(tree(files), framework="node")
    assert environment.packages == ["node_modules"]
    assert environment.notes == ["package.json has no npm lock file: the newest allowed versions were installed"]
    result = runner.run_tests(tree(files), environment)
    assert result.passed, result
    files["test/a.test.js"] = NODE + 'import ms from "ms";\ntest("linked", () => assert.equal(ms("1s"), 1000));\n'
    assert TestRunner(Sandbox("off")).run_tests(tree(files), environment).passed


def test_links_that_a_set_up_left_are_neither_mounted_nor_written_through(
    manager: EnvironmentManager, runner: TestRunner, tree: Tree
) -> None:
    home = tree({"profile": "mine"})
    files = {"package.json": PACKAGE, "part/package.json": PACKAGE}
    files["test/a.test.js"] = NODE + 'test("ok", () => {});\n'
    command = (
        f"mkdir node_modules; ln -s {home} part/node_modules; ln -s {home} /env/packages;"
        f"ln -s {home} node_modules/.cache; ln -s {home}/made node_modules/.vite"
    )
    environment = manager.ensure(tree(files), framework="node", setup_command=command)
    assert environment.packages == ["node_modules"]
    assert environment.notes == ["part/node_modules is a link and was left out"]
    assert [path.name for path in home.iterdir()] == ["profile"]
    kept = environment.path / "packages" / "node_modules"
    assert not any(path.is_symlink() for path in (kept.parent, *kept.iterdir()))
    assert runner.run_tests(tree(files), environment).passed


def test_a_runner_that_is_not_installed_is_told(manager: EnvironmentManager, tree: Tree) -> None:
    with pytest.raises(EnvironmentSetupError, match="add vitest to devDependencies"):
        manager.ensure(tree({"package.json": PACKAGE}), framework="vitest")


def test_no_test_is_no_success(runner: TestRunner, node_environment: Environment, tree: Tree) -> None:
    empty = runner.run_tests(tree({"package.json": PACKAGE, "src/math.js": MATH}), node_environment)
    assert not empty.passed and empty.problem == "No test was found."
    quitting = {"package.json": PACKAGE, "test/q.test.js": NODE + 'process.exit(0); test("q", () => {});\n'}
    assert runner.run_tests(tree(quitting), node_environment).problem == "No test was found."


@pytest.mark.parametrize(
    ("files", "framework"),
    [
        ({"package.json": '{"scripts": {"test": "vitest run"}}'}, "vitest"),
        ({"package.json": '{"scripts": {"test": "cross-env X=1 jest"}}'}, "jest"),
        ({"package.json": '{"scripts": {"test": "tsc && node --test"}, "devDependencies": {"jest": "1"}}'}, "node"),
        ({"package.json": '{"devDependencies": {"vitest": "1"}}'}, "vitest"),
        ({"package.json": '{"scripts": {"test": "nyc mocha -r x"}}'}, "mocha"),
        ({"package.json": '{"scripts": {"test": "ts-mocha"}}'}, "script"),
        ({"package.json": '{"scripts": {"test": "npm run build && mocha", "build": "x"}}'}, "script"),
        ({"package.json": '{"scripts": {"test": "eslint . && mocha"}}'}, "mocha"),
        ({"package.json": '{"scripts": {"test": "run-s lint unit"}, "devDependencies": {"vitest": "1"}}'}, "vitest"),
        ({"package.json": '{"scripts": {"test": "npm run -s unit && npm run lint", "unit": "jest"}}'}, "jest"),
        ({"package.json": '{"scripts": {"test": "ava"}, "devDependencies": {"jest": "1"}}'}, "script"),
        ({"package.json": '{"scripts": {"test": "./check.sh"}}'}, "script"),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, "node"),
        ({"package.json": "{}"}, "node"),
        ({"package.json": "not json"}, "node"),
        ({"a.test.mjs": ""}, "node"),
        ({"package.json": "{}", "tests/test_a.py": "def test_a(): pass"}, "pytest"),
        ({"package.json": "{}", "pyproject.toml": ""}, "pytest"),
        ({"package.json": '{"scripts": {"test": "jest"}}', "requirements.txt": "mkdocs"}, "jest"),
    ],
)
def test_the_runner_is_found_in_package_json(tree: Tree, files: dict[str, str], framework: str) -> None:
    assert detect_framework(tree(files)) == framework


def test_the_files_of_the_test_script_are_run(runner: TestRunner, node_environment: Environment, tree: Tree) -> None:
    package = {"type": "module", "scripts": {"test": "node --import ./setup.mjs --test 'checks/**/*.check.js' lib"}}
    one = NODE + 'test("one", () => assert.equal(globalThis.ready, true));\n'
    files = {
        "package.json": json.dumps(package),
        "setup.mjs": "globalThis.ready = true;\n",
        "checks/deep/a.check.js": one,
        "lib/b.test.js": one,
        "lib/c.js": "throw 1;\n",
        "other/d.test.js": one,
    }
    result = runner.run_tests(tree(files), node_environment)
    assert result.passed, result
    assert set(result.passed_ids) == {"checks/deep/a.check.js::one", "lib/b.test.js::one"}


def test_declared_tests_are_read_without_running() -> None:
    text = (
        'import test from "node:test";\ntest("a \\"b\\"", () => {});\n'
        "describe('s', () => { it(`t`, async () => {}); it.only('u', () => {}); it(`no ${x}`, () => {}); });\n"
    )
    ids = ['test/x.test.js::a "b"', "test/x.test.js::s > t", "test/x.test.js::s > u"]
    assert declared_tests(text, "test/x.test.js") == ids
    assert declared_tests("test('a', (n: number) => n as any);", "x.test.ts") == ["x.test.ts::a"]
    assert declared_tests("test('a', () => {", "x.test.js") == []


@pytest.mark.parametrize(
    "text",
    [
        "test.each([[1, 2]])('adds %i', (a, b) => {});",
        "test.each`a\n${1}`('adds $a', ({ a }) => {});",
        "test.for([1])('adds %i', (a) => {});",
        "describe.each([1])('of %i', () => { test('inner', () => {}); });",
        "describe(`of ${x}`, () => { test('inner', () => {}); });",
        "describe.skip('s', () => { test('inner', () => {}); });",
        "test.skip('later', () => {}); it.todo('later');",
        r"test('a\nb', () => {}); test('\u0041', () => {});",
    ],
)
def test_what_no_run_reports_as_passed_under_its_written_title_is_not_declared(text: str) -> None:
    assert declared_tests(text + " test('plain', () => {});", "x.test.ts") == ["x.test.ts::plain"]


def test_what_a_test_prints_does_not_hold_up_its_reading(tmp_path: Path) -> None:
    """Reading that backtracks would not end before the test's time limit."""
    case = {"title": "a", "status": "failed", "failureMessages": ["Error\n at " + "a" * 200_000]}
    (tmp_path / "report.json").write_text(
        json.dumps({"testResults": [{"name": "a.test.js", "status": "failed", "assertionResults": [case]}]})
    )
    (symptom,) = read_javascript_report(tmp_path / "report.json", tmp_path).symptoms
    assert diagnose_javascript(symptom).test_id == "a.test.js::a"
