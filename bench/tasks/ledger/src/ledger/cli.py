"""The command line: reads lines of `DATE ACCOUNT AMOUNT` and prints balances."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from datetime import date

from ledger.accounts import Ledger
from ledger.money import format_cents, parse_cents


def read_lines(lines: Iterable[str]) -> Ledger:
    """A ledger from lines of text; empty lines and comments (#) are skipped."""
    ledger = Ledger()
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        day, name, amount = line.split()
        ledger.account(name).post(date.fromisoformat(day), parse_cents(amount))
    return ledger


def report(ledger: Ledger) -> str:
    """One line per account, in the order of their names."""
    return "\n".join(f"{name} {format_cents(ledger.accounts[name].balance())}" for name in sorted(ledger.accounts))


def main(arguments: list[str] | None = None) -> int:
    """Print the balances of a file."""
    parser = argparse.ArgumentParser(prog="ledger")
    parser.add_argument("file")
    chosen = parser.parse_args(arguments)
    with open(chosen.file, encoding="utf-8") as lines:
        print(report(read_lines(lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
