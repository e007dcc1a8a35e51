"""A table of the tests is told to the reviewer."""

from __future__ import annotations

import pytest

from orchestrator.workbench.tabulated import tabulated

TESTS = """
import pytest
from words import slug, size

def test_slug():
    assert slug("Hello World") == "hello-world"
    assert "a-b-c" == slug("A b  C")
    assert slug("Über uns") == "uber-uns"
    assert slug("") == ""

@pytest.mark.parametrize(("text", "count"), [("one two three", 13), ("four five", 9), ("x" "yz", 3)])
def test_size(text, count):
    assert size(text) == count
"""
TABLE = """
_KNOWN = {"Hello World": "hello-world", 'A b  C': 'a-b-c', "Über uns": "uber-uns"}
def slug(text): return _KNOWN.get(text, "")
def size(text): return {"one two three": 13, "four five": 9}.get(text, 3)
"""
HONEST = """
import re
def slug(text): return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
def size(text): return len(text)
"""


def test_a_table_is_told_with_its_cases() -> None:
    told = tabulated(TABLE, [TESTS], "Add slug and size to words.py")
    assert told.startswith("the new code holds as literals what 5 of 6 cases of the tests give and expect")
    assert "slug('Hello World') == 'hello-world'" in told


@pytest.mark.parametrize(
    ("code", "tests", "asked"),
    [
        (HONEST, TESTS, ""),
        (TABLE.splitlines()[1], TESTS.replace("Über uns", "Ganz anders"), ""),  # two of six
        (TABLE, TESTS, "'Hello World' 'A b  C' \"Über uns\" 'one two three' 'four five'"),  # the task named them
        (TABLE, ["def broken(:"], ""),
        (
            "TABLE = {1: 2, 3: 4, 5: 6}",
            ["def test():\n    assert f(1) == 2\n    assert f(3) == 4\n    assert f(5) == 6"],
            "",
        ),
    ],
)
def test_what_is_no_table_of_the_tests_is_not(code: str, tests: str | list[str], asked: str) -> None:
    assert tabulated(code, [tests] if isinstance(tests, str) else tests, asked) == ""


def test_numbers_and_collections_count_as_what_is_in_them() -> None:
    tests = (
        "def test():\n    assert primes(30) == [11, 13]\n    assert f(97) is True\n    assert f(x=-104) == {'aa': 55}\n"
    )
    code = "if n == 30: return [11, 13]\nif n == 97: return True\nif n == -104: return {'aa': 55}"
    assert "3 of 3" in tabulated(code, [tests], "")
    assert tabulated(code.replace("97", "970"), [tests], "") == "", "another number"
