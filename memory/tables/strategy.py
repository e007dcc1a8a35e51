"""The CEO's strategy: kept among its memories, so that a restart changes nothing."""

from __future__ import annotations

from memory.journal_models import Strategy
from memory.tables.journal import JournalTables

_WHOSE, _KEY = "ceo", "strategy"


class StrategyTable:
    """What the CEO goes by."""

    def __init__(self, journal: JournalTables) -> None:
        self._journal = journal

    def read(self) -> Strategy:
        """The present strategy; an empty one before the first review."""
        stored = self._journal.recall(_WHOSE, _KEY)
        return Strategy.model_validate(stored) if stored else Strategy()

    def keep(self, strategy: Strategy) -> None:
        """Keep it in place of the one before."""
        self._journal.remember(_WHOSE, _KEY, strategy.model_dump(mode="json"))
