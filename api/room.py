"""What requests work with: one project's settings, its database, and what only the daemon itself can tell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from agents.rows import Role
from api.oidc import Oidc
from api.tokens import Tokens
from config import ProjectPaths, Settings
from git_ops import GitManager
from memory import MemoryStore, TaskStatus
from monitoring import redact
from orchestrator.services import make_git
from owner.history import History
from owner.stopped import stopped_count
from owner.stream import Clock

if TYPE_CHECKING:
    from api.live import Hub

T = TypeVar("T")
_SEEN_SECONDS, _MOST_SEEN = 1.0, 100
"""For how long an answer is given again, and how many are kept."""


@dataclass(frozen=True)
class Frame:
    """What stands around every page."""

    repository: str
    name: str
    """What people call the repository."""
    waiting: int
    """How many tasks wait for the owner: the badge in the title."""


@dataclass(frozen=True)
class Room:
    """One project."""

    settings: Settings
    paths: ProjectPaths
    store: MemoryStore
    """Its own connections: a request waits a few seconds for a lock, never as long as the daemon would."""
    wake: Callable[[], None]
    """Have the daemon look at once for what was left in the database."""
    running: Callable[[], Collection[str]]
    """The ids of the tasks that an agent works on now; the others in progress wait for their turn."""
    hub: Hub
    roles: Mapping[str, Role]
    """Everybody on the team, as the daemon began with them: their files may be others by now."""
    models: Mapping[str, str]
    """The model of each agent that has one."""
    config: Path
    """The file of the configuration, whether it is there or not."""
    poke_forge: Callable[[], None] = lambda: None
    """Have the daemon look at the forge soon."""

    @property
    def key(self) -> str:
        """Tells this project from others: cookies do not tell two ports of one host apart."""
        return self.paths.state.name.rpartition("-")[2]

    @cached_property
    def clock(self) -> RunningClock:
        """For how long tasks were worked on."""
        return RunningClock(self.store)

    @cached_property
    def tokens(self) -> Tokens:
        """Bearer tokens for programs."""
        return Tokens(self.settings.api, self.paths.state)

    @cached_property
    def oidc(self) -> Oidc:
        """Sign-in by a service elsewhere."""
        return Oidc(self.settings.api.oidc)

    @cached_property
    def git(self) -> GitManager:
        """The project's clone, for what is read of it."""
        return make_git(self.settings, self.paths)

    @cached_property
    def history(self) -> History:
        """Sums over long times."""
        return History(self.store)

    @cached_property
    def seen(self) -> Seen:
        """What several people look at again and again."""
        return Seen(self.store)

    def frame(self, counts: Mapping[TaskStatus, int] | None = None) -> Frame:
        """Read for each page; `counts` of the tasks, where they are known already."""
        waiting = stopped_count(counts or self.seen.of("counts", self.store.tasks.count_by_status))
        address = redact(self.settings.git.repository_url)
        return Frame(address, re.split(r"[/:]", address.rstrip("/").removesuffix(".git"))[-1], waiting)


class Seen:
    """Answers that are given again while nothing has changed in the database, for a second at most: clocks and git's
    branches go on without it. Who looks then costs next to nothing, however many they are."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._known: dict[Hashable, tuple[str, float, object]] = {}

    def of(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, or gave a moment ago. `name`: of this answer, with all that it depends on besides the
        database. Nobody changes what it returns."""
        state, now = self._store.state(), time.monotonic()
        known = self._known.get(name)
        if known is not None and known[0] == state and now - known[1] < _SEEN_SECONDS:
            return cast("T", known[2])
        made = make()
        if len(self._known) >= _MOST_SEEN:
            self._known.clear()
        self._known[name] = state, now, made
        return made


class RunningClock:
    """The clock of tasks while the daemon runs, made anew only when a daemon has started since."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._known: tuple[int, Clock] | None = None
        """The id of the line up to which starts were looked for, and the clock as of then."""

    def now(self) -> Clock:
        """The clock as it is now. Two threads that make it at once make the same."""
        known, (head, _) = self._known, self._store.audit.head()
        if known is None or (head != known[0] and self._store.journal.latest_of("started", 1, after_id=known[0])):
            known = head, Clock(self._store, runs=True)
        self._known = head, known[1]
        return known[1]


async def _room(connection: HTTPConnection) -> Room:
    room: Room = connection.app.state.room
    return room


TheRoom = Annotated[Room, Depends(_room)]
"""The parameter of a handler that works with the project."""
