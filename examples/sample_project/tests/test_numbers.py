import pytest

from plainkit.numbers import clamp, group_digits, ordinal, percent


def test_clamp():
    assert clamp(5, 0, 10) == 5
    assert clamp(-1, 0, 10) == 0
    assert clamp(12, 0, 10) == 10


def test_clamp_refuses_bounds_in_the_wrong_order():
    with pytest.raises(ValueError, match="low"):
        clamp(1, 10, 0)


def test_group_digits():
    assert group_digits(0) == "0"
    assert group_digits(999) == "999"
    assert group_digits(1234567) == "1,234,567"
    assert group_digits(-1234, separator=" ") == "-1 234"


@pytest.mark.parametrize(
    ("number", "written"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (112, "112th"), (0, "0th")],
)
def test_ordinal(number, written):
    assert ordinal(number) == written


def test_percent():
    assert percent(1, 4) == "25%"
    assert percent(1, 8, digits=1) == "12.5%"
    assert percent(3, 0) == "-"
