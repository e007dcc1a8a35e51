"""The daemon looks at the forge again and again, in a thread of its own: nothing that is wrong there holds up work."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue

from config import Settings
from forge import Forge, ForgeAway, ForgeError, NoForge, RateLimited, open_forge
from memory import ForgeThread, MemoryStore, MemoryStoreError, utc_now
from monitoring import AlertKind, alert, get_logger, redact
from owner.errors import NotNow, NotPossible
from owner.forge_desk import ForgeDesk, Round

log = get_logger(__name__)

_LONGEST_PAUSE = 900.0
_LONG_OUTAGE = 3600.0
_AGENT, _KEY = "forge", "last round"
_LEAST_PAUSE = 1.0
"""Between two looks, however often webhooks come."""


class ForgeNow(BaseModel):
    """The forge as the daemon saw it last."""

    provider: str = Field(description="Empty: there is none.")
    repository: str
    label: str
    lands_by_request: bool
    webhooks: bool = Field(description="Webhooks are taken.")
    looked_at: datetime | None = Field(description="When it was looked at last, whether it answered or not.")
    problem: str = Field(description="Why the last look was no good; empty: it was.")
    last: Round | None = Field(description="What the last good look did.")
    issues: list[ForgeThread]
    requests: list[ForgeThread]


def forge_now(store: MemoryStore, settings: Settings, limit: int = 50) -> ForgeNow:
    """What is remembered of the forge; it is not asked."""
    chosen = settings.forge
    known = store.journal.recall(_AGENT, _KEY)
    found: dict[str, JsonValue] = known if isinstance(known, dict) else {}
    return ForgeNow(
        provider=chosen.provider,
        repository=chosen.repository,
        label=chosen.label,
        lands_by_request=settings.git.landing == "pull_request",
        webhooks=bool(chosen.webhook_secret),
        looked_at=datetime.fromisoformat(str(found["at"])) if found.get("at") else None,
        problem=str(found.get("problem") or ""),
        last=Round.model_validate(found["round"]) if found.get("round") else None,
        issues=store.forge.select(chosen.place, "issue", limit=limit),
        requests=store.forge.select(chosen.place, "request", limit=limit),
    )


def forge_of(settings: Settings) -> Forge:
    """The configured forge. Raises `NotPossible` if there is none."""
    chosen = settings.forge
    if not chosen.provider:
        raise NotPossible("no forge is set; section forge of config.yaml, see docs/FORGE.md")
    return open_forge(
        chosen.provider, chosen.api, chosen.repository, chosen.token.get_secret_value() if chosen.token else ""
    )


def sync(settings: Settings, store: MemoryStore, state: Path, wake: Callable[[], None], forge: Forge) -> Round:
    """Look at the forge once, and remember how it went. Raises `ForgeError`, and `NotNow` while another does."""
    with _alone(state):
        known = store.journal.recall(_AGENT, _KEY)
        before: dict[str, JsonValue] = known if isinstance(known, dict) else {}
        kept: dict[str, JsonValue] = {"round": before.get("round"), "problem": ""}
        try:
            done = ForgeDesk(settings, store, forge, wake).round()
            kept["round"] = done.model_dump(mode="json")
            return done
        except ForgeError as problem:
            kept["problem"] = redact(str(problem))
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as odd:
            kept["problem"] = f"the answer of the forge is not understood: {type(odd).__name__}: {odd}"
            raise NoForge("a request", f"{type(odd).__name__}: {odd}") from odd
        finally:
            store.journal.remember(_AGENT, _KEY, {**kept, "at": utc_now().isoformat()})


class ForgeRunner:
    """Looks at the forge every `forge.interval` seconds, sooner when poked."""

    def __init__(self, settings: Settings, store: MemoryStore, state: Path, wake: Callable[[], None]) -> None:
        self._settings, self._store, self._state, self._wake = settings, store, state, wake
        self._forge = forge_of(settings)
        self._poked, self._stopping = threading.Event(), threading.Event()
        self._away_since: float | None = None
        self._pause = settings.forge.interval
        self._thread = threading.Thread(target=self._run, name="forge", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def poke(self) -> None:
        """Have it look soon."""
        self._poked.set()

    def close(self, *, last_look: bool = False) -> None:
        """End; a round that does not end in time goes on at the next start. `last_look`: what came of the work is told
        before."""
        self._stopping.set()
        self._poked.set()
        self._thread.join(30 if last_look else 5)
        if last_look and not self._thread.is_alive():
            self.look()
        self._forge.close()

    def look(self) -> None:
        """One look; nothing that goes wrong at the forge is raised."""
        try:
            done = sync(self._settings, self._store, self._state, self._wake, self._forge)
        except RateLimited as limited:
            self._pause = limited.seconds
            log.info("the forge wants a pause", seconds=round(limited.seconds))
        except ForgeAway as away:
            self._wait_longer(str(away))
        except ForgeError as problem:
            self._pause = _LONGEST_PAUSE
            if problem.__cause__:  # an answer that is not understood: perhaps a bug of ours
                log.warning("the forge's answer is not understood", exc_info=problem.__cause__)
            alert(problem.alert or AlertKind.OWNER, "forge", f"the forge cannot be used: {problem}")
        except NotNow:
            self._pause = self._settings.forge.interval
        except MemoryStoreError as problem:
            log.warning("the forge is looked at later", problem=str(problem))
        else:
            self._pause, self._away_since = self._settings.forge.interval, None
            if any(value for name, value in done if name != "issues"):
                log.info("the forge was looked at", **{name: value for name, value in done if value})

    def _wait_longer(self, problem: str) -> None:
        now = time.monotonic()
        self._away_since = self._away_since or now
        self._pause = min(max(self._pause, self._settings.forge.interval) * 2, _LONGEST_PAUSE)
        log.warning("the forge cannot be reached, work goes on without it", problem=problem)
        if now - self._away_since >= _LONG_OUTAGE:
            alert(AlertKind.GIT, "forge away", f"the forge has been unreachable for over an hour: {problem}")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:  # outermost: no bug here may end the thread
                log.exception("forge")
            limited = self._pause > self._settings.forge.interval
            self._stopping.wait(min(_LEAST_PAUSE, self._settings.forge.interval))
            (self._stopping if limited else self._poked).wait(self._pause)
            self._poked.clear()


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Two processes that write at the forge at once would write everything twice."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / "forge.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotNow("another process looks at the forge at this moment") from None
        yield
