"""How a live version compares with the one before it: which looks are due, with which test, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from memory import Comparison, Deployment, Measurement, MemoryStore, Series, utc_now
from orchestrator.circle.collector import ANSWER, HEALTH
from orchestrator.circle.comparing import (
    ALPHA,
    FEWEST_BEFORE,
    Compared,
    Least,
    compare_rates,
    compare_shares,
    compare_values,
    look_of,
    percentile,
    spent,
)

BASELINE = timedelta(days=1)
"""What the version before is judged by: the time before its last measurement, so that all hours of a day are in it."""
_MOST_BEFORE = 3000
_AROUND = timedelta(hours=1)
_MIB = 1024 * 1024
_FEWEST_NOW = 5


@dataclass(frozen=True)
class _Test:
    """One way to compare two series."""

    name: str
    run: Callable[[Sequence[Measurement], Sequence[Measurement], float], Compared | None]
    told: Callable[[str, Compared, Sequence[Measurement], Sequence[Measurement]], str]


def due(store: MemoryStore, live: Deployment, before: Deployment) -> list[Comparison]:
    """The comparisons of a live version that its number of measurements allows and that were not made yet; they are not
    kept here. Making them again gives the same."""
    known = {(each.metric, each.of, each.look) for each in store.measurements.comparisons(live.id)}
    tests = [
        (series, test)
        for series in store.measurements.series(live.environment, live.id)
        for test in TESTS[series.metric]
    ]
    found = []
    for series, test in tests:
        look = look_of(series.number)
        if look and (test.name, series.of, look[0]) not in known:
            found.append(_compared(store, live, before, series, test, look, ALPHA / len(tests)))
    return found


def _compared(
    store: MemoryStore,
    live: Deployment,
    before: Deployment,
    series: Series,
    test: _Test,
    look: tuple[int, int, int],
    alpha: float,
) -> Comparison:
    number, begin, end = look
    where = (live.environment, series.metric, series.of)
    old = store.measurements.newest_of(
        where[0], before.commit, where[1], where[2], within=BASELINE, most=_MOST_BEFORE
    )  # fmt: skip
    new = store.measurements.samples(where[0], live.id, where[1], where[2], begin, end)
    old, new = _said(old), _said(new)
    row = Comparison(
        environment=live.environment, deployment=live.id, metric=test.name, of=series.of, look=number, word="same",
        at=utc_now(), evidence={"before": before.commit, "samples": [len(old), len(new)]},
    )  # fmt: skip
    compared = None
    if len(old) >= FEWEST_BEFORE and len(new) >= _FEWEST_NOW:
        compared = test.run(old, new, spent(number, alpha))
    if compared is None:
        return row.model_copy(update={"evidence": row.evidence | {"told": "too little was measured to compare"}})
    evidence = row.evidence | {
        "told": test.told(series.of, compared, old, new), "p": compared.p, "of": compared.of,
        "values": [compared.before, compared.now],
    }  # fmt: skip
    return row.model_copy(update={"word": compared.word, "evidence": evidence})


def _said(rows: Sequence[Measurement]) -> list[Measurement]:
    """Those that say something of the service."""
    return [row for row in rows if row.outcome != "away"]


def _same_hours(old: Sequence[Measurement], new: Sequence[Measurement]) -> Sequence[Measurement]:
    """Those of the same hours of the day as the new ones, if there are enough: what is slow by night only is no worse
    than what was slow by night only."""
    if not new:
        return old
    begin, end = new[0].at - _AROUND, new[-1].at + _AROUND
    if end - begin >= timedelta(days=1):
        return old
    day, first = timedelta(days=1).total_seconds(), begin.timestamp()
    near = [row for row in old if (row.at.timestamp() - first) % day <= (end - begin).total_seconds()]
    return near if len(near) >= FEWEST_BEFORE else old


def _errors(old: Sequence[Measurement], new: Sequence[Measurement], alpha: float) -> Compared:
    return compare_shares(_bad(old), _bad(new), alpha, Least())


def _latency(old: Sequence[Measurement], new: Sequence[Measurement], alpha: float) -> Compared | None:
    return _values(_good(_same_hours(old, new)), _good(new), alpha, Least(by=20.0))


def _memory(old: Sequence[Measurement], new: Sequence[Measurement], alpha: float) -> Compared | None:
    return _values(_good(_same_hours(old, new)), _good(new), alpha, Least(times=1.3, by=32 * _MIB))


def _values(old: Sequence[float], new: Sequence[float], alpha: float, least: Least) -> Compared | None:
    if len(old) < FEWEST_BEFORE or len(new) < _FEWEST_NOW:
        return None
    return compare_values(old, new, alpha, least)


def _restarts(old: Sequence[Measurement], new: Sequence[Measurement], alpha: float) -> Compared | None:
    rates = [_rate(old), _rate(new)]
    if any(hours <= 0 for _, hours in rates):
        return None
    return compare_rates(rates[0], rates[1], alpha, Least(times=2))


def _rate(rows: Sequence[Measurement]) -> tuple[int, float]:
    """How often the count grew, and in how many hours."""
    pairs = pairwise(rows)
    grown = sum(max(0, round(after.value - one.value)) for one, after in pairs if after.deployment == one.deployment)
    return grown, (rows[-1].at - rows[0].at).total_seconds() / 3600


def _bad(rows: Sequence[Measurement]) -> list[bool]:
    return [row.outcome == "bad" for row in rows]


def _good(rows: Sequence[Measurement]) -> list[float]:
    return [row.value for row in rows if row.outcome == "good"]


def _tell_errors(of: str, _: Compared, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    was, now = _bad(old), _bad(new)
    return f"errors {_at(of)}: {sum(was)} of {len(was)} before, {sum(now)} of {len(now)} now"


def _tell_latency(of: str, _: Compared, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    told = [
        f"{word} {percentile(_good(old), share):.0f} ms before, {percentile(_good(new), share):.0f} ms now"
        for word, share in (("half within", 0.5), ("95 % within", 0.95))
    ]
    return f"answers {_at(of)}: {'; '.join(told)}"


def _tell_memory(_: str, compared: Compared, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    was, now = (percentile(_good(rows), 0.5) / _MIB for rows in (old, new))
    return f"memory: {was:.0f} MiB before, {now:.0f} MiB now (median)"


def _tell_restarts(_: str, compared: Compared, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    return f"restarts: {compared.before:.2g} an hour before, {compared.now:.2g} now"


def _tell_log(_: str, __: Compared, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    was, now = _bad(old), _bad(new)
    return f"errors in the log at {sum(was)} of {len(was)} looks before, at {sum(now)} of {len(now)} now"


def _at(of: str) -> str:
    return "of the health check" if of == HEALTH else f"at {of}"


TESTS: dict[str, tuple[_Test, ...]] = {
    ANSWER: (_Test("errors", _errors, _tell_errors), _Test("latency", _latency, _tell_latency)),
    "memory": (_Test("memory", _memory, _tell_memory),),
    "restarts": (_Test("restarts", _restarts, _tell_restarts),),
    "log errors": (_Test("log errors", _errors, _tell_log),),
}
"""What is measured -> how it is compared."""
