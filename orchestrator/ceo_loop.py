"""What happens when nobody has anything to do: the CEO looks for work, ever more seldom while there is none.

Stated work (the goal, the backlog file) costs nothing to find. A model is asked for ideas only when that is used up,
and then at most once per back-off interval.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial

from pydantic import BaseModel

from agents import Situation
from llm import CallContext
from memory import Task, TaskStatus
from monitoring import get_logger
from orchestrator.engine import Job, Steps
from orchestrator.errors import StageFailed
from orchestrator.failures import typed_failures
from orchestrator.services import Services

log = get_logger(__name__)

_KEY = "idle"
_MOST_IDEAS = 3
_PAST_TASKS = 40


class IdleState(BaseModel):
    """The CEO's memory of its idle rounds; kept in the database, so a restart does not ask again."""

    rounds: int = 0
    interval: float = 0.0
    """Seconds until the next round, doubled by each one that found nothing."""
    next_at: float = 0.0
    """Unix time before which no round is begun, unless the situation changes."""
    situation: str = ""
    """Digest of goal, repository head and backlog at the last round."""
    found: int = 0
    """Tasks the last round created."""
    problem: str = ""
    """Why the last round could not look for work; empty when it could."""


class Facts(BaseModel):
    """What the CEO looks at."""

    goal: str
    head: str
    backlog: str
    outline: str


class CEOLoop:
    """Begins rounds when they are due, and handles the engine's jobs of the kind `ceo`."""

    def __init__(self, services: Services, *, until_idle: bool) -> None:
        self._services = services
        self._until_idle = until_idle

    def state(self) -> IdleState:
        """The last round's outcome."""
        stored = self._services.store.recall("ceo", _KEY)
        return IdleState.model_validate(stored) if stored else IdleState()

    def due(self) -> Job | None:
        """The job of the next round, if one is due now."""
        if self._until_idle and self.exhausted():
            return None
        state = self.state()
        if time.time() < state.next_at and state.situation == self._situation():
            return None
        return Job(
            id=f"ceo.{state.rounds + 1}", agent="ceo", kind="ceo", payload={"round": state.rounds + 1}, priority=1
        )

    def exhausted(self) -> bool:
        """True when the last round saw the present situation and found nothing to do."""
        state = self.state()
        return state.rounds > 0 and state.found == 0 and state.situation == self._situation()

    def __call__(self, steps: Steps) -> None:
        number = int(str(steps.job.payload["round"]))
        problem = ""
        try:
            found = self._look_for_work(steps)
        except StageFailed as failure:
            # The repository or the provider is away: the next round comes after the back-off, like after any other.
            log.error("idle round failed", reason=failure.reason.value, detail=failure.detail)
            found, problem = 0, failure.detail
        steps.step("remember", bool, partial(self._remember, number, found, problem))

    def _look_for_work(self, steps: Steps) -> int:
        facts = steps.step("look around", Facts, partial(typed_failures, self._facts))
        stated = steps.step("stated work", int, partial(self._submit_stated, facts))
        ideas: list[Task] = []
        if not stated and self._may_ask(facts):
            context = CallContext(task_id=None, agent="ceo", workflow_id=steps.job.id, step="ideas")
            ideas = steps.step("ideas", list[Task], partial(typed_failures, partial(self._ideas, facts, context)))
            steps.step("submit ideas", int, partial(self._submit, ideas))
        return stated + len(ideas)

    def _facts(self) -> Facts:
        services = self._services
        return Facts(
            goal=services.settings.project.goal,
            head=services.sync(),
            backlog=services.read(services.settings.project.backlog_file),
            outline=services.overview(small=services.team.ceo.profile.small, about=services.settings.project.goal),
        )

    def _submit_stated(self, facts: Facts) -> int:
        ceo = self._services.team.ceo
        return self._submit([*ceo.tasks_from_goal(facts.goal), *ceo.tasks_from_backlog(facts.backlog)])

    def _submit(self, tasks: list[Task]) -> int:
        added = [task for task in tasks if self._services.store.add_task(task)]
        for task in added:
            self._services.store.log_activity("ceo", "task created", task.id, title=task.title, source=task.source)
            log.info("task created", task=task.id, title=task.title, source=task.source)
        self._services.wake.set()
        return len(added)

    def _may_ask(self, facts: Facts) -> bool:
        """Without a goal there is nothing to have ideas for; `--until-idle` plans a goal once and then ends."""
        if not facts.goal or self._services.team.ceo.tasks_from_goal(facts.goal):
            return False
        return not (self._until_idle and self._services.store.list_tasks(source="ceo", limit=1))

    def _ideas(self, facts: Facts, context: CallContext) -> list[Task]:
        store = self._services.store
        known = store.list_tasks(limit=_PAST_TASKS)
        ended = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.CANCELLED)
        situation = Situation(
            goal=facts.goal,
            outline=facts.outline,
            open_tasks=[task.title for task in known if task.status not in ended],
            past_tasks=[f"{task.title} ({task.status})" for task in known if task.status in ended],
        )
        return self._services.team.ceo.generate_tasks(situation, _MOST_IDEAS, context)

    def _remember(self, number: int, found: int, problem: str) -> bool:
        limits = self._services.settings.orchestrator
        before = self.state()
        interval = (
            limits.check_interval
            if found
            else min(max(before.interval * 2, limits.check_interval), limits.idle_backoff_max)
        )
        state = IdleState(
            rounds=number,
            interval=interval,
            next_at=time.time() + interval,
            situation=self._situation(),
            found=found,
            problem=problem,
        )
        self._services.store.remember("ceo", _KEY, state.model_dump(mode="json"))
        log.info("idle round", found=found, next_in_seconds=round(interval))
        self._services.wake.set()
        return True

    def _situation(self) -> str:
        """Digest of what would make another round worthwhile: the goal, the repository, what has ended."""
        services = self._services
        counts = services.store.count_by_status()
        ended = counts[TaskStatus.COMPLETED] + counts[TaskStatus.FAILED] + counts[TaskStatus.CANCELLED]
        parts = [services.settings.project.goal, services.git.tip(), str(ended)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
