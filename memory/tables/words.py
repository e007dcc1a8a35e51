"""What the owner told agents and what still holds of it."""

from __future__ import annotations

from memory.journal_models import OwnersWord
from memory.tables.journal import JournalTables

_PREFIX = "told by the owner "
MOST_WORDS = 20
"""Of one agent; older ones are forgotten."""


class OwnersWordsTable:
    """The owner's words, kept among the memories of the agent that they were told to."""

    def __init__(self, journal: JournalTables) -> None:
        self._journal = journal

    def of(self, agent: str) -> list[OwnersWord]:
        """What holds for an agent, the oldest first."""
        found = self._journal.memories(agent, _PREFIX)
        return sorted((OwnersWord.model_validate(memory.value) for memory in found), key=lambda word: word.at)

    def keep(self, agent: str, word: OwnersWord) -> None:
        """Keep a word from now on; keeping it again changes nothing."""
        self._journal.remember(agent, _PREFIX + word.id, word.model_dump(mode="json"))
        self._journal.forget_oldest(agent, _PREFIX, MOST_WORDS)

    def forget(self, agent: str, word_id: str = "") -> int:
        """Forget one word, or all of them; gives how many."""
        return self._journal.forget_oldest(agent, _PREFIX + word_id, 0)
