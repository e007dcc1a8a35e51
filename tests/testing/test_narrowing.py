"""Some tests of a file without the others."""

from __future__ import annotations

import pytest

from testing import declared_tests, has_tests, only_tests

FILE = "tests/test_x.py"
TEXT = '''"""Sums."""
import pytest

LIMIT = 3


@pytest.mark.parametrize("x", [1, 2])
def test_a(x):
    assert x < LIMIT


def test_b():
    assert False


class TestC:
    def test_d(self):
        assert True

    def test_e(self):
        assert False


class TestBase:
    def test_f(self):
        assert True


class TestHeir(TestBase):
    pass
'''


def test_the_others_are_cut_out_and_the_rest_stays_as_it_is() -> None:
    text = only_tests(TEXT, FILE, [f"{FILE}::test_a[1]", f"{FILE}::TestC::test_d"])
    assert declared_tests(text, FILE) == [f"{FILE}::test_a", f"{FILE}::TestC::test_d", f"{FILE}::TestBase::test_f"]
    assert text.startswith(TEXT[: TEXT.index("def test_b")])
    assert "TestHeir(TestBase)" in text


def test_a_class_without_wanted_tests_goes_as_a_whole() -> None:
    assert "class TestC" not in only_tests(TEXT, FILE, [f"{FILE}::test_a"])


@pytest.mark.parametrize(("text", "ids"), [(TEXT, [FILE]), ("def test_(:", [f"{FILE}::test_a"])])
def test_a_whole_file_and_one_that_cannot_be_read_stay(text: str, ids: list[str]) -> None:
    assert only_tests(text, FILE, ids) == text


def test_tests_are_found_again_in_a_file_that_has_grown_elsewhere() -> None:
    taken = only_tests(TEXT, FILE, [f"{FILE}::test_b"])
    assert has_tests(TEXT + "\n\ndef test_new():\n    assert True\n", FILE, taken)
    assert not has_tests(TEXT.replace("LIMIT = 3", "LIMIT = 4"), FILE, taken)
    assert not has_tests(TEXT.replace("def test_b():\n    assert False\n", ""), FILE, taken)


NESTED = """class TestA:
    def test_x(self):
        assert True

    def test_y(self):
        assert True

    class TestInner:
        def test_z(self):
            assert True
"""


@pytest.mark.parametrize("wanted", ["TestA::test_x", "TestA::TestInner::test_z"])
def test_a_class_stays_for_one_wanted_test_however_many_of_inner_classes_go(wanted: str) -> None:
    text = only_tests(NESTED, FILE, [f"{FILE}::{wanted}"])
    assert declared_tests(text, FILE) == [f"{FILE}::{wanted}"]


def test_a_class_of_which_nothing_would_be_left_stays() -> None:
    """Its wanted test is inherited: the text of the file does not show it."""
    text = "from base import Base\n\n\nclass TestHeir(Base):\n    def test_own(self):\n        assert True\n"
    assert only_tests(text, FILE, [f"{FILE}::TestHeir::test_inherited"]) == text


@pytest.mark.parametrize("odd", ["\f", 'NAME = "a\u2028b"\n', "LIMIT = 1\r"])
def test_lines_end_where_the_parser_ends_them(odd: str) -> None:
    kept = f"{odd}\ndef test_a():\n    assert True\n\n"
    dropped = "def test_b():\n    assert False\n"
    assert only_tests(kept + dropped, FILE, [f"{FILE}::test_a"]) == kept


def test_what_the_parser_chokes_on_stays() -> None:
    text = "x = " + "+".join(["1"] * 20_000) + "\n\n\ndef test_a():\n    assert True\n"
    assert only_tests(text, FILE, [f"{FILE}::test_b"]) == text
    assert declared_tests(text, FILE) == []
