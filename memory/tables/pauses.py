"""Agents that the owner holds back."""

from __future__ import annotations

from datetime import datetime

from memory.tables.journal import JournalTables

_KEEPER, _PREFIX = "orchestrator", "paused "


class PausedAgents:
    """Which agents are paused: kept among the memories of the daemon, so that a restart changes nothing."""

    def __init__(self, journal: JournalTables) -> None:
        self._journal = journal

    def since(self) -> dict[str, datetime]:
        """The paused agents, each with the time of its pause."""
        memories = self._journal.memories(_KEEPER, _PREFIX)
        return {memory.key.removeprefix(_PREFIX): memory.updated_at for memory in memories if memory.value}

    def set(self, agent: str, *, paused: bool) -> None:
        """Pause an agent, or let it go on."""
        self._journal.remember(_KEEPER, _PREFIX + agent, paused)
