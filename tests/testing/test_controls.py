"""Twins of tests: which assertions get a false one, and that what stands there instead is something else."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testing.controls import twins_of, without_claims
from testing.controls.python import near_value

FILE = "tests/test_it.py"
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers()),
)


@given(PLAIN)
def test_another_value_is_another_value(value: object) -> None:
    assert near_value(value) != value


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
