from datetime import date

import pytest

from plainkit.dates import age, days_in_month, is_leap_year, parse_day, week_start


@pytest.mark.parametrize("text", ["2024-03-09", "09.03.2024", " 2024-3-9 "])
def test_parse_day(text):
    assert parse_day(text) == date(2024, 3, 9)


@pytest.mark.parametrize("text", ["", "tomorrow", "2024-13-01", "30.02.2024", "2024-03"])
def test_parse_day_refuses_what_is_not_a_day(text):
    with pytest.raises(ValueError):
        parse_day(text)


def test_is_leap_year():
    assert [year for year in (1900, 2000, 2023, 2024) if is_leap_year(year)] == [2000, 2024]


def test_days_in_month():
    assert [days_in_month(2023, month) for month in range(1, 13)] == [
        31,
        28,
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ]
    assert days_in_month(2024, 2) == 29


@pytest.mark.parametrize("month", [0, 13])
def test_days_in_month_refuses_other_months(month):
    with pytest.raises(ValueError, match="month"):
        days_in_month(2024, month)


def test_week_start_is_a_monday():
    assert week_start(date(2024, 3, 4)) == date(2024, 3, 4)
    assert week_start(date(2024, 3, 10)) == date(2024, 3, 4)


def test_age_counts_birthdays():
    assert age(date(1990, 6, 15), date(2024, 6, 14)) == 33
    assert age(date(1990, 6, 15), date(2024, 6, 15)) == 34
    assert age(date(2024, 6, 15), date(2024, 6, 15)) == 0


def test_age_refuses_a_day_before_the_birth():
    with pytest.raises(ValueError, match="before"):
        age(date(2024, 6, 15), date(2024, 6, 14))
