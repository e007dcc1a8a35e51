"""Amounts of money as whole cents."""

from __future__ import annotations


def parse_cents(text: str) -> int:
    """The cents of an amount such as "12.50"; one or two digits may follow the point."""
    sign = -1 if text.strip().startswith("-") else 1
    whole, _, fraction = text.strip().lstrip("+-").partition(".")
    if not whole.isdigit() or (fraction and not fraction.isdigit()) or len(fraction) > 2:
        raise ValueError(f"not an amount: {text!r}")
    return sign * (int(whole) * 100 + int(fraction or 0))


def format_cents(cents: int) -> str:
    """An amount as text, two digits after the point."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def add_tax(cents: int, percent: float) -> int:
    """The amount with tax added, rounded to whole cents."""
    return cents + round(cents * percent / 100)
