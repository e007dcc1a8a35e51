"""What was measured of what is live, beside the version before it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import timedelta

from pydantic import BaseModel, Field

from config import DeploymentSettings
from memory import Comparison, Deployment, Measurement, MemoryStore
from owner.deploying import chosen_environment

_DAY = timedelta(days=1)
_MOST, _POINTS = 1000, 60
_MIB = 1024 * 1024


class Figures(BaseModel):
    """One series in figures, of the last day in which it was measured; of the newest thousand, if there are more."""

    number: int = Field(description="Measurements.")
    bad: int = Field(description="Those that were errors.")
    away: int = Field(description="Those in which nothing could be reached, through no fault of the service's.")
    median: float | None = Field(description="Of the good ones, in milliseconds or bytes; null: there are none.")
    p95: float | None = Field(description="What 95 of 100 good ones do not exceed.")


class MeasuredSeries(BaseModel):
    """One thing that is measured."""

    metric: str = Field(examples=["answer"])
    of: str = Field(examples=["/items"], description="A path of the service, or empty.")
    before: Figures | None = Field(description="In the version before; null: it was not measured there.")
    now: Figures
    points: list[float] = Field(description="The last values, each the median of a few, the oldest first.")
    compared: list[Comparison] = Field(description="The last look of each comparison.")


class Measured(BaseModel):
    """All that is measured of an environment."""

    environment: str
    interval: float = Field(description="Seconds between two looks; 0: it is not watched.")
    live: Deployment | None
    before: Deployment | None
    series: list[MeasuredSeries]


def measured(store: MemoryStore, settings: DeploymentSettings, environment: str = "") -> Measured:
    """What is known of an environment (empty: that of `on_landing`, or the only one). Raises `NotPossible`."""
    name = chosen_environment(settings, environment)
    live, before = store.deployments.live(name), store.deployments.before(name)
    found = []
    made = store.measurements.comparisons(live.id) if live else []
    for series in store.measurements.series(name, live.id) if live else []:
        assert live
        rows = _newest(store, name, live.commit, series.metric, series.of)
        old = _newest(store, name, before.commit, series.metric, series.of) if before else []
        own = {
            each.metric: each
            for each in made
            if each.of == series.of and each.metric in _COMPARED.get(series.metric, (series.metric,))
        }
        found.append(
            MeasuredSeries(
                metric=series.metric, of=series.of, before=_figures(old) if old else None, now=_figures(rows),
                points=_points(rows), compared=[*own.values()],
            )
        )  # fmt: skip
    interval = settings.environments[name].watch.interval
    return Measured(environment=name, interval=interval, live=live, before=before, series=found)


_COMPARED = {"answer": ("errors", "latency")}
"""What a series is compared by, where that is called otherwise."""


def findings(store: MemoryStore, number: int) -> list[str]:
    """What was found of a deployment, in words; its last word of each comparison that found a difference."""
    last = {(each.metric, each.of): each for each in store.measurements.comparisons(number) if each.word != "same"}
    return [f"{each.word}: {each.evidence.get('told')}" for each in last.values()]


def _newest(store: MemoryStore, environment: str, commit: str, metric: str, of: str) -> list[Measurement]:
    return store.measurements.newest_of(environment, commit, metric, of, within=_DAY, most=_MOST)


def _figures(rows: Sequence[Measurement]) -> Figures:
    good = [row.value for row in rows if row.outcome == "good"]
    outcomes = [row.outcome for row in rows]
    high = statistics.quantiles(good, n=20, method="inclusive")[-1] if len(good) > 1 else None
    return Figures(
        number=len(rows), bad=outcomes.count("bad"), away=outcomes.count("away"),
        median=statistics.median(good) if good else None, p95=high,
    )  # fmt: skip


def _points(rows: Sequence[Measurement]) -> list[float]:
    values = [row.value for row in rows if row.outcome == "good"]
    size = max(1, -(-len(values) // _POINTS))
    return [statistics.median(values[at : at + size]) for at in range(0, len(values), size)]


def figures_words(metric: str, figures: Figures | None) -> str:
    """Figures in one line."""
    if figures is None:
        return "-"
    errors = f"{figures.bad} of {figures.number} bad"
    if metric == "log errors":
        return f"errors at {figures.bad} of {figures.number} looks"
    if figures.median is None or figures.p95 is None:
        return errors
    if metric == "answer":
        return f"{figures.median:.0f} ms, 95 % in {figures.p95:.0f} ms, {errors}"
    if metric == "memory":
        return f"{figures.median / _MIB:.0f} MiB, 95 % below {figures.p95 / _MIB:.0f} MiB"
    return f"{figures.median:g} (median)"


def compared_words(compared: Sequence[Comparison]) -> str:
    """How the last looks ended, in a few words."""
    told = []
    for word in ("worse", "better"):
        if found := [each.metric for each in compared if each.word == word]:
            told.append(f"{word}: {', '.join(found)}")
    return "; ".join(told) or ("as before" if compared else "not yet")
