"""Numbers, encoded."""

_ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
          (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def to_roman(number: int) -> str:
    """In Roman letters, from 1 to 3999."""
    text = ""
    for value, letters in _ROMAN:
        while number >= value:
            text += letters
            number -= value
    return text


def zigzag(number: int) -> int:
    """Whole numbers of both signs as those from 0 on: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4."""
    return 2 * number if number >= 0 else -2 * number - 1


def from_digits(digits: list[int], base: int) -> int:
    """The number that these digits write, the greatest place first."""
    number = 0
    for digit in digits:
        number = number * base + digit
    return number


def rotate(items: list[int], by: int) -> list[int]:
    """The first `by` items moved to the end; more than there are go round again."""
    by = by % len(items) if items else 0
    return items[by:] + items[:by]
