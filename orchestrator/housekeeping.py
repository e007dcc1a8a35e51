"""Housekeeping: pushing landed work that could not be pushed before, deleting what is no longer needed, and the audit
record of each start.

The chores run in a thread of their own, one after the other, so that neither a hanging remote nor a large clean-up
blocks the main loop. Every chore can be interrupted and repeated.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import JsonValue

from config import Settings, weakened
from memory import SCHEMA_REVISION, MemoryStore, Task, TaskStatus, utc_now
from monitoring import AlertKind, alert, get_logger
from orchestrator.coding.proofs.pages import forget_pictures
from orchestrator.coding.state import CodeState
from orchestrator.cut_short import put_in_order
from orchestrator.engine.engine import Engine
from orchestrator.engine.failures import passing_trouble, tell
from orchestrator.services import Services
from testing import RunKilled

log = get_logger(__name__)

_AGENT, _KEY = "orchestrator", "last start"
_DAY = 86_400.0
_LONGEST_PAUSE = 3600.0
"""Longest pause between two tries to push, in seconds."""
_SOON = 60.0
"""Seconds after the start when the daily clean-up may run if the daemon is idle."""
_MOST_TASKS = 500
_ORDER = 10.0
"""Seconds between two looks for deployments that were cut short."""
_GIVE_BACK = 60.0
"""Seconds between two times that free memory is returned to the system."""


class Housekeeping:
    """Checks, at each check of the main loop, whether a chore is due, and does it beside the work."""

    def __init__(self, services: Services, engine: Engine, daily: Callable[[], object] | None = None) -> None:
        """`daily` is called once in each day (UTC), and at the start."""
        self._services = services
        self._daily, self._day = daily, datetime.min.date()
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._next_push, self._push_pause = 0.0, 0.0
        self._next_clean = time.monotonic() + _SOON
        self._next_return = 0.0
        self._next_order = time.monotonic() + _ORDER
        self._busy = True

    def look(self, *, busy: bool) -> None:
        """Begin the chores that are due, unless some are still running. Returns at once."""
        self._busy = busy
        if self._thread is not None and self._thread.is_alive():
            return
        chores: list[Callable[[], object]] = []
        now = time.monotonic()
        if now >= self._next_return:
            self._next_return = now + _GIVE_BACK
            chores.append(give_back_memory)
        if self._daily and (today := utc_now().date()) != self._day:
            self._day = today
            chores.append(self._daily)
        if self._services.settings.deployment.environments and now >= self._next_order:
            self._next_order = now + _ORDER
            chores.append(lambda: put_in_order(self._services))
        if now >= self._next_push:
            chores.append(self.push)
        if now >= self._next_clean + (_DAY if busy else 0):  # a daemon that is never idle is cleaned up too
            chores.append(self.clean)
        if chores:
            self._thread = threading.Thread(target=self._do, args=[chores], name="housekeeping", daemon=True)
            self._thread.start()

    def _do(self, chores: list[Callable[[], object]]) -> None:
        for chore in chores:
            try:
                chore()
            except RunKilled:  # the daemon is stopping
                return
            except Exception as error:  # outermost: a failing chore must not end the others or the daemon
                if kind := passing_trouble(error):
                    tell(kind, error)
                else:
                    log.exception("housekeeping")

    # -- landed work that could not be pushed -------------------------------------------------------------------------

    def push(self) -> None:
        """Push landed work that has not reached the remote; at longer intervals while that fails."""
        git = self._services.git
        for task_id in git.landing.unpushed():
            result = git.landing.publish(task_id, verify=self._holds)
            self._services.outage.note(result.error if result.unreachable else "")
            if not result.pushed:
                check = self._services.settings.orchestrator.check_interval
                self._push_pause = min(max(check, self._push_pause * 2), _LONGEST_PAUSE)
                self._next_push = time.monotonic() + self._push_pause
                if not result.unreachable:
                    alert(AlertKind.GIT, "push", f"landed work cannot be pushed: {result.error}")
                return
            log.info("pushed work that had landed before", branch=git.branch.name(), task=task_id)
        self._next_push = self._push_pause = 0.0
        for task in self._services.store.tasks.select([TaskStatus.COMPLETED], limit=_MOST_TASKS):
            self._note_pushed(task)

    def _holds(self, tree: str) -> bool:
        suite = self._services.suite
        return suite.compare(tree, suite.baseline(self._services.git.branch.tip(), "push"), "push").holds

    def _note_pushed(self, task: Task) -> None:
        """Record on the task that its commits are pushed, and which they are: a rebase may have changed them."""
        state = CodeState.of(task)
        if state.pushed or not state.push_error:
            return
        landed = self._services.git.landing.landed(task.id, task.run)
        if landed is not None and landed.pushed:
            changed: dict[str, JsonValue] = {"landed_commits": [*landed.commits], "pushed": True, "push_error": ""}
            self._services.store.tasks.update(task.id, result=task.result | changed)
            self._services.store.journal.log("orchestrator", "pushed", task.id, title=task.title)

    # -- what is no longer needed -------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Delete what is past its retention time; one line in the log says how much of what."""
        services, days = self._services, self._services.settings.retention
        store = services.store
        parts: dict[str, Callable[[], int]] = {
            "jobs": lambda: self._aged(days.engine_days, self._forget_jobs),
            "answers": lambda: self._aged(days.answers_days, store.retention.forget_answers),
            "activity": lambda: self._aged(days.activity_days, self._forget_activity),
            "evidence": lambda: self._aged(days.evidence_days, store.retention.forget_evidence),
            "measurements": lambda: self._aged(days.measurements_days, store.measurements.forget),
            "pictures": lambda: self._aged(days.evidence_days, self._forget_pictures),
            "cached": lambda: store.ledger.purge_cache(services.settings.llm.cache_ttl),
            "results": services.suite.forget_results,
            "folders": services.suite.folders.let_go,
            "worktrees": lambda: self._aged(days.worktree_days, self._remove_worktrees),
        }
        if not self._busy:  # these would slow down the work, or delete what it uses
            parts["environments"] = lambda: self._forget_environments(days.environment_days)
            parts["bytes"] = lambda: store.retention.compact() + self._engine.compact()
        parts["clone"] = self._tidy
        done: dict[str, int] = {}
        for name, part in parts.items():
            try:
                done[name] = part()
            except Exception as error:  # each part by itself: a failed one is done tomorrow
                if passing_trouble(error):
                    log.warning("clean-up postponed to tomorrow", part=name, problem=str(error))
                else:
                    log.exception("housekeeping", part=name)
        self._next_clean = time.monotonic() + _DAY
        log.info("cleaned up", **{name: number for name, number in done.items() if number})

    def _aged(self, days: float, forget: Callable[[datetime], int]) -> int:
        return forget(utc_now() - timedelta(days=days)) if days else 0

    def _forget_jobs(self, before: datetime) -> int:
        kept = self._services.store.retention.open_tasks()
        return self._engine.forget(before, lambda job: job.partition(".")[0] in kept)

    def _forget_pictures(self, before: datetime) -> int:
        services = self._services
        return forget_pictures(services.paths.state, before, services.store.retention.open_tasks())

    def _forget_activity(self, before: datetime) -> int:
        gone = self._services.store.retention.forget_activity(before)
        if gone:
            self._services.store.journal.log("orchestrator", "activity deleted", lines=gone, before=before.isoformat())
        return gone

    def _remove_worktrees(self, before: datetime) -> int:
        """Remove worktrees and branches of ended tasks; a retried task gets a new one anyway."""
        gone = set(self._services.store.retention.ended_before(before)).intersection(
            self._services.git.worktrees.tasks()
        )
        for task_id in gone:
            self._services.git.worktrees.remove(task_id, branch=True)
        return len(gone)

    def _forget_environments(self, days: float) -> int:
        return self._services.suite.projects.environments.forget_unused(days) if days else 0

    def _tidy(self) -> int:
        self._services.git.repository.collect_garbage()
        return 0


def give_back_memory() -> None:
    """Return the C library's free memory to the system. It frees only the ends of its heaps, and the many threads
    leave gaps everywhere else: 10 MiB more with every 150 tasks. Takes a few milliseconds.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc has it
        trim(0)


def note_start(store: MemoryStore, settings: Settings) -> None:
    """Write a line for the start, and one each for a migration and for changed settings and limits.

    Settings are recorded as digests, because they are the owner's; only budget limits, the sandbox mode and what gives
    up safety are recorded by value. Secrets are in none of them.
    """
    values: dict[str, JsonValue] = json.loads(settings.model_dump_json())
    sections: dict[str, JsonValue] = {name: _digest(section) for name, section in values.items()}
    now: dict[str, JsonValue] = {
        "schema": SCHEMA_REVISION,
        "sections": sections,
        "budget": values["budget"],
        "sandbox": settings.sandbox.mode,
    }
    before = store.journal.recall(_AGENT, _KEY)
    known = before if isinstance(before, dict) else {}
    old = known.get("sections")
    changed = [name for name in sections if isinstance(old, dict) and old.get(name) != sections[name]]
    for key, act in (("schema", "migrated"), ("budget", "budget limits changed"), ("sandbox", "sandbox mode changed")):
        if known and known.get(key) != now[key]:
            store.journal.log(_AGENT, act, before=known.get(key), after=now[key])
    if changed:
        store.journal.log(_AGENT, "settings changed", sections=[*changed])
    weak = weakened(settings)
    for setting, loss in weak.items():
        log.warning(f"LESS SAFE BY {setting}: {loss}")
    store.journal.log(_AGENT, "started", settings=_digest(values), schema=SCHEMA_REVISION, weakened=[*weak])
    store.journal.remember(_AGENT, _KEY, now)
    last, head = store.audit.head()
    # Also in the log, so that a trail that was rewritten as a whole can be distinguished from this one.
    log.info("audit trail", last=last, head=head)


def _digest(value: JsonValue) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
