"""The CEO's strategy is looked at again by the day, if anything has changed, with one model call; priorities of the
team's own tasks are judged anew with it, and earlier when something goes wrong while they wait."""

from __future__ import annotations

import hashlib
import time
from functools import partial

from pydantic import JsonValue

from agents import FACTS, Outlook, StrategyReview
from llm import CallContext
from memory import ENDED, Priority, Strategy, Task, TaskStatus, TaskType, utc_now
from monitoring import get_logger
from monitoring.waits import is_ahead
from orchestrator.engine.engine import Job, Steps
from orchestrator.engine.failures import typed_failures
from orchestrator.errors import StageFailed
from orchestrator.services import Services

log = get_logger(__name__)

_DAY = 86_400.0
_EARLY = 24
"""The part of the time after which setbacks bring a review forward."""
_MOST_OPEN, _MOST_PAST, _MOST_DECIDED = 30, 30, 20
_OWN = (FACTS, "ceo", "product")
_PRIORITIES = {"high": Priority.HIGH, "medium": Priority.MEDIUM, "low": Priority.LOW}


class StrategyReviews:
    """Begins reviews when they are due, and handles the engine's jobs of the kind `strategy`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._every = services.settings.project.strategy_days * _DAY

    def due(self) -> Job | None:
        """The job of the next review, if one is due now. None while nothing has changed: then it is put off, and no
        model is asked."""
        if not self._every:
            return None
        store = self._services.store
        known, now = store.strategy.read(), time.time()
        if not known.next_at:
            store.strategy.keep(self._put_off(known))
            return None
        early = self._setbacks() != known.setbacks and len(self._own_tasks()) > 1
        ahead = is_ahead(known.next_at, self._every)
        if ahead and not (early and now > known.next_at - self._every * (1 - 1 / _EARLY)):
            return None
        if known.situation == self._situation():
            store.strategy.keep(self._put_off(known))
            return None
        return Job(_job_id(known.number + 1), "ceo", "strategy", {"number": known.number + 1}, 1, lane="strategy")

    def give_up(self, job_id: str) -> None:
        """Put off a review whose job the engine ended, so that it is not offered for ever."""
        known = self._services.store.strategy.read()
        if job_id == _job_id(known.number + 1):
            self._services.store.strategy.keep(self._put_off(known).model_copy(update={"number": known.number + 1}))

    def __call__(self, steps: Steps) -> None:
        number = int(str(steps.job.payload["number"]))
        try:
            judges = steps.step("judges", bool, partial(typed_failures, lambda: self._services.team.ceo.profile.judges))
            given = steps.step("outlook", Outlook, partial(typed_failures, self._outlook))
            review = self._ask(steps, given) if judges else None
        except StageFailed as failure:
            log.error("the strategy could not be looked at", reason=failure.reason.value, detail=failure.detail)
            review = None
        steps.step("keep", bool, partial(self._keep, number, review))

    def _ask(self, steps: Steps, given: Outlook) -> StrategyReview:
        context = CallContext(task_id=None, agent="ceo", workflow_id=steps.job.id, step="strategy")
        ask = partial(self._services.team.ceo.review_strategy, given, context)
        return steps.step("strategy", StrategyReview, partial(typed_failures, ask))

    def _keep(self, number: int, review: StrategyReview | None) -> bool:
        """Keep the new strategy and apply the priorities, once."""
        store = self._services.store
        known = store.strategy.read()
        if known.number >= number:
            return False
        new = self._put_off(known).model_copy(update={"number": number})
        if review:
            for each in review.priorities:
                self._rejudge(each.task, int(_PRIORITIES[each.priority]), each.reason)
            words = {"goals": review.goals, "bets": review.bets, "learnt": review.learnt}
            new = new.model_copy(update={**words, "reviewed_at": utc_now(), "situation": self._situation()})
            store.journal.log("ceo", "strategy reviewed", goals=[*review.goals])
        store.strategy.keep(new)
        return True

    def _rejudge(self, task_id: str, priority: int, reason: str) -> None:
        """Give a task of the team's own another priority; those of the owner's stand."""
        task = next((task for task in self._own_tasks() if task.id == task_id), None)
        if task is None or task.priority == priority:
            return
        store = self._services.store
        store.tasks.update(task.id, priority=priority)
        data: dict[str, JsonValue] = {
            "action": "other priority", "task": task.id, "title": task.title, "before": task.priority,
            "after": priority, "reason": reason,
        }  # fmt: skip
        store.journal.record_decision("ceo", "priority", data)
        store.journal.log("ceo", "priority judged anew", task.id, after=priority, reason=reason)

    def _put_off(self, known: Strategy) -> Strategy:
        situation = known.situation or self._situation()
        change = {"next_at": time.time() + self._every, "setbacks": self._setbacks(), "situation": situation}
        return known.model_copy(update=change)

    def _open_tasks(self) -> list[Task]:
        beside = (TaskType.MESSAGE, TaskType.OPINION)
        return [
            task
            for task in self._services.store.tasks.select([TaskStatus.PENDING, TaskStatus.IN_PROGRESS], limit=200)
            if task.type not in beside
        ]

    def _own_tasks(self) -> list[Task]:
        return [task for task in self._open_tasks() if task.source in _OWN][:_MOST_OPEN]

    def _outlook(self) -> Outlook:
        store = self._services.store
        past = [task for task in store.tasks.select(ENDED, limit=3 * _MOST_PAST) if task.type in _RESULTS]
        others = [task for task in self._open_tasks() if task.source not in _OWN]
        return Outlook(
            goal=self._services.settings.project.goal or "Keep this code base healthy and useful.",
            strategy=store.strategy.read().lines,
            own=[f"{task.id}: {task.title[:120]} (priority {task.priority})" for task in self._own_tasks()],
            others=[f"{task.title[:120]} (priority {task.priority})" for task in others[:_MOST_OPEN]],
            past=[_over(task) for task in past[:_MOST_PAST]],
            decided=[
                f"{one.decision_type}: {str(one.decision_data.get('title') or one.decision_data.get('task'))[:120]}: "
                f"{one.decision_data.get('decision') or one.decision_data.get('action') or ''!s}"
                for one in store.journal.decisions(limit=_MOST_DECIDED)
            ],
        )

    def _situation(self) -> str:
        """Digest of what a strategy is made from: the goal, what has ended, what was decided, what is open."""
        store = self._services.store
        counts = store.tasks.count_by_status(without=(TaskType.MESSAGE, TaskType.OPINION))
        newest = store.journal.decisions(limit=1)
        decided = [one.id for one in newest if one.decision_type != "priority"]
        known = [counts[status] for status in TaskStatus]
        return _digest(self._services.settings.project.goal, known, decided)

    def _setbacks(self) -> str:
        """Digest of what went wrong, and of the goal."""
        counts = self._services.store.tasks.count_by_status(without=(TaskType.MESSAGE,))
        wrong = [counts[TaskStatus.FAILED], counts[TaskStatus.BLOCKED]]
        return _digest(self._services.settings.project.goal, wrong)


_RESULTS = (TaskType.CODE, TaskType.DECISION, TaskType.PLAN, TaskType.ANALYSIS)


def _over(task: Task) -> str:
    why = f": {' '.join(task.reason_detail.split())[:160]}" if task.reason_detail else ""
    return f"{task.title[:120]} ({task.type}, {task.status}{why})"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _job_id(number: int) -> str:
    return f"strategy.{number}"
