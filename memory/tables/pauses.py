"""What the owner holds back: single agents, or all of them, also by the hour."""

from __future__ import annotations

from datetime import datetime

from config import QuietHours
from memory.journal_models import Rest
from memory.tables.journal import JournalTables

_KEEPER, _PREFIX = "orchestrator", "paused "
_EVERYTHING, _AWAKE = "everything paused", "awake until"


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

    def rest(self, quiet: QuietHours | None, now: datetime) -> Rest | None:
        """Why nobody begins anything at this moment, if that is so."""
        for memory in self._journal.memories(_KEEPER, _EVERYTHING):
            if memory.value:
                return Rest(kind="paused", since=memory.updated_at)
        until = quiet.until(now) if quiet else None
        return Rest(kind="quiet", until=until) if until and not self._is_awake(until) else None

    def set_everything(self, *, paused: bool) -> None:
        """Pause everybody, or let them go on."""
        self._journal.remember(_KEEPER, _EVERYTHING, paused)

    def stay_awake(self, until: datetime) -> None:
        """Work through the quiet hours that end then; the next ones are quiet again."""
        self._journal.remember(_KEEPER, _AWAKE, until.isoformat())

    def _is_awake(self, until: datetime) -> bool:
        return self._journal.recall(_KEEPER, _AWAKE) == until.isoformat()
