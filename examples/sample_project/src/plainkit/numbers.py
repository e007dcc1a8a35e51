"""Showing numbers to people."""


def clamp(value: float, low: float, high: float) -> float:
    """Return the value, or the nearer bound when it lies outside `low`..`high`.

    >>> clamp(12, 0, 10)
    10

    Raises ValueError when `low` is greater than `high`.
    """
    if low > high:
        raise ValueError(f"low must not be greater than high, got {low} and {high}")
    return max(low, min(value, high))


def group_digits(number: int, separator: str = ",") -> str:
    """Write a whole number with its digits in groups of three.

    >>> group_digits(1234567)
    '1,234,567'
    >>> group_digits(-1234, separator=" ")
    '-1 234'
    """
    return f"{number:,}".replace(",", separator)


def ordinal(number: int) -> str:
    """Write a number as a place in a row.

    >>> ordinal(3)
    '3rd'
    >>> ordinal(112)
    '112th'
    """
    if abs(number) % 100 in (11, 12, 13):
        return f"{number}th"
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{endings.get(abs(number) % 10, 'th')}"


def percent(part: float, whole: float, digits: int = 0) -> str:
    """Write a share as a percentage; a share of nothing is a dash.

    >>> percent(1, 8, digits=1)
    '12.5%'
    >>> percent(1, 0)
    '-'
    """
    if whole == 0:
        return "-"
    return f"{100 * part / whole:.{digits}f}%"
