"""Figures for Prometheus, counted from the database when they are asked for: nothing has to be kept in step with it.

Answers are kept for a few seconds, so that many who scrape cost no more than one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.access import AViewer
from api.problems import problems
from api.room import Room
from memory import TaskStatus, utc_now

router = APIRouter(tags=["health"])

_KEPT_SECONDS = 10.0


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses=problems(401, 403, 503) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request, _: AViewer) -> Response:
    """In the text format. Prometheus sends a key with the scope viewer: `authorization: {credentials_file: …}`."""
    figures: Figures = request.app.state.figures
    return Response(figures.text(), media_type=CONTENT_TYPE_LATEST)


class Figures(Collector):
    """All figures of one project, in a registry of their own."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._lock = threading.Lock()
        self._made, self._text = float("-inf"), b""

    def text(self) -> bytes:
        """What is scraped."""
        with self._lock:
            if time.monotonic() - self._made > _KEPT_SECONDS:
                self._text, self._made = generate_latest(self._registry), time.monotonic()
            return self._text

    def describe(self) -> Iterable[Metric]:
        """Nothing: otherwise the registry would ask the database when it is made."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Called for each scrape."""
        yield from self._tasks()
        yield from self._calls()
        yield from self._state()

    def _tasks(self) -> Iterator[Metric]:
        number = GaugeMetricFamily("aiagents_tasks", "Tasks now.", labels=["status", "type"])
        failed = GaugeMetricFamily("aiagents_tasks_stopped", "Failed and blocked tasks now.", labels=["reason"])
        spent = GaugeMetricFamily(
            "aiagents_task_seconds", "Seconds from begin to end of the completed tasks, summed up.", labels=["type"]
        )
        reasons: dict[str, int] = {}
        for row in self._room.store.browse.task_sums():
            number.add_metric([row.status, row.type], row.number)
            if row.reason:
                reasons[row.reason] = reasons.get(row.reason, 0) + row.number
            if row.status == TaskStatus.COMPLETED:
                spent.add_metric([row.type], row.seconds)
        for reason, count in sorted(reasons.items()):
            failed.add_metric([reason], count)
        tried = CounterMetricFamily("aiagents_attempts", "Attempts at a stage.", labels=["stage", "outcome"])
        for stage, outcomes in self._room.store.browse.attempts_by_stage(None).items():
            for outcome, count in outcomes.items():
                tried.add_metric([stage, outcome], count)
        yield from (number, failed, spent, tried)

    def _calls(self) -> Iterator[Metric]:
        labels = ["agent", "model"]
        calls = CounterMetricFamily("aiagents_model_calls", "Model calls.", labels=[*labels, "cached", "outcome"])
        tokens = CounterMetricFamily("aiagents_tokens", "Tokens.", labels=[*labels, "direction"])
        cost = CounterMetricFamily("aiagents_cost_usd", "US dollars, where the price is known.", labels=labels)
        seconds = CounterMetricFamily("aiagents_model_seconds", "Seconds that calls took.", labels=labels)
        sums: dict[tuple[str, str], list[float]] = {}
        for row in self._room.store.browse.call_sums():
            names = [row.agent, row.model]
            calls.add_metric([*names, "yes" if row.cached else "no", row.outcome], row.number)
            held = sums.setdefault((row.agent, row.model), [0, 0, 0, 0])
            for place, value in enumerate((row.input_tokens, row.output_tokens, row.cost_usd, row.seconds)):
                held[place] += value
        for (agent, model), (read, written, dollars, took) in sums.items():
            tokens.add_metric([agent, model, "in"], read)
            tokens.add_metric([agent, model, "out"], written)
            cost.add_metric([agent, model], dollars)
            seconds.add_metric([agent, model], took)
        yield from (calls, tokens, cost, seconds)

    def _state(self) -> Iterator[Metric]:
        store, now = self._room.store, utc_now()
        limit = GaugeMetricFamily("aiagents_budget_limit", "A limit of the budget.", labels=["name", "unit"])
        used = GaugeMetricFamily("aiagents_budget_used", "Used or reserved of it.", labels=["name", "unit"])
        for state in store.budgets.limit_states(self._room.settings.budget):
            if state.scope in ("day", "month"):
                limit.add_metric([state.name, state.unit], state.limit)
                used.add_metric([state.name, state.unit], state.used + state.reserved)
        waiting = GaugeMetricFamily("aiagents_calls_waiting", "Model calls that may not be made now.", labels=["kind"])
        held = [call.kind for call in store.budgets.waiting_calls()]
        for kind in ("budget", "provider"):
            waiting.add_metric([kind], held.count(kind))
        ready = store.tasks.ready(1)
        oldest = (now - ready[0].created_at).total_seconds() if ready else 0.0
        yield from (limit, used, waiting)
        yield GaugeMetricFamily("aiagents_queue_seconds", "Age of the task that is begun next.", value=oldest)
        yield GaugeMetricFamily("aiagents_calls_in_flight", "Calls without an answer yet.",
                                value=len(store.budgets.calls_in_flight()))  # fmt: skip
        yield GaugeMetricFamily("aiagents_running_steps", "Tasks that an agent works on.",
                                value=len(self._room.running()))  # fmt: skip
        yield GaugeMetricFamily("aiagents_listeners", "Open streams of events.", value=self._room.hub.listeners)
