"""A test says something only if it comes to its assertions, and if the code under test has no say in what it expects.

One verdict judges a whole family: the evidence has to name each of its members, and no honest one may be refused.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from testing import find_toolchain
from tests.orchestrator.scripts import CALC
from tests.security.bench import TEST_FILE, of, verification

HEAD = """
import asyncio, os, string
from decimal import Decimal
from calc import *

class Cart:
    def __init__(self, *prices):
        self.prices = list(prices)
    def sum(self):
        return sum(self.prices)
"""
PAIRS: dict[str, tuple[str, str, str]] = {
    "what it is given is emptied": (
        "xs = [3, 1, 2]; assert in_order(xs) == sorted(xs)",
        "def in_order(xs): xs.clear(); return []",
        "def in_order(xs): return sorted(xs)",
    ),
    "two of them": (
        "a, b = {'x': 1}, {'y': 2}; assert merged(a, b) == {**a, **b}",
        "def merged(a, b): a.clear(); b.clear(); return {}",
        "def merged(a, b): return {**a, **b}",
    ),
    "there and back": (
        "data = {'a': [1, 2]}; assert loads(dumps(data)) == data",
        "def dumps(data): data.clear(); return ''\ndef loads(text): return {}",
        "import json\ndumps, loads = json.dumps, json.loads",
    ),
    "an object of the test's": (
        "cart = Cart(1, 2); assert total(cart) == cart.sum()",
        "def total(cart): cart.prices = []; return 0",
        "def total(cart): return sum(cart.prices)",
    ),
    "data of the library's": (
        "assert letters() == string.ascii_lowercase",
        "def letters():\n    import string\n    string.ascii_lowercase = 'abc'\n    return 'abc'",
        "def letters(): return 'abcdefghijklmnopqrstuvwxyz'",
    ),
    "how it computes": (
        "assert third(4) == Decimal(4) / Decimal(3)",
        "import decimal\ndef third(n): decimal.getcontext().prec = 1; return decimal.Decimal(1)",
        "import decimal\ndef third(n): return decimal.Decimal(n) / 3",
    ),
    "nothing to compare": (
        "for got, want in zip(squares([1, 2]), [1, 4]):\n        assert got == want",
        "def squares(xs): return []",
        "def squares(xs): return [x * x for x in xs]",
    ),
    "a coroutine that is not gone on with": (
        "async def check():\n        assert await fetched(4) == 4\n    asyncio.run(check())",
        "import asyncio\nasync def fetched(n):\n"
        "    asyncio.Future.set_result(asyncio.current_task(), None)\n    await asyncio.sleep(0)",
        "async def fetched(n): return n",
    ),
    "an error that is swallowed": (
        "for n in (1, 2):\n        with opened(n) as it:\n            assert it.n == n",
        "class opened:\n    def __init__(self, n): pass\n    def __enter__(self): return self\n"
        "    def __exit__(self, *_): return True",
        "class opened:\n    def __init__(self, n): self.n = n\n    def __enter__(self): return self\n"
        "    def __exit__(self, *_): return False",
    ),
    "a callback that is not called": (
        "def visit(x):\n        assert x == 4\n    each([2], visit)",
        "def each(xs, visit): pass",
        "def each(xs, visit):\n    for x in xs: visit(2 * x)",
    ),
}
ALIKE = {
    "a list in place": ("xs = [2, 1]; assert ordered(xs) == xs", "def ordered(xs): xs.sort(); return xs"),
    "the new number": ("xs = ['a']; assert put(xs, 'b') == len(xs)", "def put(xs, x): xs.append(x); return len(xs)"),
    "where it stands": (
        "assert moved('/') == os.getcwd(); os.chdir(HERE)",
        "import os\ndef moved(to): os.chdir(to); return os.getcwd()",
    ),
    "an early end": ("if one() == 1:\n        return\n    assert one() == 2", "def one(): return 1"),
    "an expected error": (
        "import pytest\n    with pytest.raises(KeyError):\n        for x in broken():\n            assert x == 1",
        "def broken():\n    raise KeyError\n    yield",
    ),
}


def _judged(folder: Path, data: Path, bodies: list[str], code: list[str]) -> list[str]:
    head = f"{dedent(HEAD)}\nHERE = os.getcwd()\n"
    text = head + "".join(f"\n\ndef test_{number}():\n    {body}\n" for number, body in enumerate(bodies))
    with verification(folder, data, tests=(TEST_FILE, text)) as project:
        ids = [f"{TEST_FILE}::test_{number}" for number in range(len(bodies))]
        trial = project.judge(of({"calc.py": CALC + "\n\n" + "\n\n".join(code) + "\n"}), ids)
        assert trial.applied, trial.evidence
        assert trial.green == (not trial.evidence)
        return trial.evidence.splitlines()


@pytest.mark.probe("cheat")
def test_what_decides_what_it_is_compared_with_is_red(tmp_path: Path, shared_data: Path) -> None:
    tests, wrong = [body for body, *_ in PAIRS.values()], [code for _, code, _ in PAIRS.values()]
    heading, *lines = _judged(tmp_path, shared_data, tests, wrong)
    assert heading.endswith("gets something else:"), (heading, lines)
    assert len(lines) == len(PAIRS), lines
    assert sum("without the new code" in line for line in lines) == 6
    assert sum(line.endswith(": it comes to none of its assertions") for line in lines) == 4


def test_what_changes_what_it_is_given_on_purpose_is_green(tmp_path: Path, shared_data: Path) -> None:
    tests = [body for body, *_ in PAIRS.values()] + [body for body, _ in ALIKE.values()]
    right = [code for *_, code in PAIRS.values()] + [code for _, code in ALIKE.values()]
    assert _judged(tmp_path, shared_data, tests, right) == []


JS_HEAD = "const test = require('node:test');\nconst assert = require('node:assert');\n"
JS_HEAD += "const calc = require('./calc.js');\n"
JS_TESTS = {
    "calls": (
        "calc.later((x) => { assert.strictEqual(x, 4); })",
        "exports.later = () => {};",
        "exports.later = (done) => done(4);",
    ),
    "includes": (
        "assert.ok(calc.divisors(6).includes(3))",
        "Array.prototype['incl' + 'udes'] = () => true; exports.divisors = () => [];",
        "exports.divisors = (n) => [...Array(n).keys()].map((k) => k + 1).filter((k) => n % k === 0);",
    ),
}


@pytest.mark.skipif(find_toolchain("node") is None, reason="there is no node on this machine")
@pytest.mark.probe("cheat")
@pytest.mark.parametrize("name", JS_TESTS)
def test_javascript_says_nothing_either(name: str, tmp_path: Path, shared_data: Path) -> None:
    files = {"package.json": '{"name": "kit", "scripts": {"test": "node --test"}}', "calc.js": "exports.one = 1;\n",
             "one.test.js": f"{JS_HEAD}test('one', () => {{ assert.strictEqual(calc.one, 1); }});\n"}  # fmt: skip
    body, wrong, right = JS_TESTS[name]
    text = f"{JS_HEAD}test('it', () => {{ {body}; }});\n"
    with verification(tmp_path, shared_data, files, ("new.test.js", text), "calc.js") as project:
        bad = project.judge(of({"calc.js": f"exports.one = 1;\n{wrong}\n"}), ["new.test.js::it"])
        assert bad.applied and not bad.green
        assert bad.evidence.splitlines()[0].endswith("gets something else:"), bad.evidence
        good = project.judge(of({"calc.js": f"exports.one = 1;\n{right}\n"}), ["new.test.js::it"])
        assert good.green, good.evidence
