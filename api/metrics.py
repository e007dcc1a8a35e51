"""Figures for Prometheus, counted from the database when they are asked for: nothing has to be kept in step with it.

Answers are kept for a few seconds, so that many who scrape cost no more than one.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.access import AViewer
from api.problems import problems
from api.room import Room
from api.team import agent_of
from memory import OPEN, Task, TaskStatus, utc_now
from monitoring.counters import COUNTERS

router = APIRouter(tags=["health"])

_KEPT_SECONDS = 10.0
_TASK_SECONDS = (60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_CALL_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


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
        yield from self._process()

    def _tasks(self) -> Iterator[Metric]:
        number = GaugeMetricFamily(
            "aiagents_tasks",
            "Tasks now; open ones with the agent whose turn it is.",
            labels=["status", "type", "agent"],
        )
        failed = GaugeMetricFamily("aiagents_tasks_stopped", "Failed and blocked tasks now.", labels=["reason"])
        numbers: Counter[tuple[str, str, str]] = Counter()
        reasons: Counter[str] = Counter()
        took: dict[str, _Durations] = {}
        for row in self._room.store.browse.task_sums(_TASK_SECONDS):
            at = Task(id="any", title="any", type=row.type, stage=row.stage, assigned_agents=row.assigned_agents)
            numbers[row.status, row.type, agent_of(at) if row.status in OPEN else ""] += row.number
            if row.reason:
                reasons[row.reason] += row.number
            if row.status == TaskStatus.COMPLETED:
                took.setdefault(row.type, _Durations(_TASK_SECONDS)).add(row.duration, row.number, row.seconds)
        for labels, count in sorted(numbers.items()):
            number.add_metric(labels, count)
        for reason, count in sorted(reasons.items()):
            failed.add_metric([reason], count)
        spent = HistogramMetricFamily(
            "aiagents_task_seconds", "Seconds from begin to end of the completed tasks.", labels=["type"]
        )
        for kind, durations in took.items():
            spent.add_metric([kind], *durations.told())
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
        latency = HistogramMetricFamily(
            "aiagents_model_call_seconds", "Seconds that calls took, without those that the cache answered.",
            labels=labels,
        )  # fmt: skip
        numbers: Counter[tuple[str, str, str, str]] = Counter()
        sums: dict[tuple[str, str], list[float]] = {}
        took: dict[tuple[str, str], _Durations] = {}
        for row in self._room.store.browse.call_sums(_CALL_SECONDS):
            names = (row.agent, row.model)
            numbers[(*names, "yes" if row.cached else "no", row.outcome)] += row.number
            held = sums.setdefault(names, [0, 0, 0])
            for place, value in enumerate((row.input_tokens, row.output_tokens, row.cost_usd)):
                held[place] += value
            if not row.cached:
                took.setdefault(names, _Durations(_CALL_SECONDS)).add(row.duration, row.number, row.seconds)
        for ended, count in sorted(numbers.items()):
            calls.add_metric(ended, count)
        for names, (read, written, dollars) in sums.items():
            tokens.add_metric([*names, "in"], read)
            tokens.add_metric([*names, "out"], written)
            cost.add_metric(names, dollars)
        for names, durations in took.items():
            latency.add_metric(names, *durations.told())
        yield from (calls, tokens, cost, latency)

    def _process(self) -> Iterator[Metric]:
        """What only this process knows; it begins anew with the daemon."""
        for counter in COUNTERS:
            metric = CounterMetricFamily(f"aiagents_{counter.name}", counter.told, labels=counter.labels)
            for values, count in sorted(counter.numbers().items()):
                metric.add_metric(values, count)
            yield metric
        yield GaugeMetricFamily("aiagents_running_steps", "Tasks that an agent works on.",
                                value=len(self._room.running()))  # fmt: skip
        yield GaugeMetricFamily("aiagents_listeners", "Open streams of events.", value=self._room.hub.listeners)
        yield GaugeMetricFamily("aiagents_event_lag_seconds", "From a line's writing until it was handed out, last.",
                                value=self._room.hub.lag)  # fmt: skip

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
        yield from (limit, used, waiting, *self._deployed())
        yield GaugeMetricFamily("aiagents_queue_seconds", "Age of the task that is begun next.", value=oldest)
        yield GaugeMetricFamily("aiagents_calls_in_flight", "Calls without an answer yet.",
                                value=len(store.budgets.calls_in_flight()))  # fmt: skip

    def _deployed(self) -> Iterator[Metric]:
        """What was measured of what is live."""
        checks = GaugeMetricFamily(
            "aiagents_deployed_checks", "Measurements of the version that is live.",
            labels=["environment", "metric", "of", "outcome"],
        )  # fmt: skip
        worse = GaugeMetricFamily(
            "aiagents_deployed_worse", "Comparisons that found the live version worse than the one before.",
            labels=["environment"],
        )  # fmt: skip
        store = self._room.store
        for name in self._room.settings.deployment.environments:
            live = store.deployments.live(name)
            for series in store.measurements.series(name, live.id) if live else []:
                checks.add_metric([name, series.metric, series.of, "bad"], series.bad)
                checks.add_metric([name, series.metric, series.of, "other"], series.number - series.bad)
            made = store.measurements.comparisons(live.id) if live else []
            worse.add_metric([name], sum(each.word == "worse" for each in made))
        yield from (checks, worse)


class _Durations:
    """How many took how long, in the classes of a histogram."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self._numbers, self._seconds = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, place: int, number: int, seconds: float) -> None:
        """So many more of one class."""
        self._numbers[place] += number
        self._seconds += seconds

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """The buckets, each with all that took no longer, and the sum of the seconds."""
        heads = [*(f"{float(bound)}" for bound in self._bounds), "+Inf"]
        return list(zip(heads, accumulate(map(float, self._numbers)), strict=True)), self._seconds
