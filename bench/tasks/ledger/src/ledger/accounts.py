"""Accounts and what is posted to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Posting:
    """One movement on an account."""

    day: date
    cents: int
    text: str = ""


@dataclass
class Account:
    """A named list of postings."""

    name: str
    postings: list[Posting] = field(default_factory=list)

    def post(self, day: date, cents: int, text: str = "") -> None:
        """Add a posting."""
        if cents == 0:
            raise ValueError("a posting of nothing")
        self.postings.append(Posting(day, cents, text))

    def balance(self) -> int:
        """The sum of all postings, in cents."""
        return sum(posting.cents for posting in self.postings)

    def balance_at(self, day: date) -> int:
        """The balance at the end of `day`, in cents."""
        return sum(posting.cents for posting in self.postings if posting.day < day)


class Ledger:
    """Accounts by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def account(self, name: str) -> Account:
        """The account of that name, opened if it is not there."""
        return self.accounts.setdefault(name, Account(name))

    def transfer(self, day: date, source: str, target: str, cents: int, text: str = "") -> None:
        """Move `cents` from one account to another."""
        if cents <= 0:
            raise ValueError("transfer a positive amount")
        self.account(source).post(day, -cents, text)
        self.account(target).post(day, cents, text)
