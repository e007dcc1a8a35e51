"""Whole tasks on JavaScript repositories, with real git, sandbox and node and a scripted model server."""

from __future__ import annotations

import json
import subprocess

import pytest

from memory import FailureReason, TaskStatus
from testing.environments.toolchains import find_toolchain
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, git
from tests.orchestrator.scripts import asked, team
from tests.support import Request

pytestmark = pytest.mark.skipif(find_toolchain("node") is None, reason="there is no node on this machine")

MATH = "/** Twice `x`. */\nexport function double(x) {\n  return 2 * x;\n}\n"
ADD = "/** The sum of two numbers. */\nexport function add(a, b) {\n  return a + b;\n}\n"
TASK = "Add `add(a, b)` to src/math.js. `add(1, 2)` returns `3`, `add('a', 'b')` is `'ab'`."
GOOD = f"### src/math.js\n```js\n{MATH}\n{ADD}```\n"
BAD = GOOD.replace("a + b", "a - b")
NODE_FILES = {
    "package.json": json.dumps({"name": "kit", "type": "module", "scripts": {"test": "node --test"}}),
    "src/math.js": MATH,
    "test/math.test.js": """import test from "node:test";
import assert from "node:assert/strict";
import { double } from "../src/math.js";

test("double", () => assert.equal(double(4), 8));
""",
}


def without_python(house: House) -> None:
    git(house.repository, "rm", "-q", "calc.py", "tests/test_calc.py")
    git(house.repository, "commit", "-q", "-m", "JavaScript only")


def landed_file(house: House, path: str) -> str:
    return git(house.repository, "show", f"agents/integration:{path}")


def test_a_task_lands_with_tests_of_node(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[BAD, GOOD]), files=NODE_FILES)
    without_python(house)
    task_id = house.submit(TASK, title="Add add")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED, house.task(task_id).reason_detail
    assert (
        landed_file(house, "test/add.test.js")
        == f"""// Tests for: Add add (task {task_id}), written before the code.
import test from "node:test";
import assert from "node:assert/strict";

test("add 1", async () => {{
  const {{ add }} = await import("../src/math.js");
  assert.deepEqual(add(1, 2), 3);
}});

test("add 2", async () => {{
  const {{ add }} = await import("../src/math.js");
  assert.deepEqual(add('a', 'b'), 'ab');
}});"""
    )
    assert ADD.strip() in landed_file(house, "src/math.js")
    (repair,) = [request.prompt for request in server.requests if "This failed" in request.prompt]
    assert "-1 !== 3" in repair and "test/add.test.js::add 1" in repair and "node:internal" not in repair


def test_a_small_model_writes_one_function_of_a_commonjs_module(make_house: MakeHouse) -> None:
    module = "const half = (x) => x / 2;\n\nmodule.exports = { half };\n"
    files = {
        "package.json": '{"name": "kit"}',
        "lib/half.js": module,
        "lib/half.test.js": """const test = require("node:test");
const assert = require("node:assert");
const { half } = require("./half");

test("half", () => assert.equal(half(4), 2));
""",
    }

    def answer(request: Request) -> str:
        assert asked(request) == "code"
        return "```js\nfunction third(x) {\n  return x / 3;\n}\n\nconsole.log(third(9));\n```\n"

    house, server = make_house(answer, files=files, llm={"profile": "small"})
    without_python(house)
    task_id = house.submit("Add `third(x)` to lib/half.js. `third(9)` returns `3`; `third(None)` returns `0`.", "Third")
    house.run_until_idle()

    assert house.task(task_id).status is TaskStatus.COMPLETED, house.task(task_id).reason_detail
    assert landed_file(house, "lib/half.js") == (
        "const half = (x) => x / 2;\n\nfunction third(x) {\n  return x / 3;\n}\n\nmodule.exports = { half, third };"
    )
    assert 'const { third } = require("./half.js");' in landed_file(house, "lib/third.test.js")
    assert "You work on the JavaScript file `lib/half.js`" in server.requests[0].prompt


@pytest.mark.long
def test_tests_that_the_owner_gave_and_code_that_does_not_parse(make_house: MakeHouse) -> None:
    given = """import test, { describe } from "node:test";
import assert from "node:assert/strict";
import { add } from "../src/math.js";

describe("add", () => {
  test("numbers", () => assert.equal(add(1, 2), 3));
});
"""
    house, server = make_house(team(code=[GOOD.replace("return a", "return (a"), GOOD]), files=NODE_FILES)
    without_python(house)
    tests = house.folder / "sum.test.js"
    tests.write_text(given)
    house.cli("task", "add", "Sum", "-d", "As tested.", "--tests", str(tests))
    house.run_until_idle()

    with house.store() as store:
        (task,) = store.tasks.select()
    assert task.status is TaskStatus.COMPLETED, task.reason_detail
    assert task.result["tests_ids"] == [f"{task.tests_file}::add > numbers"]
    assert any("')' is missing" in request.prompt for request in server.requests)


@pytest.mark.long
def test_work_that_is_done_already_is_told(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), files=NODE_FILES)
    without_python(house)
    task_id = house.submit("In src/math.js, `double(2)` returns `4`.", title="Double")
    house.run_until_idle()
    task = house.task(task_id)
    assert task.reason is FailureReason.INVALID_OUTPUT
    assert "pass before any code is written" in task.reason_detail


def test_a_script_that_does_not_run_the_new_tests_is_told(make_house: MakeHouse) -> None:
    files = NODE_FILES | {
        "package.json": json.dumps(
            {"name": "kit", "type": "module", "scripts": {"test": "node check.js && echo done"}}
        ),
        "check.js": 'import assert from "node:assert";\nassert.equal(1, 1);\n',
    }
    house, _ = make_house(team(), files=files)
    without_python(house)
    task_id = house.submit("In src/math.js, add `half(n)`: `half(4)` returns `2`.", title="Half")
    house.run_until_idle()
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER), task.reason_detail
    assert "does not seem to run them" in task.reason_detail and "testing.test_command" in task.reason_detail


@pytest.mark.long
def test_a_task_lands_with_vitest_from_npm(make_house: MakeHouse) -> None:
    if subprocess.run(["npm", "ping"], capture_output=True, timeout=60).returncode != 0:
        pytest.skip("npm reaches no registry")
    package = {"name": "kit", "type": "module", "scripts": {"test": "vitest run"}, "devDependencies": {"vitest": "^4"}}
    spec = 'import { expect, test } from "vitest";\nimport { double } from "./math";\n\n'
    files = {
        "package.json": json.dumps(package),
        "src/math.ts": MATH.replace("(x)", "(x: number): number"),
        "src/math.spec.ts": spec + 'test("double", () => {\n  expect(double(4)).toBe(8);\n});\n',
    }
    typed = GOOD.replace("(x)", "(x: number): number").replace("(a, b)", "<T>(a: T, b: T): T").replace("a + b", "PLUS")
    code = typed.replace("math.js", "math.ts").replace("PLUS", "((a as any) + b) as T")
    house, _ = make_house(team(code=[code]), files=files)
    without_python(house)
    task_id = house.submit(TASK.replace("math.js", "math.ts"), title="Add add")
    house.run_until_idle()
    assert house.task(task_id).status is TaskStatus.COMPLETED, house.task(task_id).reason_detail
    assert "expect(add(1, 2)).toEqual(3);" in landed_file(house, "src/add.spec.ts")
