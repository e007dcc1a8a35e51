"""Twins of tests: which assertions get a false one, and that what stands there instead is something else."""

from __future__ import annotations

import ast
import re
from collections import deque
from datetime import date, timedelta
from decimal import Decimal
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testing import (
    Opaque,
    whole_tests,
)
from testing.controls import replays_of, twins_of, without_claims
from testing.controls.python import near_value
from testing.controls.values import OtherClass

FILE = "tests/test_it.py"
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers()),
)


@given(PLAIN)
def test_another_value_is_another_value(value: object) -> None:
    assert near_value(value) != value


@given(st.text())
def test_another_text_is_not_the_same_but_for_its_case(text: str) -> None:
    """Equality of the project's own often looks away from it; and what is drawn must not decide a verdict."""
    assert near_value(text).casefold() != text.casefold()


def claims(body: str, decorator: str = "") -> list[str]:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    made = twins_of(FILE, f"import pytest\n\n\n{decorator}\ndef test_it(x):\n{lines}\n", [f"{FILE}::test_it"])
    assert made is not None
    assert len(made.true) == 1
    ast.parse(made.text)
    return sorted(made.false.values())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert x == 1\nassert not x\nassert x in (1, 2)", 3),
        ("for y in x:\n    assert y", 0),
        ("if x:\n    assert x", 0),
        ("if x:\n    return\nassert x == 1", 0),
        ("assert x == 1\nif x:\n    pytest.skip()\nassert x == 2", 1),
        ("def inner():\n    return 1\nassert inner() == 1", 1),
        ("with open(x) as f:\n    assert f", 1),
        ("with suppress(ValueError):\n    assert x", 0),
        ("with pytest.raises(ValueError):\n    assert f(x)", 1),
        ("pytest.raises(ValueError, f, x)", 0),
        ("with open(x) as f:\n    return\nassert x", 0),
        ("self.assertEqual(x, 1)\nself.assertTrue(x)\nself.check(x)", 2),
        ("check(x)", 0),
        ("try:\n    assert x\nexcept ValueError:\n    pass\nassert x == 1", 1),
        ("\n".join(f"assert x == {number}" for number in range(9)), 4),
    ],
)
def test_only_of_what_surely_runs_a_false_twin_is_made(body: str, expected: int) -> None:
    assert len(claims(body)) == expected


def test_what_may_fail_or_takes_long_gets_fewer() -> None:
    body = "assert x == 1\nassert x == 2"
    assert claims(body, "@pytest.mark.xfail") == []
    assert claims(body, "@unittest.skipIf(x, 'y')") == []
    assert len(claims(body, "@pytest.mark.parametrize('x', [1, 2])")) == 1
    assert len(claims(body, "@given(st.integers())")) == 1


@pytest.mark.parametrize(
    "more",
    [
        "def test_other():\n    test_it(2)\n",
        "NAMES = ['test_it']\n",
        "def test_x(snapshot):\n    assert snapshot == 1\n",
    ],
)
def test_where_names_matter_tests_keep_them(more: str) -> None:
    text = f"def test_it(x=1):\n    assert x == 1\n\n\n{more}"
    assert twins_of(FILE, text, [f"{FILE}::test_it"]) is None
    made = twins_of(FILE, text, [f"{FILE}::test_it"], renamed=False)
    assert made is not None
    assert made.true == {}
    assert made.false == {f"{FILE}::test_it": "assert x == 1"}


@pytest.mark.parametrize(
    ("body", "claims_something"),
    [
        ("calc.add(1, 2)", False),
        ("assert callable(calc.add)", False),
        ("assert hasattr(calc, 'add') and calc.add is not None", False),
        ("assert calc.add", False),
        ("r = calc.add(1, 2)\nassert True", False),
        ("r = calc.add(1, 2)\nassert r", True),
        ("assert calc.add(1, 2) is not None", True),
        ("assert x", True),
        ("for a in (1, 2):\n    assert calc.add(a, 0) == a", True),
        ("with pytest.raises(TypeError):\n    calc.add()", True),
        ("if calc.add(1, 2) != 3:\n    raise AssertionError", True),
        ("helper(calc.add)", True),
        ("mock.add.assert_called_once()", True),
        ("np.testing.assert_allclose(calc.add(1, 2), 3)", True),
        ("self.assertEqual(calc.add(1, 2), 3)", True),
    ],
)
def test_tests_that_claim_nothing_are_named(body: str, claims_something: bool) -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = f"import calc\n\n\ndef helper(f):\n    assert f(1, 2) == 3\n\n\ndef test_it(x):\n{lines}\n"
    found = without_claims(FILE, text, [f"{FILE}::test_it"])
    assert found == ([] if claims_something else [f"{FILE}::test_it"])


def test_other_tests_and_the_rest_of_the_file_stay() -> None:
    text = (
        '"""Doc."""\nfrom __future__ import annotations\nimport calc\n\n\ndef test_it():\n    assert calc.a == 1\n\n\n'
    )
    text += "class TestB:\n    def test_it(self):\n        assert calc.b == 'b'\n\n"
    text += "    def test_c(self):\n        assert 0\n"
    made = twins_of(FILE, text, [f"{FILE}::TestB::test_it"])
    assert made is not None
    module = ast.parse(made.text)
    assert ast.get_docstring(module) == "Doc."
    assert "def test_it():\n    assert calc.a == 1" in made.text
    assert all(test_id.startswith(f"{FILE}::TestB::test_") for test_id in (*made.true, *made.false))
    assert [*made.true.values()] == [f"{FILE}::TestB::test_it"]
    assert twins_of(FILE, "def test_it(:\n", [f"{FILE}::test_it"]) is None
    assert twins_of(FILE, text, [f"{FILE}::test_gone"]) is None


TESTS = '''import pytest
from unittest import mock
import calc
from calc import Row, add
from tests.helpers import known

LIMIT = 3
TABLE = {"a": add(1, 1)}
HELD = known()


def made(n):
    return [n] * LIMIT


def checked(n):
    with pytest.raises(ValueError):
        add(n)


def test_plain():
    """Doc."""
    x = 1
    assert add(x, 2) == 3
    assert [add(1, 1)] == [2], "message"
    for n, wanted in [(1, 2)]:
        assert add(n, n) == wanted
    assert {"a": 2} == TABLE | {"a": add(1, 1)}


def test_again():
    assert made(add(0, 1)) == [1, 1, 1]
    assert calc.pop() is None and not add(1, 2) < LIMIT
    calc.push(1)
    assert calc.get("a") == LIMIT
    assert calc.size() in (1, 2)
    assert x_is_unused == 1 or True
    assert add(1, 1) == 2
    if LIMIT:
        return
    assert add(2, 2) == 4


def test_of_the_framework():
    assert mock.Mock(return_value=add(1, 2))() == 3
    assert known(add(1, 2)) == 3
    with pytest.raises(TypeError):
        add(1)
    assert add(1, 2) == 3


def test_fixture(tmp_path):
    assert add(1, 2) == 3


@pytest.mark.slow
def test_decorated():
    assert add(1, 2) == 3


class TestMethods:
    def test_method(self):
        row = Row(1)
        assert row.sum() == 1
        self.x = 1
        assert add(self.x, 1) == 2

    def test_unittest(self):
        self.assertEqual(add(1, 2), 3)
        self.assertIsNone(calc.pop())
        self.assertEqual(4, add(2, 2))
'''


def test_what_can_be_compared_outside() -> None:
    names = re.findall(r"def (test_\w+)\((self)?", TESTS)
    wanted = {f"{FILE}::{'TestMethods::' if of else ''}{name}" for name, of in names}
    found = replays_of(FILE, TESTS, wanted)
    assert [(each.test_id.rpartition("::")[2], [claim.text for claim in each.claims]) for each in found] == [
        ("test_plain", ["assert add(1, 2) == 3", "assert [add(1, 1)] == [2], 'message'"]),
        ("test_again", [
            "assert made(add(0, 1)) == [1, 1, 1]", "assert calc.pop() is None and (not add(1, 2) < 3)",
            "assert calc.get('a') == 3", "assert calc.size() in (1, 2)", "assert x_is_unused == 1 or True",
            "assert add(1, 1) == 2",
        ]),
        ("test_fixture", ["assert add(1, 2) == 3"]),
        ("test_method", ["assert row.sum() == 1"]),
        ("test_unittest", [
            "self.assertEqual(add(1, 2), 3)", "self.assertIsNone(calc.pop())", "self.assertEqual(4, add(2, 2))",
        ]),
    ]  # fmt: skip
    assert found[0].steps == [("add(1, 2)", True), ("[add(1, 1)]", True)]
    assert found[1].steps == [
        ("made(add(0, 1))", True), ("calc.pop()", True), ("add(1, 2)", True), ("calc.push(1)", False),
        ("calc.get('a')", True), ("calc.size()", True), ("x_is_unused == 1 or True", True), ("add(1, 1)", True),
    ]  # fmt: skip
    assert "LIMIT = 3" in found[0].setup, "a helper of the file needs it"
    for each in found:
        assert not re.search(r"pytest|mock|known|wanted|HELD", each.setup), each.setup


FORMS = {
    "assert f(1) == 2": (2, 3),
    "result = f(1)\n    assert result == 2": (2, 3),
    "expected = 2\n    assert f(1) == expected": (2, 3),
    "assert f(1) == pytest.approx(2)": (2.0000001, 2.1),
    "assert f(1) == pytest.approx([1, 2], abs=0.5)": ([1.2, 2.4], [1.2, 2.6]),
    "assert math.isclose(f(1), 0.3, rel_tol=1e-3)": (0.3001, 0.301),
    "assert abs(f(1) - 2) < 0.01": (2.001, 2.1),
    "assert round(f(1), 1) == 2.5": (2.49, 2.44),
    "assert 1 < f(1) <= 3": (3, 4),
    "assert f(1) in ('a', 'b')": ("b", "c"),
    "assert f(1) is True": (True, 1),
    "assert f(1) is not None and not f(1) == 3": (2, 3),
    "assert f(1)": ([0], []),
    "with pytest.raises(ValueError):\n        f(2)\n    assert f(1) == 2": (2, 3),
    "self.assertTrue(f(1) == 2)": (2, 3),
    "self.assertIn(f(1), [2])": (2, 3),
    "self.assertAlmostEqual(f(1), 0.1)": (0.1 + 1e-9, 0.2),
    "self.assertAlmostEqual(f(1), 0.1, 1)": (0.14, 0.2),
    "self.assertGreater(f(1), 5)": (6, 5),
    "assert -f(1) == -2": (2, 3),
    "assert f(1) == date(2020, 2, 29)": (date(2020, 2, 29), date(2020, 3, 1)),
    "assert f(1) == [dt.timedelta(days=1), Decimal('1.5')]": ([timedelta(1), Decimal("1.50")], [timedelta(1), 2]),
    "assert f(1) == deque([1])": (deque([1]), deque([2])),
    "self.assertEqual({'a': Path('x')}, f(1))": ({"a": PurePosixPath("x")}, {"a": PurePosixPath("y")}),
    "assert f(1) is int": (int, OtherClass("m.Int")),
    "assert f(1) == {'n': float}": ({"n": float}, {"n": str}),
}
"""What a test says, a value of which it is true, and one of which it is not."""


IMPORTS = """import datetime as dt
import math
from collections import deque
from datetime import date
from decimal import Decimal
from pathlib import Path
"""


@pytest.mark.parametrize("body", FORMS)
def test_claims_of_many_forms_are_decided_over_plain_values(body: str) -> None:
    right, wrong = FORMS[body]
    of_method = "self" in body
    head = "class TestF:\n  def test_it(self):\n" if of_method else "def test_it():\n"
    (replay,) = replays_of(FILE, f"{IMPORTS}{head}    {body}\n", [f"{FILE}::{'TestF::' * of_method}test_it"])
    told = [text for text, is_told in replay.steps if is_told]
    assert {*told} <= {"f(1)", "result"}, "nothing of what is expected"
    (claim,) = replay.claims
    assert claim.holds([right] * len(told)) is True
    assert claim.holds([wrong] * len(told)) is False
    opaque = claim.holds([Opaque()] * len(told))
    assert opaque is (False if " is " in body and "not" not in body else None), "no object decides"
    assert claim.about_plain == (body != "assert f(1)" and " is True" not in body and " is int" not in body)


@pytest.mark.parametrize(
    ("claim", "value", "holds"),
    [
        ("f() is not [1]", [1], None),
        ("f() is g()", 3, None),
        ("f() is None", 3, False),
        ("set() == f()", set(), True),
        ("f() == -1", -1, True),
        ("f() - 1 == 2", 10**70, None),
        ("f() < 'a'", 3, False),
        ("f() == set(range(9))", {1}, True),
        ("f() == int", Opaque("m.Meta"), None),
        ("f() is g", OtherClass("m.A"), True),
    ],
)
def test_what_values_do_not_tell_is_not_decided(claim: str, value: object, holds: bool | None) -> None:
    (replay,) = replays_of(FILE, f"def test_it():\n    assert {claim}\n", [f"{FILE}::test_it"])
    (made,) = replay.claims
    assert made.holds([value] * len(made.told)) is holds


def test_which_objects_a_claim_leaves_the_say_to() -> None:
    text = "import datetime\ndef test_it(date):\n    assert date(1) == 2\n    assert a() == b()\n    assert 1 in c()\n"
    (replay,) = whole_tests(FILE, text, [f"{FILE}::test_it"])
    same, other, within = replay.claims
    assert same.told == ("date(1)",), "what the test is given is no class of the library's"
    assert other.obliging([Opaque("m.Odd"), [4]]) == {"m.Odd"}
    assert other.obliging([Opaque("m.Odd"), Opaque("m.Odd")]) == other.obliging([3, 3]) == set()
    assert same.is_equality and other.is_equality and not within.is_equality


def test_what_a_test_does_to_objects_is_done() -> None:
    body = "    url = URL('a')\n    url.port = 0\n    table = {}\n    table['x'] = 1\n    n = 2\n    del url.host\n"
    text = f"def test_it():\n{body}    assert url.text(n) == 'a:0' and table == {{'x': 1}}\n"
    (replay,) = replays_of(FILE, text, [f"{FILE}::test_it"])
    assert replay.steps == [
        ("url = URL('a')", False), ("url.port = 0", False), ("table = {}", False), ("table['x'] = 1", False),
        ("del url.host", False), ("url.text(2)", True), ("table", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        ("assert f(1) == 2\n    assert m.g([2], x='a') == 3", True),
        ("assert sorted(f(1)) == [2]\n    with pytest.raises(ValueError):\n        f(3)", True),
        ("assert f(1) == 2\n    assert f(1) == 3", False),
        ("assert f() == 2", False),
        ("assert Box(1).n == 2", False),
        ("assert helper(1) == 2", False),
        ("a = f(1)\n    assert f(a) == 2", False),
        ("assert f(1).strip() == 2", False),
        ("m.x = 1\n    assert f(1) == 2", False),
    ],
)
def test_what_makes_nothing_that_could_change_an_answer(body: str, holds: bool) -> None:
    head = "import pytest\nimport m\nfrom m import Box, f\ndef helper(a): return a\n"
    (replay,) = replays_of(FILE, f"{head}def test_it():\n    {body}\n", [f"{FILE}::test_it"])
    assert replay.is_plain_calls == holds


def test_rows_of_parameters_are_tests_of_their_own() -> None:
    rows = "@pytest.mark.parametrize('a, b', [(1, 2), (3, [4])])\n@pytest.mark.parametrize('c', ['x'], ids=['X'])\n"
    text = f"import pytest\nSUM = 7\n{rows}def test_it(a, b, c, tmp_path):\n    assert f(a, c, tmp_path) == b\n"
    found = replays_of(FILE, text, [f"{FILE}::test_it"])
    assert [each.steps[-1] for each in found] == [("f(1, 'x', tmp_path)", True), ("f(3, 'x', tmp_path)", True)]
    assert [[claim.holds([[4]]) for claim in each.claims] for each in found] == [[False], [True]]
    assert all("SUM" not in each.setup for each in found), "what only tests use may be what they expect"
    body = "@pytest.mark.parametrize('a', [1])\ndef test_it(a):\n    a = Box(a)\n    assert a.n == 1\n"
    (replay,) = replays_of(FILE, body, [f"{FILE}::test_it"])
    assert [text for text, _ in replay.steps] == ["a = 1", "a = Box(a)", "a.n"]
    body = "@pytest.mark.parametrize(['a'], [('x',)])\ndef test_it(a):\n    assert f(a) == 1\n"
    assert replays_of(FILE, body, [f"{FILE}::test_it"])[0].steps == [("f('x')", True)]
    for other in ("@pytest.mark.asyncio\n", "@pytest.mark.parametrize('a', ROWS)\n", "@given(st.integers())\n"):
        assert replays_of(FILE, f"{other}def test_it(a):\n    assert f(a) == 1\n", [f"{FILE}::test_it"]) == []


@pytest.mark.parametrize(
    ("head", "comparable"),
    [
        ("import sys\nsys.path.insert(0, 'src')\n", True),
        ("import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n", False),
        ("try:\n    import json\nexcept ImportError:\n    json = None\n", True),
        ("from tests.helpers import *\n", False),
        ("from calc import *\n", True),
        ("from . import helpers\nHELP = helpers.known()\n", True),
        ("import pytest\npytest.importorskip('numpy')\n", False),
        ("import pytest\npytestmark = pytest.mark.slow\n", True),
        ("HERE = __file__\n", True),
    ],
)
def test_what_a_plain_program_cannot_prepare_is_not_compared(head: str, comparable: bool) -> None:
    text = f"{head}from calc import add\n\n\ndef test_it():\n    assert add(1, 2) == 3\n\n\n"
    text += "if __name__ == '__main__':\n    test_it()\n"
    found = replays_of(FILE, text, [f"{FILE}::test_it"])
    assert bool(found) is comparable
    data = "HERE = __file__\n\n\ndef test_it():\n    assert len(HERE) == 3\n"
    assert replays_of(FILE, data, [f"{FILE}::test_it"]) == []
