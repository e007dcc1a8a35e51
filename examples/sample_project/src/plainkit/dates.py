"""Days, months and ages. Every function takes the days that it works on; none looks at the clock."""

from datetime import date, timedelta


def parse_day(text: str) -> date:
    """Read a day written as `2024-03-09` or `09.03.2024`.

    >>> parse_day("09.03.2024")
    datetime.date(2024, 3, 9)

    Raises ValueError for anything else, and for days that do not exist.
    """
    cleaned = text.strip()
    if "." in cleaned:
        pieces = cleaned.split(".")[::-1]
    else:
        pieces = cleaned.split("-")
    if len(pieces) != 3 or not all(piece.isdigit() for piece in pieces):
        raise ValueError(f"not a day: {text!r}; write 2024-03-09 or 09.03.2024")
    year, month, day = (int(piece) for piece in pieces)
    return date(year, month, day)


def is_leap_year(year: int) -> bool:
    """Say whether the year has a 29 February.

    >>> is_leap_year(1900)
    False
    """
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Count the days of a month.

    >>> days_in_month(2024, 2)
    29

    Raises ValueError when the month is not in 1..12.
    """
    if not 1 <= month <= 12:
        raise ValueError(f"month must be in 1..12, got {month}")
    if month == 2:
        return 29 if is_leap_year(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def week_start(day: date) -> date:
    """Return the Monday of the week that the day lies in.

    >>> week_start(date(2024, 3, 9))
    datetime.date(2024, 3, 4)
    """
    return day - timedelta(days=day.weekday())


def week_end(day: date) -> date:
    """Return the Sunday of the week that the day lies in."""
    return week_start(day) + timedelta(days=5)


def age(born: date, today: date) -> int:
    """Count the birthdays that somebody has had by `today`.

    >>> age(date(1990, 6, 15), date(2024, 6, 14))
    33

    Raises ValueError when `today` is before the birth.
    """
    if today < born:
        raise ValueError(f"{today} is before the birth on {born}")
    before_birthday = (today.month, today.day) < (born.month, born.day)
    return today.year - born.year - before_birthday
