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
