"""A small double-entry ledger."""

from ledger.accounts import Account, Ledger
from ledger.money import format_cents, parse_cents

__all__ = ["Account", "Ledger", "format_cents", "parse_cents"]
