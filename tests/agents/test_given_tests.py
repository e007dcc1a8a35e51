"""Tests of the owner, read by code: single cases for looking at, never in place of the file itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agents import cases_in
from agents.stated.owner_tests import imported_names
from memory import MOST_TESTS, Task

FILE = '''
"""About cut."""
import os
import pytest
from kit.text import cut, join as glue

LIMIT = 3
SPARE = LIMIT


def twice(text):
    return cut(text, LIMIT) * 2


def test_plain():
    """Says something."""
    text = "abcd"
    assert cut(text, 1) == "a"
    assert twice(text) == "abcabc"


def test_error():
    with pytest.raises(ValueError):
        cut("", -1)


@pytest.mark.parametrize("n", [1])
def test_parametrized(n):
    assert cut("a", n)


def test_fixture(tmp_path):
    assert cut(str(tmp_path), 1)


async def test_async():
    assert cut("a", 1)


class TestIt:
    def test_in_class(self):
        assert glue("a")
'''


def test_each_assertion_becomes_a_case_with_what_it_needs() -> None:
    cases = {case.name: case.lines for case in cases_in(FILE)}
    assert cases == {
        "test_plain_1": ["from kit.text import cut, join as glue", "text = 'abcd'", "assert cut(text, 1) == 'a'"],
        "test_plain_2": [
            "from kit.text import cut, join as glue",
            "LIMIT = 3",
            "def twice(text):\n    return cut(text, LIMIT) * 2",
            "text = 'abcd'",
            "assert twice(text) == 'abcabc'",
        ],
        "test_error": [
            "import pytest",
            "from kit.text import cut, join as glue",
            "with pytest.raises(ValueError):\n    cut('', -1)",
        ],
    }


def test_what_a_file_imports_by_name_is_what_it_tests() -> None:
    assert imported_names(FILE) == [("kit.text", "cut"), ("kit.text", "join")]
    assert imported_names("from . import x\nimport y") == []


@pytest.mark.parametrize("text", ["def (", "\0", "", "x = " + "+".join(["1"] * 20_000)])
def test_what_cannot_be_read_has_no_cases(text: str) -> None:
    assert cases_in(text) == []


def test_tests_come_with_their_file_and_are_bounded() -> None:
    with pytest.raises(ValidationError, match="come together"):
        Task(id="t-1", title="t", tests="assert True")
    with pytest.raises(ValidationError, match="at most 64000"):
        Task(id="t-1", title="t", tests_file="tests/test_a.py", tests="#" * (MOST_TESTS + 1))
